"""Records: written to a JSON file and read back by one class, so that writer and reader cannot drift apart."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ValidationError

from adkd.base.checked import reading, refuse_changed
from adkd.base.errors import InputError, missing
from adkd.base.files import json_text, sha256, write_text
from adkd.base.validation import STRICT


class Record(BaseModel):
    """A closed, typed, immutable record with a canonical JSON form: sorted keys; equal records are equal files."""

    model_config = STRICT

    def as_json(self) -> dict[str, Any]:
        """The record as JSON has it: lists, not tuples."""
        return self.model_dump(mode="json")

    def text(self) -> str:
        """The record as canonical JSON."""
        return json_text(self.as_json())

    def file_text(self) -> str:
        """The content of the file that holds the record."""
        return self.text()

    def digest(self) -> str:
        """The first 16 digits of the sha256 of the record as canonical JSON."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]

    def is_in(self, path: Path) -> bool:
        """Whether a file holds exactly this record."""
        try:
            return path.read_bytes() == self.file_text().encode()
        except OSError:
            return False

    def write(self, path: Path) -> None:
        """Write the record; the file appears whole or not at all."""
        write_text(path, self.file_text())

    @classmethod
    def read(cls, path: Path, command: str) -> Self:
        """The record in a file.

        Args:
            command: what makes the file.

        Raises:
            InputError: there is no such file, or it does not hold such a record.
        """
        with reading(path, command):
            content = path.read_bytes()
        return cls.parsed(content, path, command)

    @classmethod
    def parsed(cls, content: bytes, path: Path, command: str) -> Self:
        """The record in the content of a file.

        Raises:
            InputError: the content is not such a record.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "its content"
            raise InputError(
                f"{path} is not valid: {where}: {first['msg']}", remedy=f"rebuild it with: {command}"
            ) from None


_SEAL = re.compile(rb'^ "sha256": "(\w*)",\n', re.MULTILINE)
"""The line with the checksum of a sealed record; keys of records within it are indented further."""


class Sealed(Record):
    """A record whose file holds the sha256 of all the rest of the file, so that nobody reads a changed one."""

    def file_text(self) -> str:
        """The content of the file that holds the record: with its checksum."""
        text = self.text()
        return json_text(self.as_json() | {"sha256": hashlib.sha256(text.encode()).hexdigest()})

    @classmethod
    def parsed(cls, content: bytes, path: Path, command: str) -> Self:
        """The record in the content of a file.

        Raises:
            InputError: the content is not such a record, or was changed since it was written.
        """
        seal = _SEAL.search(content)
        rest = _SEAL.sub(b"", content, count=1)
        record = super().parsed(rest, path, command)
        if not seal:
            raise InputError(f"{path} lacks its checksum", remedy=f"rebuild it with: {command}")
        refuse_changed(path, hashlib.sha256(rest).hexdigest(), seal[1].decode(), command)
        return record


class Inputs(Record):
    """The results that a result is made from. The name of a field is their stage; its value one name or several."""

    def names(self) -> Iterator[tuple[str, str]]:
        """Stage and name of each of them."""
        for stage in type(self).model_fields:
            value = getattr(self, stage)
            if value is not None:
                yield from ((stage, name) for name in (value.values() if isinstance(value, dict) else [value]))


class Spec(Record):
    """The complete input of one stage."""

    stage: str
    result: str
    """Name of the result: its directory below the root, and its spec file below ``ROOT/plan``."""
    code: str
    """Fingerprint of the code that makes it."""
    inputs: Inputs = Inputs()
    external_files: dict[str, str] = {}
    """Path -> sha256 of every file from outside the tree of results that the result is made from."""

    def check_external_files(self) -> None:
        """Raises InputError unless every file from outside the tree is the one that was planned."""
        for name, planned in self.external_files.items():
            try:
                digest = sha256(Path(name))
            except OSError as error:
                raise InputError(f"{name} cannot be read: {error.strerror}", remedy="restore it") from None
            if digest != planned:
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
    files: dict[str, StoredFile] = {}
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


def difference(was: Any, wanted: Any, key: str = "") -> tuple[str, str, str]:
    """The first place where two JSON values differ: (dotted key, was, wanted). They must differ."""
    if not (isinstance(was, dict) and isinstance(wanted, dict)):
        return key or "it", repr(was), repr(wanted)
    for name in sorted(was.keys() | wanted.keys()):
        inner = f"{key}.{name}" if key else name
        if name not in was:
            return inner, "not set", repr(wanted[name])
        if name not in wanted:
            return inner, repr(was[name]), "not set"
        if was[name] != wanted[name]:
            return difference(was[name], wanted[name], inner)
    raise AssertionError("equal values have no difference")
