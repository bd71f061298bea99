"""Records: written to a JSON file and read back by one class, so that writer and reader cannot drift apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ValidationError

from adkd.base.errors import InputError, missing
from adkd.base.files import json_text, write_if_changed, write_json
from adkd.base.validation import STRICT


class Record(BaseModel):
    """A closed, typed, immutable record with a canonical JSON form: sorted keys; equal records are equal files."""

    model_config = STRICT

    def as_json(self) -> dict[str, Any]:
        """The record as JSON has it: lists, not tuples."""
        return self.model_dump(mode="json")

    def text(self) -> str:
        """The content of the file that holds the record."""
        return json_text(self.as_json())

    def write(self, path: Path) -> None:
        """Write the record; the file appears whole or not at all."""
        write_json(path, self.as_json())

    def write_if_changed(self, path: Path) -> bool:
        """Write the record unless the file holds it already, whose time stamp then stays. True if written."""
        return write_if_changed(path, self.as_json())

    @classmethod
    def read(cls, path: Path, command: str) -> Self:
        """The record in a file.

        Args:
            command: what makes the file.

        Raises:
            InputError: there is no such file, or it does not hold such a record.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise missing(path, command) from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "its content"
            raise InputError(
                f"{path} is not valid: {where}: {first['msg']}", remedy=f"rebuild it with: {command}"
            ) from None


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


S = TypeVar("S", bound=Spec)


class Report(Record, Generic[S]):
    """What a stage writes about its result, last: where it lies, the result is complete."""

    spec: S


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
