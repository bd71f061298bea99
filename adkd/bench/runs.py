"""Whole runs of AD-KD on real tasks, by the suite and by the published implementation: their times and scores."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

from adkd.base.files import read_json
from adkd.base.stage_records import Spec
from adkd.bench.processes import adkd, child, planned
from adkd.data.batches import Examples
from adkd.data.metrics import floor
from adkd.data.tasks import task as task_named
from adkd.plan.plan import Plan

log = logging.getLogger(__name__)


def runs(glue: Path, threads: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """Train students of the suite and of the published implementation in turns: same data, epochs, seeds and first
    weights.

    Args:
        glue: directory of GLUE's original files.
        threads: of every process.
        config: a run config of ``adkd`` on some tasks, with at least two seeds.

    Returns:
        Task -> ``seconds`` of every process of ``adkd``, ``reference`` and ``signals``; ``ratio``: median over seeds of
        adkd over reference, with the whole time of the signals added to every run; ``scores``: main metric on dev
        after the last epoch, by seed; ``difference``: mean and standard deviation, over seeds, of adkd - reference;
        ``teacher``: its score; ``constant``: the score of the best constant answer, which a trained model has to beat.
    """
    data = dict(config["data"]) | {"source": "directory", "path": str(glue.resolve())}
    config = dict(config) | {"data": data, "threads": threads}
    with TemporaryDirectory() as name:
        folder = Path(name)
        plan, _ = planned(folder, config)
        return {"config": config} | {task: _task(folder, plan, task) for task in config["tasks"]}


def _task(folder: Path, plan: Plan, task: str) -> dict[str, Any]:
    metric = task_named(task).metrics[0]
    students = [run.result for run in plan.grid().students if run.task == task]
    seconds: dict[str, Any] = {"adkd": [], "reference": [], "signals": 0.0}
    for result in plan.needed(students[0]):
        stage = plan.specs[result].stage
        took = adkd(folder, stage, _spec_file(result))
        seconds["signals"] += took if stage == "signals" else 0.0
        log.info("%s: %.0f s", result, took)
    scores: dict[str, list[float]] = {"adkd": [], "reference": []}
    for number, result in enumerate(students):
        seconds["adkd"].append(adkd(folder, "student", _spec_file(result)))
        scores["adkd"].append(_score(folder, result, metric))
        reference, began = folder / f"{task}-{number}.json", time.perf_counter()
        child("-m", "adkd.bench.reference_run", _spec_file(result), str(reference), folder=folder)
        seconds["reference"].append(round(time.perf_counter() - began, 3))
        scores["reference"].append(read_json(reference)["scores"][-1][metric])
        log.info(
            "%s: adkd %.1f s, %s %.4f; reference %.1f s, %.4f",
            *(result, seconds["adkd"][-1], metric, scores["adkd"][-1]),
            *(seconds["reference"][-1], scores["reference"][-1]),
        )
    differences = [a - b for a, b in zip(scores["adkd"], scores["reference"], strict=True)]
    pairs = zip(seconds["adkd"], seconds["reference"], strict=True)
    ratio = median((seconds["signals"] + ours) / theirs for ours, theirs in pairs)
    difference = {"mean": fmean(differences), "sd": stdev(differences)}
    measured = {"metric": metric, "seconds": seconds, "ratio": ratio, "scores": scores, "difference": difference}
    return measured | _bounds(folder, [plan.specs[result] for result in plan.needed(students[0])], task, metric)


def _bounds(folder: Path, specs: list[Spec], task: str, metric: str) -> dict[str, float]:
    """The scores of the teacher and of the best constant answer; a student's score lies between them."""
    (data,) = (spec.result for spec in specs if spec.stage == "data")
    (teacher,) = (spec.result for spec in specs if spec.stage == "teacher")
    labels = Examples.load(folder / "results" / data, "validation").labels.numpy()
    return {"teacher": _score(folder, teacher, metric), "constant": floor(task_named(task), labels)}


def _spec_file(result: str) -> str:
    return f"results/plan/{result}.json"


def _score(folder: Path, result: str, metric: str) -> float:
    return read_json(folder / "results" / result / "metrics.json")["scores"]["validation"][metric]
