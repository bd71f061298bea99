"""The tiny grid, run once for all tests of the workflow: the real thing, only small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests import forked as forked_adkd

REPOSITORY = Path(__file__).parents[2]
TINY = REPOSITORY / "workflow" / "config" / "tiny.yaml"
GPUS = ("4", "7")
"""Names of GPUs that this machine does not have: a lease hands them out all the same, and torch uses the CPU."""


def environment(cache: Path, **more: str) -> dict[str, str]:
    """The environment of a command of the suite: no hub, no GPU, a cache and leases of the tests' own."""
    own = {
        "ADKD_CACHE": str(cache),
        "ADKD_LEASE_DIR": str(cache / "leases"),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(cache),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own, **more}


def command(*arguments: object, cwd: Path, forked: bool = True, **variables: str) -> subprocess.CompletedProcess:
    """Run ``python -m MODULE ...`` in a directory and return what it printed; the caller looks at the exit status.

    Args:
        arguments: the module and its arguments.
        cwd: the directory.
        forked: whether ``adkd``, here and in the rules of the workflow, is the one without start-up.
        variables: more environment variables.
    """
    cache = cwd / "cache"
    cache.mkdir(exist_ok=True)
    module, *options = map(str, arguments)
    start = forked_adkd.start(module) if forked else [sys.executable, "-m", module]
    return subprocess.run(
        [*start, *options], cwd=cwd, env=environment(cache, **variables), capture_output=True, text=True, timeout=900
    )


def snakemake(*arguments: object, cwd: Path, forked: bool = True, **variables: str) -> subprocess.CompletedProcess:
    """Run the suite's Snakefile with ``cwd`` as working directory."""
    snakefile = ["--snakefile", REPOSITORY / "Snakefile", "--cores", "2"]
    return command("snakemake", *snakefile, *arguments, cwd=cwd, forked=forked, **variables)


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the tiny grid has run to its end, two jobs at a time on two stand-in GPUs.

    It is run once for all test processes of a session. Who adds to it works on a copy.
    """
    base = tmp_path_factory.getbasetemp()
    where = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "grid"
    with FileLock(f"{where}.lock"):
        if not where.exists():
            where.mkdir()
            options = ("--configfile", TINY, "--resources", "gpu=2")
            done = snakemake(*options, cwd=where, CUDA_VISIBLE_DEVICES=",".join(GPUS))
            if done.returncode:
                where.rename(f"{where}-{os.getpid()}-failed")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return where
