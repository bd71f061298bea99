"""One GPU for every training job: jobs on one machine lease GPUs from each other. Imports no torch.

A lease is an exclusive ``flock`` on a file named after the GPU, with one such file for every job that may share it.
The kernel drops the lock when the process ends, however it ends, so there is nothing to clean up after a crash. It
holds across several Snakemake runs of one user as well.
"""

import fcntl
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adkd.base.errors import InputError

log = logging.getLogger(__name__)

JOBS_PER_GPU = "ADKD_JOBS_PER_GPU"
"""The environment variable that carries ``jobs_per_gpu`` from the config to the jobs: it is no part of a spec, as no
result depends on it."""
WAIT = 0.2
"""Seconds between two looks for a free GPU."""


def jobs_per_gpu() -> int:
    """How many jobs may share a GPU, from the environment: the Snakefile sets it from the config's ``jobs_per_gpu``.

    Raises:
        InputError: it is not a whole number from 1 on.
    """
    value = os.environ.get(JOBS_PER_GPU, "1")
    if not (value.isascii() and value.isdigit() and int(value)):
        raise InputError(f"{JOBS_PER_GPU} is {value!r}; allowed is a whole number from 1 on")
    return int(value)


def visible() -> list[str]:
    """The GPUs that this process may use, by the names ``CUDA_VISIBLE_DEVICES`` has for them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = [name.strip() for name in named.split(",")]
        # CUDA sees none of those from the first invalid name on; "-1" and "" are the usual ways to hide them all.
        stop = next((i for i, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), len(names))
        return list(dict.fromkeys(names[:stop]))
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return found.stdout.split()


@contextmanager
def lease(device: str) -> Iterator[str | None]:
    """Hold one GPU for the length of a block, as the only one that CUDA sees there. Enter it before importing torch.

    Waits until a GPU is free, or has fewer jobs than may share it. Does nothing for device ``cpu``, on a machine
    without GPUs, and in a Slurm job, which has been given its GPU already.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Yields:
        The leased GPU, or None.
    """
    gpus = [] if device == "cpu" or "SLURM_JOB_ID" in os.environ else visible()
    if not gpus:
        yield None
        return
    gpu, lock = _wait_for_one(gpus)
    before = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")}
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # nvidia-smi counts by bus; CUDA counts by speed unless told otherwise.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    log.info("leased GPU %s", gpu)
    try:
        yield gpu
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        os.close(lock)


def _wait_for_one(gpus: list[str]) -> tuple[str, int]:
    """The first GPU with a place that comes free, an empty one before a shared one, and the open file that holds it."""
    default = Path(tempfile.gettempdir()) / f"adkd-gpus-{os.getuid()}"
    directory = Path(os.environ.get("ADKD_LEASE_DIR", default))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [(gpu, "" if number == 0 else f"+{number}") for number in range(jobs_per_gpu()) for gpu in gpus]
    while True:
        for gpu, place in places:
            path = directory / (re.sub(r"[^\w.-]", "_", gpu) + place + ".lock")
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return gpu, lock
            except BlockingIOError:
                os.close(lock)
        time.sleep(WAIT)
