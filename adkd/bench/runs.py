"""Whole runs of AD-KD, the suite's and the published way, on real tasks: how long they take and what comes out."""

import logging
import time
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

from adkd.base.files import read_json
from adkd.bench.processes import adkd, child, planned
from adkd.data.batches import Examples
from adkd.data.metrics import floor
from adkd.data.tasks import task as task_named

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {
    "teacher": {"model": "minilm_l6", "batch_size": 8, "epochs": 4, "learning_rate": 1.5e-4, "margin": 0.0},
    "student": {"from_teacher_layers": [0, 1, 4]},
    "methods": ["adkd"],
    "reference": "adkd",
    "selection": "last",
    "predict": [],
    "device": "cpu",
    "settings": {"training": {"all": {"batch_size": 8, "epochs": 2, "learning_rate": 2e-4}}},
}
"""A run that fits into minutes: the embedded encoder of 6 x 384, a student of 3 x 384."""


def runs(
    glue: Path, threads: int, tasks: tuple[str, ...] = ("sst2", "mrpc", "rte"), train_rows: int = 480, seeds: int = 3
) -> dict[str, Any]:
    """Train students of both kinds in turn, same data, epochs, seeds and first weights.

    Args:
        glue: directory of GLUE's original files.
        threads: of every process.
        tasks: which of its tasks.
        train_rows: examples that teacher and students learn from.
        seeds: students of each kind.

    Returns:
        Task -> ``seconds`` of every process of ``adkd``, ``reference`` and ``signals``; ``ratio``: median of adkd over
        reference seed by seed, all of the signals counted in every run; ``scores``: main metric on dev after the last
        epoch, by seed; ``difference``: mean and standard deviation, over seeds, of adkd - reference; ``teacher``: its
        score; ``constant``: the score of the best constant answer, which tells whether anything was learned.
    """
    config = CONFIG | {
        "data": {"source": "directory", "path": str(glue.resolve()), "train_rows": train_rows},
        "tasks": list(tasks),
        "seeds": list(range(1, seeds + 1)),
        "threads": threads,
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        grid, _ = planned(folder, config)
        return {"config": config} | {task: _task(folder, grid.specs, task) for task in tasks}


def _task(folder: Path, specs: dict[str, Any], task: str) -> dict[str, Any]:
    metric = task_named(task).metrics[0]
    here = {result: spec for result, spec in specs.items() if spec.task == task}
    seconds: dict[str, Any] = {"adkd": [], "reference": [], "signals": 0.0}
    scores: dict[str, list[float]] = {"adkd": [], "reference": []}
    for result, spec in here.items():
        file = f"results/plan/{result}.json"
        if spec.stage != "student":
            took = adkd(folder, spec.stage, file)
            seconds["signals"] += took if spec.stage == "signals" else 0.0
            log.info("%s: %.0f s", result, took)
            continue
        seconds["adkd"].append(adkd(folder, "student", file))
        out, began = folder / f"{task}-{spec.seed}.json", time.perf_counter()
        child("-m", "adkd.bench.reference_run", file, str(out), folder=folder)
        seconds["reference"].append(round(time.perf_counter() - began, 3))
        scores["adkd"].append(read_json(folder / "results" / result / "metrics.json")["scores"]["validation"][metric])
        scores["reference"].append(read_json(out)["scores"][-1][metric])
        log.info(
            "%s: adkd %.1f s, %s %.4f; reference %.1f s, %.4f",
            *(result, seconds["adkd"][-1], metric, scores["adkd"][-1]),
            *(seconds["reference"][-1], scores["reference"][-1]),
        )
    differences = [a - b for a, b in zip(scores["adkd"], scores["reference"], strict=True)]
    pairs = zip(seconds["adkd"], seconds["reference"], strict=True)
    ratio = median((seconds["signals"] + ours) / theirs for ours, theirs in pairs)
    difference = {"mean": fmean(differences), "sd": stdev(differences)}
    found = {"metric": metric, "seconds": seconds, "ratio": ratio, "scores": scores, "difference": difference}
    return found | _around(folder, here, task, metric)


def _around(folder: Path, specs: dict[str, Any], task: str, metric: str) -> dict[str, float]:
    """The scores between which a student's lies."""
    (data,) = (result for result, spec in specs.items() if spec.stage == "data")
    (teacher,) = (result for result, spec in specs.items() if spec.stage == "teacher")
    labels = Examples.load(folder / "results" / data, "validation").labels.numpy()
    score = read_json(folder / "results" / teacher / "metrics.json")["scores"]["validation"][metric]
    return {"teacher": score, "constant": floor(task_named(task), labels)}
