"""Records: written to a JSON file and read back by one class, so that writer and reader cannot drift apart."""

import hashlib
import re
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from adkd.base.checked import reading, refuse_changed
from adkd.base.errors import InputError
from adkd.base.files import json_text, write_text
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
        unsealed = json_text(self.as_json() | {"sha256": ""}).encode()
        digest = hashlib.sha256(without_seal(unsealed)).hexdigest()
        return _SEAL.sub(f' "sha256": "{digest}",\n'.encode(), unsealed, count=1).decode()

    @classmethod
    def parsed(cls, content: bytes, path: Path, command: str) -> Self:
        """The record in the content of a file.

        Raises:
            InputError: the content is not such a record, or was changed since it was written.
        """
        record = super().parsed(without_seal(content), path, command)
        check_seal(content, path, command)
        return record


def without_seal(content: bytes) -> bytes:
    """The file of a sealed record without the line with its checksum."""
    return _SEAL.sub(b"", content, count=1)


def check_seal(content: bytes, path: Path, command: str) -> None:
    """Raises InputError unless the file of a sealed record, which ``command`` makes, is as it was written."""
    seal = _SEAL.search(content)
    if not seal:
        raise InputError(f"{path} lacks its checksum", remedy=f"rebuild it with: {command}")
    refuse_changed(path, hashlib.sha256(without_seal(content)).hexdigest(), seal[1].decode(), command)


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
