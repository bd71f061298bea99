"""The process a training job runs in: device, threads, determinism, and what of it a result records."""

import ctypes
import logging
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from adkd.base.errors import InputError
from adkd.base.seeds import derived

log = logging.getLogger(__name__)

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "numpy", "scipy", "scikit-learn")


def start(spec: dict[str, Any]) -> torch.device:
    """Set threads, determinism and the global seed once, and choose the device.

    Args:
        spec: reads ``device`` (auto, cpu or cuda), ``threads``, ``task`` and ``seed``.

    Raises:
        InputError: CUDA is asked for and there is none.
    """
    keep_freed_memory()
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(derived(spec["task"], spec["seed"], "dropout"))
    found = torch.cuda.is_available()
    if spec["device"] == "cuda" and not found:
        raise InputError('device: "cuda" is asked for, and torch finds none (allowed here: auto, cpu)')
    device = torch.device("cuda" if found and spec["device"] != "cpu" else "cpu")
    make_deterministic(device)
    log.info("device %s, %d threads", device, torch.get_num_threads())
    return device


def make_deterministic(device: torch.device) -> None:
    """Equal inputs give equal results, bit for bit. On a CPU all that is used here is deterministic as it is."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """Within the block, a GPU rounds the factors of float32 matrix products to 10 bits (TF32) and adds up in float32.

    For training steps alone. What passes in bfloat16 is rounded to 7 bits anyway; a gradient of a gradient, which would
    underflow there, is computed at the same rate this way, its relative error a tenth of theirs (docs/performance.md).
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def keep_freed_memory() -> None:
    """Let glibc keep large blocks that were freed, instead of giving them back and paging them in at the next step.

    The gradient of an embedding matrix alone is such a block in every step; on a CPU this saves a fifth of a small one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc
    m_trim_threshold, m_mmap_max = -1, -4  # malloc.h
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)  # never


def provenance(device: torch.device) -> dict[str, Any]:
    """What a result records of the process and the machine it was made by."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "prefix": sys.prefix,
        "versions": {package: version(package) for package in PACKAGES},
        "git_commit": git_commit(),
        "peak_memory_bytes": peak_memory(device),
    }


def peak_memory(device: torch.device) -> int:
    """Peak memory so far in bytes: of the GPU, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def git_commit() -> str | None:
    """The commit of the suite's own checkout, with ``+`` if files differ from it; None outside of git."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # an installed package: the checkout around its environment is not the suite
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
