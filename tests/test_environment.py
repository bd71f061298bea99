"""One set of pins: what `make` installs and what conda installs."""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]


def pins(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_conda_and_make_install_the_same_versions():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == pins((REPOSITORY / "requirements.txt").read_text())


def test_every_requirement_is_an_exact_pin_that_conda_can_read():
    """Snakemake copies environment.yml elsewhere, so that ``-r`` and ``-e`` find nothing there."""
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in pins((REPOSITORY / file).read_text()):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line), f"{file}: {line}"
