"""Files that are written whole or not at all: under a temporary name first, then renamed."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it replaces ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A temporary directory to fill; it replaces ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def json_text(value: Any) -> str:
    """Canonical JSON: keys are sorted, so that equal values give equal files. Raises ValueError for NaN."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as canonical JSON."""
    with new_file(path) as temporary:
        temporary.write_text(json_text(value))


def write_if_changed(path: Path, value: Any) -> bool:
    """Write ``value`` unless the file already holds it, which keeps its time stamp. Returns whether it was written."""
    if path.exists() and path.read_text() == json_text(value):
        return False
    write_json(path, value)
    return True


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text())
