"""One GPU for every training job: the jobs of one machine lease GPUs from each other. Imports no torch.

A lease is an exclusive lock on a file named after the GPU, with one such file for every job that may share the GPU.
The kernel drops the lock when the process ends, however it ends, so a crash leaves nothing to clean up. Leases also
hold between several Snakemake runs of one user.
"""

import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adkd.base.errors import InputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

log = logging.getLogger(__name__)

JOBS_PER_GPU = "ADKD_JOBS_PER_GPU"
"""The environment variable that carries ``jobs_per_gpu`` from the config to the jobs. It is not part of a spec, because
no result depends on it."""
WAIT = 0.2
"""Seconds between two attempts to lease a GPU."""


def jobs_per_gpu() -> int:
    """How many jobs may share a GPU: the Snakefile passes the config's ``jobs_per_gpu`` through the environment.

    Raises:
        InputError: the value is not an integer of at least 1.
    """
    value = os.environ.get(JOBS_PER_GPU, "1")
    if not (value.isascii() and value.isdigit() and int(value)):
        raise InputError(f"{JOBS_PER_GPU}={value}", allowed="an integer of at least 1")
    return int(value)


def visible() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    variable = os.environ.get("CUDA_VISIBLE_DEVICES")
    if variable is not None:
        names = [name.strip() for name in variable.split(",")]
        # CUDA ignores everything from the first invalid name on; "-1" and "" are the usual ways to hide all GPUs.
        stop = next((i for i, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), len(names))
        return list(dict.fromkeys(names[:stop]))
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        listing = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return listing.stdout.split()


@contextmanager
def lease(device: str) -> Iterator[str | None]:
    """Hold one GPU for the length of a block, and hide all others from CUDA. Enter the block before importing torch.

    Waits until a GPU is free or has fewer jobs than may share it. Does nothing for device ``cpu``, on a machine
    without GPUs, and in a Slurm job, to which Slurm has assigned a GPU already.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Yields:
        The leased GPU, or None.
    """
    gpus = [] if device == "cpu" or "SLURM_JOB_ID" in os.environ else visible()
    if not gpus:
        yield None
        return
    gpu, lock = _acquired(gpus)
    before = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")}
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # nvidia-smi numbers GPUs by bus; CUDA numbers them by speed unless this variable is set.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    log.info("leased GPU %s", gpu)
    try:
        yield gpu
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        lock.release()


def _acquired(gpus: list[str]) -> tuple[str, "BaseFileLock"]:
    """The first GPU with a free place, an idle one before a shared one, and the lock that holds it."""
    from filelock import FileLock, Timeout

    default = Path(tempfile.gettempdir()) / f"adkd-gpus-{os.getuid()}"
    directory = Path(os.environ.get("ADKD_LEASE_DIR", default))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [(gpu, "" if number == 0 else f"+{number}") for number in range(jobs_per_gpu()) for gpu in gpus]
    waiting = False
    while True:
        for gpu, place in places:
            lock = FileLock(directory / (re.sub(r"[^\w.-]", "_", gpu) + place + ".lock"), mode=0o600)
            with suppress(Timeout):
                lock.acquire(timeout=0)
                return gpu, lock
        if not waiting:
            log.info("waiting for a free GPU among %s", ", ".join(gpus))
            waiting = True
        time.sleep(WAIT)
