"""A Snakemake that is killed, and one that runs beside another."""

import os
import signal
import subprocess

import pytest
import yaml

from tests import forked
from tests.workflow.conftest import REPOSITORY, TINY, environment, snakemake

pytestmark = pytest.mark.workflow

TARGET = "results/data/stsb/data.json"


def test_a_killed_run_needs_no_unlock_and_no_other_config_gets_under_a_living_one(tmp_path):
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"data": {"max_length": 16}}))
    (tmp_path / "cache").mkdir()
    options = ["--snakefile", REPOSITORY / "Snakefile", "--cores", "1", TARGET, "--configfile", TINY]
    begun = subprocess.Popen(
        [*forked.start("snakemake"), *map(str, options)],
        cwd=tmp_path,
        env=environment(tmp_path / "cache"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert any("rule data" in line for line in begun.stderr)
    os.kill(begun.pid, signal.SIGSTOP)
    plan = {file: file.read_bytes() for file in tmp_path.glob("results/plan/**/*.json")}
    refused = snakemake(TARGET, "--configfile", TINY, tmp_path / "other.yaml", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"(process {begun.pid} on" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert {file: file.read_bytes() for file in tmp_path.glob("results/plan/**/*.json")} == plan
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    begun.stderr.close()
    again = snakemake(TARGET, "--configfile", TINY, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / TARGET).exists()
