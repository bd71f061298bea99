"""What the README tells a reader to write and to type works as it stands there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.workflow
def test_the_readmes_method_passes_the_contract_by_existing(tmp_path):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    ((path, code),) = re.findall(r"`(baselines/\w+\.py)`:\n\n```python\n(.*?)```", readme, re.DOTALL)
    for name in ("adkd", "baselines", "tests", "workflow", "pyproject.toml"):
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    (tmp_path / path).write_text(code, encoding="utf-8")
    contract = re.search(r"`pytest (tests/\S+\.py) -k", readme)[1]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", contract, "-k", Path(path).stem],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout[-3000:]
    passed = re.search(r"(\d+) passed", finished.stdout)
    assert int(passed[1]) >= 10, finished.stdout[-300:]
    assert "skipped" not in finished.stdout


@pytest.mark.parametrize(
    ("make", "targets"),
    [
        ("run", []),
        ("published", ["results/tables/published.md"]),
        ("ablation-beta", ["results/ablations/beta/figures/curve.png"]),
        ("sweep", ["sweep"]),
        ("tuning", ["tuning"]),
        ("report", ["all", "results/report.html"]),
    ],
)
def test_make_hands_config_files_and_targets_to_snakemake_as_what_they_are(make, targets):
    shown = subprocess.run(
        ["make", "-n", "--no-print-directory", make, "CONFIG=one.yaml two.yaml", "CORES=3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split(" > /dev/null && ") for line in shown.stdout.splitlines() if ".venv/bin/snakemake" in line]
    assert {check for check, _ in lines} == {".venv/bin/adkd plan --dry-run --config one.yaml --config two.yaml"}
    commands = [shlex.split(command) for _, command in lines]
    parsed = [get_argument_parser().parse_args(command[1:]) for command in commands]
    assert any(list(arguments.targets) == targets for arguments in parsed), shown.stdout
    for arguments in parsed:
        assert [str(path) for path in arguments.configfile] == ["one.yaml", "two.yaml"]
        assert arguments.cores in (3, "3")
