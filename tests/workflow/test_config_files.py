"""Snakemake reports what is wrong with a config file as ``adkd`` does, with file and line."""

import pytest

from tests.workflow.conftest import TINY, command, snakemake


@pytest.mark.workflow
def test_snakemake_and_adkd_name_the_same_line(tmp_path):
    (tmp_path / "twice.yaml").write_text(f"{TINY.read_text()}\nseeds: [3]\n")
    lines = (tmp_path / "twice.yaml").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith("seeds:"))
    message = f"twice.yaml:{len(lines)}: seeds stands twice; first in line {first}"
    by_hand = command("adkd", "plan", "--config", "twice.yaml", cwd=tmp_path)
    assert (by_hand.returncode, by_hand.stderr) == (2, f"error: {message}\n")
    by_workflow = snakemake("-n", "--configfile", "twice.yaml", cwd=tmp_path)
    assert by_workflow.returncode == 1
    assert message in (by_workflow.stdout + by_workflow.stderr).splitlines()


@pytest.mark.workflow
def test_values_of_the_command_line_go_over_the_files(tmp_path):
    done = snakemake("-n", "--configfile", TINY, "--config", "threads=0", cwd=tmp_path)
    assert any(
        line.startswith("threads must be an integer at least 1") for line in (done.stdout + done.stderr).splitlines()
    )
