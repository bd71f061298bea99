"""Stages, carried out from their spec files: one by one by the workflow, or for one run all that it stands on."""

import gc
import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from adkd import devices, plan
from adkd.config import Config
from adkd.files import read_json, write_if_changed
from adkd.specs import Spec, module

FUNCTIONS = {
    "data": "prepare",
    "teacher": "train",
    "signals": "compute",
    "student": "train",
    "explanation": "explain",
    "latency": "measure",
}
"""Stage -> the function of its module that carries it out, given a spec and where its result goes."""


def make(path: Path, stage: str) -> None:
    """Carry out one stage from its spec file. A GPU is leased before torch is imported.

    What the libraries bring in stays to the end: the garbage collector is kept from searching it, while it is imported
    and again when the process ends, which took two seconds of every job.

    Raises:
        InputError: the file is not the spec of such a stage, or what it says cannot be carried out.
        RunError: the run failed. No result is left behind.
    """
    spec, out = plan.read_spec(path, stage), plan.result_of(path)
    if stage == "data":
        _function(stage)(spec, out)
        return
    with devices.lease(spec["device"]):
        gc.disable()
        work = _function(stage)
        gc.freeze()
        gc.enable()
        work(spec, out)
        gc.collect()  # of the work itself; what was imported is not looked at


def make_run(config: Config, method: str, task: str, seed: int, root: Path = Path("results")) -> Path:
    """Make one student and all that it stands on, as far as it is not there yet; returns its ``metrics.json``.

    Args:
        config: not yet validated; its methods, tasks and seeds do not count.

    Raises:
        InputError, RunError: as ``make``; and the config has a mistake.
    """
    asked = {"methods": [method], "tasks": [task], "seeds": [seed], "reference": method, "ablations": {}}
    made: set[str] = set()
    for result, spec in plan.specs(plan.validate(config | asked), root).items():
        if spec["stage"] not in plan.TRAINING_STAGES:
            continue
        path = root / "plan" / f"{result}.json"
        report = root / result / plan.RESULT_FILE[spec["stage"]]
        fresh = report.exists() and read_json(report)["spec"] == spec and not made & set(plan.upstream(spec))
        write_if_changed(path, spec)
        if fresh:
            logging.info("%s is up to date", report.parent)
            continue
        logging.info("making %s", report.parent)
        make(path, spec["stage"])
        made.add(str(report.parent))
    return report


def _function(stage: str) -> Callable[[Spec, Path], None]:
    """What carries out a stage; its module is imported."""
    return getattr(import_module(module(stage)), FUNCTIONS[stage])
