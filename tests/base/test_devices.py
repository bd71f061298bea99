"""GPU leases between processes. The GPUs are names only and need not exist."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from itertools import pairwise

import pytest

from adkd.base import devices
from adkd.base.errors import InputError

HOLD = """
import logging, os, sys, time
logging.basicConfig(level=logging.INFO, format="%(message)s")
from adkd.base import devices
with devices.lease(sys.argv[1]) as gpu:
    assert "torch" not in sys.modules
    start = time.monotonic()
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(float(sys.argv[2]))
    print(gpu, start, time.monotonic(), flush=True)
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """The names of two GPUs, and a directory of locks that no other process uses."""
    monkeypatch.setenv("ADKD_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def start(seconds: float, device: str = "auto") -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, device, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_waiting(job: subprocess.Popen) -> bool:
    """Blocks until the job reports that no GPU is free; False if it gets one instead."""
    return job.stderr.readline().startswith("waiting for a free GPU")


def test_never_two_jobs_on_one_gpu(gpus):
    jobs = [start(0.1) for _ in range(6)]
    spans = {"4": [], "7": []}
    for job in jobs:
        out, err = job.communicate(timeout=60)
        assert job.returncode == 0, err
        gpu, begin, end = out.splitlines()[1].split()
        assert out.splitlines()[0] == gpu
        assert f"leased GPU {gpu}" in err.splitlines()
        spans[gpu].append((float(begin), float(end)))
    assert sum(map(len, spans.values())) == 6
    for of_gpu in spans.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(sorted(of_gpu)))


def test_jobs_share_a_gpu_up_to_the_limit_and_idle_gpus_come_first(gpus, monkeypatch):
    monkeypatch.setenv(devices.JOBS_PER_GPU, "2")
    jobs, places = [], []
    with ExitStack() as stack:
        for _ in range(4):
            jobs.append(start(60))
            stack.callback(jobs[-1].communicate)
            stack.callback(jobs[-1].kill)
            places.append(jobs[-1].stdout.readline())
        assert places == ["4\n", "7\n", "4\n", "7\n"]
        fifth = start(0)
        assert is_waiting(fifth)
        jobs[1].kill()
        assert fifth.communicate(timeout=20)[0].startswith("7\n")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", ""])
def test_a_wrong_number_of_jobs_per_gpu_is_named(gpus, monkeypatch, value):
    monkeypatch.setenv(devices.JOBS_PER_GPU, value)
    with pytest.raises(InputError) as caught, devices.lease("auto"):
        pass
    assert caught.value.what == f"ADKD_JOBS_PER_GPU={value}"


def test_a_killed_job_frees_its_gpu(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    job = start(60)
    assert job.stdout.readline() == "4\n"
    waiting = start(0)
    assert is_waiting(waiting)
    job.send_signal(signal.SIGKILL)
    out, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 0, err
    assert out.startswith("4\n")
    job.communicate()


def test_the_environment_is_restored(gpus):
    with devices.lease("cuda") as first:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == first == "4"
        assert os.environ["CUDA_DEVICE_ORDER"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,7"


@pytest.mark.parametrize("why", ["cpu", "slurm", "none"])
def test_nothing_is_leased_without_a_shared_gpu(gpus, monkeypatch, tmp_path, why):
    if why == "slurm":
        monkeypatch.setenv("SLURM_JOB_ID", "1")
    if why == "none":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    before = dict(os.environ)
    with devices.lease("cpu" if why == "cpu" else "auto") as gpu:
        assert gpu is None
        assert dict(os.environ) == before
    assert not (tmp_path / "leases").exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4,7", ["4", "7"]), (" 0 , 1", ["0", "1"]), ("", []), ("-1", []), ("0,-1,1", ["0"]), ("2,2", ["2"])],
)
def test_visible_gpus_are_those_that_cuda_would_see(monkeypatch, value, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert devices.visible() == expected


def test_without_a_driver_there_is_no_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.visible() == []


def test_gpus_are_counted_as_the_driver_lists_them(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 0\necho 1\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert devices.visible() == ["0", "1"]
