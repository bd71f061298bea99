"""One process at a time plans and runs in a tree of results. The kernel drops a lock with its process, however it ends.

Two files below the root are locked. ``.lock`` belongs to the process that writes the plan and starts jobs, the
scheduler, and names it. Every job shares ``.jobs.lock``, so that no scheduler starts beside jobs that an earlier one
has left. A job ends when the scheduler that started it has ended, unless a cluster runs it.
"""

import errno
import fcntl
import logging
import os
import shlex
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from adkd.base.disk import check_writable
from adkd.base.errors import InputError

log = logging.getLogger(__name__)

SCHEDULER = "ADKD_SCHEDULER"
"""Environment variable of a job: the token of the scheduler that started it."""
REMOTE = "ADKD_REMOTE"
"""Environment variable of a job that a cluster runs: it does not end with its scheduler."""
PATIENCE = 1.0
"""Seconds after which a lock that is held counts as held. A job that looks whether it is held takes it for a moment."""
WATCH = 1.0
"""Seconds between two looks of a job at its scheduler."""
GRACE = 30.0
"""Seconds that a job without a scheduler has to unwind."""
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
"""What a file system without locks answers."""


@dataclass(frozen=True)
class Holder:
    """The process that holds the lock of a tree, as the locked file names it."""

    token: str
    host: str
    pid: int
    command: str

    @classmethod
    def this_process(cls) -> Self:
        """This one, with a new token."""
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]).replace("\n", " ")
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), command)

    @classmethod
    def of(cls, file: IO) -> Self | None:
        """The one that a file names, if it names one."""
        match os.pread(file.fileno(), 10_000, 0).decode("utf-8", "replace").strip().split(" ", 3):
            case [token, host, pid, command] if pid.isdigit():
                return cls(token, host, int(pid), command)
        return None

    def write(self, file: IO) -> None:
        """Name this one in a file."""
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), f"{self.token} {self.host} {self.pid} {self.command}\n".encode(), 0)


@contextmanager
def claimed(root: Path, beside_jobs: bool = False) -> Iterator[str | None]:
    """Be the only process that plans and runs below a root, for the length of the block.

    Args:
        root: of the results; made if necessary.
        beside_jobs: whether not to wait for jobs that an earlier process has left, or that were started by hand.

    Yields:
        The token of this scheduler; None on a file system without locks.

    Raises:
        InputError: another process plans or runs there, or the root cannot be written.
    """
    check_writable(root / ".lock")
    root.mkdir(parents=True, exist_ok=True)
    with _opened(root / ".lock") as own, _opened(root / ".jobs.lock") as jobs:
        yield _token(root, own, None if beside_jobs else jobs)


@contextmanager
def job(root: Path) -> Iterator[None]:
    """Carry out a job below a root inside the block; the process ends when its scheduler does.

    Raises:
        InputError: the scheduler that started this job has ended, and another one runs there.
    """
    token = os.environ.get(SCHEDULER)
    try:
        own, jobs = _opened(root / ".lock"), _opened(root / ".jobs.lock")
    except OSError:  # where nothing can be written, the job itself says so
        yield
        return
    stop = threading.Event()
    with own, jobs:
        try:
            fcntl.flock(jobs, fcntl.LOCK_SH)
        except OSError as error:
            _expect_no_locks(error)
            token = None
        if token and _is_held(own) and (holder := Holder.of(own)) and holder.token != token:
            raise InputError(f"the run that started this job has ended, and {_named(holder)} now runs in {root}")
        watch = threading.Thread(target=_watch, args=(own, token, stop), daemon=True)
        if token and not os.environ.get(REMOTE):
            watch.start()
        try:
            yield
        finally:
            stop.set()
            if watch.ident:
                watch.join()


def _opened(path: Path) -> IO:
    return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)


def _token(root: Path, own: IO, jobs: IO | None) -> str | None:
    """Take the lock of a tree, when the jobs of an earlier scheduler have ended."""
    try:
        _take(root, own)
        this = Holder.this_process()
        this.write(own)
        waiting = False
        while jobs and not _is_taken(jobs):
            if not waiting:
                log.warning("waiting for jobs that an earlier run has left in %s, or that run there by hand", root)
            waiting = True
            time.sleep(0.2)
        if jobs:
            fcntl.flock(jobs, fcntl.LOCK_UN)
        return this.token
    except OSError as error:
        _expect_no_locks(error)
        log.warning("%s is on a file system without locks: start nothing else in it until this run has ended", root)
        return None


def _take(root: Path, own: IO) -> None:
    """Take the lock of a tree; InputError if another process has it."""
    deadline = time.monotonic() + PATIENCE
    while not _is_taken(own):
        if time.monotonic() > deadline:
            holder = Holder.of(own)
            raise InputError(
                f"{root} is in use by {_named(holder) if holder else 'another process'}",
                remedy="wait until it has ended, or name another directory: ADKD_RESULTS=DIR",
            )
        time.sleep(0.05)


def _is_taken(file: IO, how: int = fcntl.LOCK_EX) -> bool:
    """Take a lock, unless another process has it; whether it was taken."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(file: IO) -> bool:
    """Whether a process holds a lock exclusively."""
    if not _is_taken(file, fcntl.LOCK_SH):
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _watch(own: IO, token: str, stop: threading.Event) -> None:
    """End this process when the scheduler of that token has ended."""
    while _is_held(own) and (holder := Holder.of(own)) and holder.token == token:
        if stop.wait(WATCH):
            return
    log.error("the run that started this job has ended: stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    if not stop.wait(GRACE):
        os.kill(os.getpid(), signal.SIGKILL)


def _named(holder: Holder) -> str:
    return f"`{holder.command}` (process {holder.pid} on {holder.host})"


def _expect_no_locks(error: OSError) -> None:
    """Raise the error again, unless it says that the file system has no locks."""
    if error.errno not in WITHOUT_LOCKS:
        raise error
