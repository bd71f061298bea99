"""The process of a training job: device, threads, determinism, and what a result records of these."""

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
from adkd.plan.specs import RunSpec

log = logging.getLogger(__name__)

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "numpy", "scipy", "scikit-learn")


def start(device: str, threads: int, seed: int) -> torch.device:
    """Set the number of threads, determinism and the global seed, and choose the device.

    Args:
        device: auto, cpu or cuda.
        threads: of the CPU.
        seed: of dropout.

    Raises:
        InputError: the device is ``cuda`` and torch finds no GPU.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise InputError("device", value="cuda", allowed="auto or cpu on a machine where torch finds no GPU")
    chosen = torch.device("cuda" if has_gpu and device != "cpu" else "cpu")
    make_deterministic(chosen)
    log.info("device %s, %d threads", chosen, torch.get_num_threads())
    return chosen


def start_run(spec: RunSpec) -> torch.device:
    """The same for a run, by its spec."""
    return start(spec.device, spec.threads, derived(spec.task, spec.seed, "dropout"))


def make_deterministic(device: torch.device) -> None:
    """Make equal inputs give equal results, bit for bit. The operations used here are always deterministic on a CPU."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """Within the block, a GPU rounds the factors of float32 matrix products to 10 bits (TF32) and sums in float32.

    Used for training steps only. Passes in bfloat16 round to 7 bits anyway. A gradient of a gradient would underflow
    in bfloat16; TF32 computes it at the same speed, with a tenth of the relative error (docs/performance.md).
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
    """Let glibc keep freed large blocks, instead of returning them to the system and paging them in at the next step.

    The gradient of an embedding matrix is such a block in every step. On a CPU this saves a fifth of a small step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc
    m_trim_threshold, m_mmap_max = -1, -4  # malloc.h
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)  # never


def provenance(device: torch.device) -> dict[str, Any]:
    """What a result records about the process and the machine that computed it."""
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
    """Peak memory so far in bytes: on the GPU, or of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def git_commit() -> str | None:
    """The commit of the suite's own checkout, with ``+`` if files have been changed since; None outside of git."""
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
