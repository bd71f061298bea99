"""Specs and reports: the records that every stage reads and writes, and the files that a report lists."""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Generic, Self, TypeVar

from pydantic import Field

from adkd.base.checked import digests, reading, refuse_changed
from adkd.base.errors import InputError, missing
from adkd.base.files import sha256
from adkd.base.records import Record, Sealed


class Inputs(Record):
    """The results that a result is made from. The name of a field is their stage; its value one name or several."""

    def names(self) -> Iterator[tuple[str, str]]:
        """Stage and name of each of them."""
        for stage in type(self).model_fields:
            value = getattr(self, stage)
            if value is not None:
                yield from ((stage, name) for name in (value.values() if isinstance(value, dict) else [value]))


class Spec(Sealed):
    """The complete input of one stage."""

    stage: str
    result: str
    """Name of the result: its directory below the root, and its spec file below ``ROOT/plan``."""
    code: str
    """Fingerprint of the code that makes it."""
    inputs: Inputs = Inputs()
    external_files: dict[str, str] = Field(default={})
    """Path -> sha256 of every file from outside the tree of results that the result is made from."""

    def check_external_files(self) -> None:
        """Raises InputError unless every file from outside the tree is the one that was planned."""
        for name, digest in digests(map(Path, self.external_files)).items():
            if digest != (planned := self.external_files[name]):
                allowed = f"{planned}, that of the file when this job was planned"
                raise InputError(f"sha256 of {name}", value=digest, allowed=allowed, remedy="start the run again")


S = TypeVar("S", bound=Spec)


class StoredFile(Record):
    """A file of a result, as it was written."""

    bytes: int
    sha256: str


class Report(Sealed, Generic[S]):
    """What a stage writes about its result, last: where it lies, the result is complete."""

    spec: S
    files: dict[str, StoredFile] = Field(default={})
    """Every other file of the result, by its path in the directory of the result."""

    @classmethod
    def read(cls, path: Path, command: str) -> Self:
        """The report in a file, of the result whose directory the file lies in.

        Raises:
            InputError: as for any record; or it is the report of another result.
        """
        report = super().read(path, command)
        name = PurePath(report.spec.result).parts
        if path.absolute().parent.parts[-len(name) :] != name:
            remedy = f"rebuild it with: {command}"
            raise InputError(f"{path} is the report of {report.spec.result}", remedy=remedy)
        return report

    def write_last(self, path: Path) -> None:
        """Write the report of a result all of whose other files lie in the directory already, with their hashes."""
        self.model_copy(update={"files": stored_files(path.parent)}).write(path)

    def file(self, directory: Path, name: str) -> Path:
        """A file of the result in ``directory``, with exactly the content that was written.

        Raises:
            InputError: it is missing, cannot be read, or was changed since.
        """
        path, command = directory / name, command_for(directory, self.spec.stage)
        if name not in self.files:
            raise missing(path, command)
        with reading(path, command):
            digest = sha256(path)
        refuse_changed(path, digest, self.files[name].sha256, command)
        return path

    def folder(self, directory: Path, name: str) -> Path:
        """A folder of the result in ``directory``, all of whose files have exactly the content that was written.

        Raises:
            InputError: one of them has not, or there are none.
        """
        files = [file for file in self.files if file.startswith(f"{name}/")]
        if not files:
            raise missing(directory / name, command_for(directory, self.spec.stage))
        for file in files:
            self.file(directory, file)
        return directory / name


def stored_file(path: Path) -> StoredFile:
    """A file as it is now."""
    return StoredFile(bytes=path.stat().st_size, sha256=sha256(path))


def stored_files(directory: Path) -> dict[str, StoredFile]:
    """Every file below a directory, by its path in it."""
    return {
        path.relative_to(directory).as_posix(): stored_file(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def command_for(directory: Path, stage: str) -> str:
    """What to type to make the result in a directory again: its spec lies in the plan of the tree around it."""
    for root in directory.parents:
        spec = root / "plan" / f"{directory.relative_to(root).as_posix()}.json"
        if spec.is_file():
            return f"adkd {stage} {spec}"
    return "snakemake sweep" if stage in ("round", "trial", "worker", "study") else "snakemake"
