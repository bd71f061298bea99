"""Files that are read only as they were written: each is compared with the sha256 that its writer has recorded.

A file that is made from others is read only while those are what they were.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from adkd.base import files
from adkd.base.errors import InputError, missing
from adkd.base.files import new_file, write_text


@contextmanager
def reading(path: Path, command: str) -> Iterator[None]:
    """Within the block a file is read: whatever goes wrong there becomes one error that names it.

    Args:
        command: what makes the file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        yield
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path, command) from None
    except Exception as error:  # every library that reads files has errors of its own
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} cannot be read: {reason}", remedy=f"rebuild it with: {command}") from error


def refuse_changed(path: Path, actual: str, written: str, command: str) -> None:
    """Raises InputError if the sha256 of a file is not the one that was written."""
    if actual != written:
        raise InputError(f"sha256 of {path}", value=actual, allowed=written, remedy=f"rebuild it with: {command}")


def damage(path: Path, digest: str) -> str | None:
    """What is wrong with a file that should have this sha256, in words; None if it has it."""
    try:
        actual = files.sha256(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None if actual == digest else f"{path} is damaged: its sha256 is {actual}, not {digest}"


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Path -> sha256, of files that the suite has not written.

    Raises:
        InputError: one of them is missing or cannot be read.
    """
    found = {}
    for path in paths:
        try:
            found[str(path)] = files.sha256(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", remedy="restore it") from None
    return found


def checksum_file(path: Path) -> Path:
    """The file beside ``path`` that holds its sha256, in the format of ``sha256sum``."""
    return path.with_name(f".{path.name}.sha256")


def was_written(path: Path) -> bool:
    """Whether ``new_checked_file`` has written a file: also one that is gone, while its checksum is there."""
    return path.exists() or checksum_file(path).exists()


@contextmanager
def new_checked_file(path: Path, made_from: Iterable[Path] = ()) -> Iterator[Path]:
    """As ``new_file``; beside it are written its sha256 and those of the files that it is made from."""
    digests = [(files.sha256(source), os.path.relpath(source, path.parent)) for source in made_from]
    with new_file(path) as temporary:
        yield temporary
        own = sha256(temporary.read_bytes()).hexdigest(), path.name
        write_text(checksum_file(path), "".join(f"{digest}  {name}\n" for digest, name in [own, *digests]))


def checked_bytes(path: Path, command: str) -> bytes:
    """The content of a file that ``new_checked_file`` has written.

    Raises:
        InputError: it is missing, cannot be read, or was changed since; or a file that it was made from was changed
            since. That one may be gone.
    """
    with reading(path, command):
        content = path.read_bytes()
    beside = checksum_file(path)
    with reading(beside, command):
        written = beside.read_text(encoding="utf-8")
    digest = sha256(content).hexdigest()
    own, *others = written.splitlines() if _CHECKSUMS.fullmatch(written) else [""]
    if own != f"{digest}  {path.name}":
        refuse_changed(path, digest, f"{' '.join(written.split())[:200]} ({beside})", command)
    for was, name in (line.split("  ", 1) for line in others):
        source = Path(os.path.normpath(path.parent / name))
        with reading(source, command):
            changed = source.exists() and files.sha256(source) != was
        if changed:
            what = f"{path} is stale: {source} was changed since ({beside})"
            raise InputError(what, remedy=f"rebuild it with: {command}")
    return content


_CHECKSUMS = re.compile(r"([0-9a-f]{64}  [^\n]+\n)+")
"""A file of ``sha256sum``."""
