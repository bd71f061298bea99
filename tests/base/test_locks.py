"""One scheduler per tree of results, and jobs that end with it. Real processes, really killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from adkd.base import locks
from adkd.base.errors import InputError

CLAIM = """
import subprocess, sys, time
from pathlib import Path
from adkd.base import locks
job = 'import sys, time; from pathlib import Path; from adkd.base import locks\\nwith locks.job(Path(sys.argv[1])):\\n'
job += '    print("job", flush=True); time.sleep(60)'
with locks.claimed(Path(sys.argv[1])) as token:
    subprocess.Popen(["bash", "-c", '"$0" -c "$1" "$2"; true', sys.executable, job, sys.argv[1]],
        env={"PYTHONPATH": ":".join(sys.path), locks.SCHEDULER: token, **dict(arg.split("=") for arg in sys.argv[2:])})
    time.sleep(60)
"""


@pytest.fixture
def scheduler(tmp_path):
    """Starts a scheduler that has one job, below a shell; both are killed in the end."""
    started = []

    def start(*variables: str) -> subprocess.Popen:
        own = {"start_new_session": True, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", CLAIM, tmp_path, *variables], **own))
        assert started[-1].stdout.readline() == "job\n"
        return started[-1]

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def jobs_run(root) -> bool:
    with locks._opened(root / ".jobs.lock") as file:
        return not locks._is_taken(file)


@pytest.mark.workflow
def test_a_second_scheduler_is_told_who_is_there(scheduler, tmp_path):
    holder = scheduler()
    with pytest.raises(InputError, match=f"process {holder.pid} on") as caught, locks.claimed(tmp_path):
        pass
    assert "is in use by" in caught.value.what
    assert "ADKD_RESULTS" in caught.value.remedy
    with locks.job(tmp_path):  # a job by hand may run
        pass


@pytest.mark.workflow
def test_a_job_dies_with_its_scheduler_and_a_restart_waits_for_it(scheduler, tmp_path):
    holder = scheduler()
    assert jobs_run(tmp_path)
    holder.kill()
    with locks.claimed(tmp_path) as token:
        assert not jobs_run(tmp_path)
    assert token


@pytest.mark.workflow
def test_a_job_of_a_cluster_outlives_its_scheduler(scheduler, tmp_path):
    holder = scheduler(f"{locks.REMOTE}=1")
    holder.kill()
    time.sleep(2 * locks.WATCH)
    assert jobs_run(tmp_path)
    with locks.claimed(tmp_path, beside_jobs=True):  # which is what `adkd plan` does
        pass


def test_a_late_job_does_not_run_beside_another_scheduler(scheduler, tmp_path, monkeypatch):
    holder = scheduler()
    monkeypatch.setenv(locks.SCHEDULER, "an earlier one")
    with pytest.raises(InputError, match=f"has ended, and .* \\(process {holder.pid} on"), locks.job(tmp_path):
        pass


def test_without_locks_a_warning_says_so(tmp_path, monkeypatch, caplog):
    def flock(*_):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with locks.claimed(tmp_path) as token:
        assert token is None
    assert "without locks" in caplog.text
    monkeypatch.setenv(locks.SCHEDULER, "somebody")
    with locks.job(tmp_path):
        pass


def test_the_holder_is_named_whatever_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/snakemake", "--configfile", "a b.yaml", "ü\n"])
    with locks.claimed(tmp_path), open(tmp_path / ".lock", "rb") as file:
        holder = locks.Holder.of(file)
    assert holder.pid == os.getpid()
    assert holder.command == "snakemake --configfile 'a b.yaml' 'ü '"
