"""Files that are written whole or not at all: under a temporary name first, flushed to disk, then renamed."""

import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from errno import EACCES, EDQUOT, EEXIST, EISDIR, ENAMETOOLONG, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, EROFS
from functools import cache
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError, RunError

SUFFIX = ".tmp"
"""Ending of temporary names: ``.NAME.HOST.PID.RANDOM.tmp``."""
WEEK = 7 * 24 * 3600
"""Seconds after which a temporary file of another machine, whose processes cannot be seen, is abandoned."""
_FULL = (ENOSPC, EDQUOT, EROFS)
REFUSED = (*_FULL, EACCES, EPERM, EISDIR, ENAMETOOLONG, ENOTDIR)
"""Errors of the system that say that no such file may be read or written there."""
_OCCUPIED = (ENOTEMPTY, EEXIST, ENOTDIR)


def sha256(path: Path) -> str:
    """Hex digest of a file's content. A file that has not changed since is not read again."""
    about = path.stat()
    return _sha256(path.absolute(), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@cache
def _sha256(path: Path, *version: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it replaces ``path`` when the block ends without an error.

    Raises:
        InputError: there is a directory at ``path``.
        RunError: the disk is full, or the place cannot be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory, where a file is to be written", remedy="move it away")
    with _replacement(path) as temporary:
        yield temporary


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A temporary directory to fill; it replaces ``path`` when the block ends without an error.

    Its files can be read by everybody who may read the directory: some libraries write files for their owner alone.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    with _replacement(path) as temporary:
        temporary.mkdir()
        yield temporary
        mode = temporary.stat().st_mode & 0o666
        for file in temporary.rglob("*"):
            if file.is_file():
                file.chmod(mode)


@contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, or beside what it links to, which is replaced when the block ends."""
    target, temporary = followed(path), None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        temporary = target.with_name(_temporary_name(target.name))
        yield temporary
        _flush(temporary)
        _replace(temporary, target)
        _flush_entry(target.parent)
    except (InputError, RunError):
        raise
    except Exception as error:
        if reason := _why_not_written(error, target):
            raise RunError(f"{path} cannot be written: {reason}") from error
        raise
    finally:
        if temporary:
            _remove(temporary)


def json_text(value: Any) -> str:
    """Canonical JSON: keys are sorted, so that equal values give equal files. Raises ValueError for NaN."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8; the file appears whole or not at all."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as canonical JSON."""
    write_text(path, json_text(value))


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def followed(path: Path) -> Path:
    """Where ``path`` leads if it is a link; ``path`` itself otherwise.

    Raises:
        InputError: the link leads nowhere.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink() or not target.parent.is_dir():
        raise InputError(f"{path} is a link to {target}, which does not exist", remedy="remove or mend the link")
    return target


def _replace(temporary: Path, target: Path) -> None:
    """Rename, also over a directory and beside others who do the same."""
    while True:
        try:
            temporary.replace(target)
            return
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
        old = target.with_name(_temporary_name(target.name))
        with suppress(FileNotFoundError):
            target.rename(old)
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _flush(path: Path) -> None:
    """Wait until a file, or a directory with all that it holds, is on disk."""
    for inner in [*path.rglob("*"), path] if path.is_dir() else [path]:
        _flush_entry(inner)


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError) if path.is_dir() else nullcontext():  # not every file system flushes directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _host() -> str:
    """This machine; a container, whose processes have numbers of their own, is another machine."""
    name = re.sub(r"[^\w-]", "-", socket.gethostname())
    with suppress(OSError):
        name += f"-{os.stat('/proc/self/ns/pid').st_ino}"
    return name


def _temporary_name(name: str) -> str:
    return f".{name}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}{SUFFIX}"


def _remove_abandoned(target: Path) -> None:
    """Remove what writers of ``target`` that are dead have left behind."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*{SUFFIX}"):
        host, _, number = path.name.removeprefix(f".{target.name}.").rsplit(".", 2)[0].rpartition(".")
        with suppress(OSError):  # another process may remove it at the same time
            if (host == _host() and not _is_alive(int(number))) or time.time() - path.stat().st_mtime > WEEK:
                _remove(path)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _why_not_written(error: Exception, path: Path) -> str | None:
    """Why the disk refuses to be written, in words; None for an error of another kind.

    Libraries that are not written in Python name the number of the error in their text alone.
    """
    named = re.search(r"os error (\d+)|\[[Ee]rrno (\d+)\]", str(error))
    number = getattr(error, "errno", None) or (int(named[1] or named[2]) if named else None)
    file = getattr(error, "filename", None)
    ours = file is not None and Path(os.fsdecode(file)).parent in (path.parent, *path.parent.parents)
    return os.strerror(number) if number is not None and (number in _FULL or ours) else None
