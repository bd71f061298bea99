"""A wheel built from this repository works from any directory, in an environment that does not know the repository."""

import os
import shutil
import site
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest

from adkd.base.files import read_json

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).parents[1]


def call(*command: object, cwd: Path) -> str:
    """Run a command that finds no suite by ``PYTHONPATH``, and return its output."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository without anything that an earlier build left in it."""
    copy = tmp_path_factory.mktemp("sources") / "repository"
    ignored = shutil.ignore_patterns(".git", ".venv", ".snakemake", "__pycache__", "*.egg-info", "build", "results")
    shutil.copytree(REPOSITORY, copy, symlinks=True, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def environment(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; it finds the packages of this one, but nothing installed as editable."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--quiet", "--no-deps", "--no-index"]
    call(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, sources, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    call(*pip, "--python", folder / "venv/bin/python", "install", *offline, wheel, cwd=folder)
    (packages,) = folder.glob("venv/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "venv"


def test_the_suite_runs_from_a_wheel_in_any_directory(environment, tmp_path):
    adkd = environment / "bin" / "adkd"
    file = call(environment / "bin/python", "-c", "import adkd; print(adkd.__file__)", cwd=tmp_path)
    assert Path(file).is_relative_to(environment)
    assert "vanilla_kd: " in call(adkd, "methods", cwd=tmp_path)
    assert "stsb " in call(adkd, "tasks", cwd=tmp_path)
    assert not list(tmp_path.iterdir())
    call(adkd, "plan", cwd=tmp_path)
    call(adkd, "plan", "--config", REPOSITORY / "workflow/config/tiny.yaml", cwd=tmp_path)
    said = call(adkd, "run", "--method", "vanilla_kd", "--task", "stsb", "--config", "tiny", cwd=tmp_path)
    report = read_json(tmp_path / "results/students/vanilla_kd/stsb/seed-1/metrics.json")
    for name, value in report["scores"]["validation"].items():
        assert f"{name} {value:.4f}" in said
    assert report["git_commit"] is None, "the checkout around an environment is not the suite's"


def test_a_wheel_holds_every_file_of_the_packages(environment, sources):
    (packages,) = environment.glob("lib/python*/site-packages")
    assert files(packages) == files(sources)


def files(root: Path) -> set[str]:
    """The files of the suite's packages below a directory, links followed."""
    names = (name for package in ("adkd", "baselines") for name in glob(f"{package}/**", root_dir=root, recursive=True))
    return {name for name in names if (root / name).is_file() and not name.endswith(".pyc")}
