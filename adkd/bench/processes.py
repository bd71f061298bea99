"""The suite's own commands, as processes that are timed from outside."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from adkd.base.errors import RunError
from adkd.plan import plan
from adkd.plan.checks import validate

REPOSITORY = Path(__file__).resolve().parents[2]


def planned(folder: Path, config: dict[str, Any]) -> tuple[plan.Plan, float]:
    """The plan of a config, written by ``adkd plan`` below ``folder``, and the seconds that this took."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    seconds = adkd(folder, "plan", "--config", "config.yaml")
    return plan.build(validate(config)), seconds


def adkd(folder: Path, *arguments: str) -> float:
    """Seconds that one command of the suite takes in ``folder``."""
    began = time.perf_counter()
    child("-m", "adkd", *arguments, folder=folder)
    return round(time.perf_counter() - began, 3)


def child(*arguments: str, folder: Path | None = None) -> str:
    """What this Python, in a process of its own that finds this suite, prints.

    Raises:
        RunError: it fails.
    """
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    call, variables = [sys.executable, *arguments], os.environ | {"PYTHONPATH": path}
    done = subprocess.run(call, cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{' '.join(arguments)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
