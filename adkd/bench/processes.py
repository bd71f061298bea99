"""The suite's own commands, run as processes and timed from outside."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from adkd.base.errors import RunError
from adkd.plan import plan, results
from adkd.plan.checks import validate

REPOSITORY = Path(__file__).resolve().parents[2]
SNAKEFILE = REPOSITORY / "Snakefile"
"""Part of a checkout, not of an installed package."""


def planned(folder: Path, config: dict[str, Any]) -> tuple[plan.Plan, float]:
    """The plan of a config, written below ``folder`` by ``adkd plan``, and the seconds that this took."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    seconds = adkd(folder, "plan", "--config", "config.yaml")
    return plan.build(validate(config)), seconds


def adkd(folder: Path, *arguments: str) -> float:
    """Seconds that one command of the suite takes in ``folder``."""
    began = time.perf_counter()
    child("-m", "adkd", *arguments, folder=folder)
    return round(time.perf_counter() - began, 3)


def child(*arguments: str, folder: Path | None = None) -> str:
    """The output of a new Python process that imports this suite.

    Raises:
        RunError: the process fails.
    """
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    variables = os.environ | {"PYTHONPATH": path, results.ROOT: "results"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{' '.join(arguments)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
