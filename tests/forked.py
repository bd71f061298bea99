"""``adkd`` without its start-up: a server that has imported the libraries forks a process for every command.

Tests start hundreds of short commands, which would spend most of their time on the same imports. The command with its
own start-up runs in the tests of the wheel and of workers that are killed, and once in the workflow, where it has to
give the same files.
"""

import atexit
import json
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

CLIENT = """
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
socket.send_fds(server, [json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
os._exit(int(server.recv(16) or 1))
"""
ADKD = """#!/bin/sh
exec "{python}" -SE "{folder}/client.py" "{folder}/socket" adkd "$@"
"""
PYTHON = """#!/bin/sh
case "$1 $2" in
"-m adkd" | "-m adkd."*) shift; exec "{python}" -SE "{folder}/client.py" "{folder}/socket" "$@" ;;
*) exec "{python}" "$@" ;;
esac
"""
BESIDE_IT = """
import runpy, sys
sys.executable = sys.argv.pop(1)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def start(module: str) -> list[str]:
    """The beginning of a command that runs ``adkd``, a module of it, or one whose children find this ``adkd``.

    The Snakefile looks for ``adkd`` beside the Python that runs it.
    """
    if module.partition(".")[0] == "adkd":
        return [python(), "-m", module]
    return [sys.executable, "-c", BESIDE_IT, python(), module]


def python() -> str:
    """A Python that forks ``-m adkd``, and modules of the package."""
    return str(folder() / "python")


@cache
def folder() -> Path:
    """A directory with the command ``adkd``, which works until this process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(served(Path(stack.enter_context(TemporaryDirectory()))))


@contextmanager
def served(folder: Path) -> Iterator[Path]:
    """Put ``adkd`` into a directory, and serve it inside the block."""
    for name, text in (("client.py", CLIENT), ("adkd", ADKD), ("python", PYTHON)):
        (folder / name).write_text(text.format(python=sys.executable, folder=folder))
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        listening.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder)},
        )
    try:
        yield folder
    finally:
        server.terminate()
        server.wait()


def serve(listening: socket.socket) -> None:
    """Fork a process for every command that arrives, for ever."""
    import signal

    import_stages()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes
    while True:
        client, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            client.sendall(b"%d" % carry_out(client))
            os._exit(0)
        client.close()


def import_stages() -> None:
    """Import all that the commands need, so that forks have it."""
    import gc

    from adkd.plan.stages import STAGES

    for stage in STAGES.values():
        _ = stage.work  # imports its module
    gc.freeze()
    gc.enable()


def carry_out(client: socket.socket) -> int:
    """Carry out the command of a client, on its terminal, and return the exit status."""
    message, descriptors, _, _ = socket.recv_fds(client, 1 << 20, 3)
    (module, *arguments), folder, variables = json.loads(message)
    for own, descriptor in enumerate(descriptors):
        os.dup2(descriptor, own)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = [module, *arguments]
    if module == "adkd":
        return exit_status(import_module("adkd.__main__").main)
    return exit_status(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


def exit_status(command: Callable[[], object]) -> int:
    """Carry out a command as a process of its own would: its exit status; an error is printed with its traceback."""
    try:
        command()
        status: object = 0
    except SystemExit as stop:
        status = stop.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else 1


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
