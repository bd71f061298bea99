"""A real PostgreSQL server for the duration of a test."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database on a server of its own; skips the test if PostgreSQL is not installed."""
    programs = {name: _program(name) for name in ("initdb", "pg_ctl")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"PostgreSQL is not installed here (no {missing[0]}); on Debian: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed: pip install 'psycopg[binary]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not below pytest's directories, which are private to the user: for root, the server runs as another user.
    with tempfile.TemporaryDirectory(prefix="adkd-postgres-", ignore_cleanup_errors=True) as where:
        if owner := _owner():
            shutil.chown(where, owner)
        data, options = (
            f"{where}/data",
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off",
        )
        _run(owner, programs["initdb"], "-D", data, "-U", "adkd", "--auth=trust", "--encoding=UTF8", "--no-sync")
        _run(owner, programs["pg_ctl"], "-D", data, "-o", options, "-l", f"{data}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg://adkd@127.0.0.1:{port}/postgres"
        finally:
            _run(owner, programs["pg_ctl"], "-D", data, "-m", "immediate", "-w", "stop")


def _run(owner: str | None, *command: str) -> None:
    with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open as long as the server runs
        done = subprocess.run(command, user=owner, cwd="/", stdout=output, stderr=output, timeout=120)
        output.seek(0)
        assert done.returncode == 0, output.read()


def _program(name: str) -> str | None:
    """The path of a server program, which Debian does not put into the search path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, places)))


def _owner() -> str | None:
    """The user that runs the server if this is root, which the server refuses."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
