"""Stages, carried out from their spec files: one by one by the workflow, or for one run all that it stands on."""

import gc
import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from adkd.base import devices
from adkd.base.files import read_json, write_if_changed
from adkd.plan import plan
from adkd.plan.specs import Spec, module

FUNCTIONS = {
    "data": "prepare",
    "teacher": "train",
    "signals": "compute",
    "student": "train",
    "trial": "run",
    "round": "ask",
    "worker": "work",
    "sweep": "write",
    "explanation": "explain",
    "latency": "measure",
}
"""Stage -> the function of its module that carries it out, given a spec and where its result goes."""
TRAIN_NOTHING = ("data", "round", "sweep")
"""Stages that need no device."""


def make(path: Path, stage: str) -> None:
    """Carry out one stage from its spec file. A GPU is leased before torch is imported.

    What the libraries bring in stays to the end: the garbage collector is kept from searching it, while it is imported
    and again when the process ends, which took two seconds of every job.

    Raises:
        InputError: the file is not the spec of such a stage, or what it says cannot be carried out.
        RunError: the run failed. No result is left behind.
    """
    spec, out = plan.read_spec(path, stage), plan.result_of(path)
    if stage == "trial" and is_up_to_date(spec, out):
        logging.info("%s is up to date", out)
        return
    if stage in TRAIN_NOTHING:
        _function(stage)(spec, out)
        return
    with devices.lease(spec["device"]):
        gc.disable()
        work = _function(stage)
        gc.freeze()
        gc.enable()
        work(spec, out)
        gc.collect()  # of the work itself; what was imported is not looked at


def is_up_to_date(spec: Spec, out: Path) -> bool:
    """Whether the result of just this spec is there, no older than what it is made from."""
    try:
        report = out / plan.RESULT_FILE[spec["stage"]]
        made = report.stat().st_mtime_ns
        older = all(
            (Path(path) / plan.RESULT_FILE[stage]).stat().st_mtime_ns <= made for stage, path in plan.inputs(spec)
        )
        return older and read_json(report)["spec"] == spec
    except (OSError, ValueError, LookupError):
        return False


def make_run(config: Mapping[str, Any], method: str, task: str, seed: int, root: Path = Path("results")) -> Path:
    """Make one student and all that it stands on, as far as it is not there yet; returns its ``metrics.json``.

    Args:
        config: not yet validated; its methods, tasks and seeds do not count.

    Raises:
        InputError, RunError: as ``make``; and the config has a mistake.
    """
    asked = {"methods": [method], "tasks": [task], "seeds": [seed], "reference": method, "ablations": {}}
    planned = plan.build(plan.validate({**config, **asked}), root)
    (run,) = planned.main["runs"]
    result = Path(run["result"]).relative_to(root).as_posix()
    make_all({name: planned.specs[name] for name in [*planned.needed(result), result]}, root)
    return root / result / plan.RESULT_FILE["student"]


def make_all(specs: Mapping[str, Spec], root: Path) -> None:
    """Make results from their specs, in this order, as far as they are not there yet.

    Raises:
        InputError, RunError: as ``make``.
    """
    made: set[str] = set()
    for result, spec in specs.items():
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


def _function(stage: str) -> Callable[[Spec, Path], None]:
    """What carries out a stage; its module is imported."""
    return getattr(import_module(module(stage)), FUNCTIONS[stage])
