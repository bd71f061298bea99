"""Gathers the metrics of every run into one table, the waist between running and analysing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adkd.analysis.collect import csv_file
from adkd.analysis.stats.predictions import stored_columns
from adkd.base.errors import Diverged, InputError, missing
from adkd.data.metrics import answers, are_constant, floors, library
from adkd.data.tasks import task
from adkd.plan.grid import TEACHER, Grid, Run, predictions_on
from adkd.plan.specs import StudentSpec, TeacherSpec

FILE = "scores.csv"
COSTS = ("seconds", "peak_memory_bytes", "flops", "parameters")
"""What a run's training took: wall time, peak memory of its process (or GPU), counted operations, size of its model."""

CONSTANT, FAILED = "constant predictions", "no result"
"""What ``note`` says of a run whose predictions are the same for every example, and of one that was left out."""
COLUMNS = ("method", "task", "seed", "split", "metric", "value", *COSTS, "best_constant", "note")
TYPES = {"seed": str, "note": object} | dict.fromkeys(("value", *COSTS, "best_constant"), float)
"""Column -> its type, where pandas would guess: others are text."""

TOLERANCE = 1e-6
"""Largest difference of a recorded score from that of the stored predictions."""


def collect(grid: Grid, incomplete: bool = False) -> None:
    """Write ``scores.csv`` with ``COLUMNS``.

    Values are fractions, checked against the stored predictions. An undefined score (``null`` in the report) is a
    blank. ``best_constant`` is the score of the best constant answer. Either all runs of the plan are complete or
    nothing is written.

    Args:
        incomplete: whether runs without a report are left out: their scores are blank, their ``note`` says so.

    Raises:
        InputError: a run is missing, was made by another spec, lacks a score, or has one that its predictions do not
            give.
    """
    files = {run: grid.results.report_file(run.result, grid.stage(run)) for run in grid.runs}
    absent = [(run, file) for run, file in files.items() if not file.is_file()]
    if absent and (not incomplete or len(absent) == len(files)):
        run, file = absent[0]
        raise missing(f"{file} ({len(absent)} of {len(files)} runs have no report)", grid.command(run))
    lacking = {run for run, _ in absent}
    rows = [row for run in grid.runs for row in (_blanks(grid, run) if run in lacking else _rows(grid, run))]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    _check_same_splits(grid, table)
    csv_file.write(grid.out / FILE, table, [grid.file, *(file for run, file in files.items() if run not in lacking)])


def read_scores(grid: Grid) -> pd.DataFrame:
    """``scores.csv``, one row per (method, task, seed, split, metric); seeds are text.

    Raises:
        InputError: it is missing, or has no score for a run of the plan.
    """
    path, command = grid.out / FILE, f"adkd scores {grid.file}"
    scores = csv_file.read(path, command, COLUMNS, dtype=TYPES)
    there = set(zip(scores["method"], scores["task"], scores["seed"], strict=True))
    lacking = [run for run in grid.runs if (run.method, run.task, run.seed) not in there]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(grid.runs)} runs of the plan, first {lacking[0].result}",
            remedy=f"rebuild it with: {command}",
        )
    return scores


def _rows(grid: Grid, run: Run) -> list[tuple]:
    """The scores of one run on the plan's splits, in the order of the task table; what the run cost beside each."""
    report = grid.report(run)
    _check_run(grid, run, report.spec)
    costs = [getattr(report, name) for name in COSTS]
    remedy = f"rebuild it with: {grid.command(run)}"
    rows = []
    for role in grid.roles:
        for split in grid.splits(run.task, role):
            scores = report.scores.get(split)
            if scores is None:
                if split in task(run.task).hidden:
                    continue
                raise InputError(f'the report of {run.result} has no scores on "{split}"', remedy=remedy)
            for metric in task(run.task).metrics:
                if metric not in scores:
                    raise InputError(f'the report of {run.result} has no "{metric}" on "{split}"', remedy=remedy)
            file = report.file(grid.results.directory(run.result), predictions_on(split))
            best, constant = _checked(grid, run, split, scores, file)
            for metric in task(run.task).metrics:
                about = (*costs, best[metric], CONSTANT if constant else "")
                rows.append((run.method, run.task, run.seed, split, metric, scores[metric], *about))
    return rows


def _blanks(grid: Grid, run: Run) -> list[tuple]:
    """The rows of a run that has no report."""
    splits = [split for role in grid.roles for split in grid.splits(run.task, role)]
    return [
        (run.method, run.task, run.seed, split, metric, None, *[None] * (len(COSTS) + 1), FAILED)
        for split in splits
        if split not in task(run.task).hidden
        for metric in task(run.task).metrics
    ]


def finished_runs(grid: Grid) -> tuple[Run, ...]:
    """The runs of a grid, without those that ``scores.csv`` was made without; all of them if it was not made."""
    if not (grid.out / FILE).is_file():
        return grid.runs
    scores = read_scores(grid)
    rows = scores[scores["note"] == FAILED]
    failed = set(zip(rows["method"], rows["task"], rows["seed"], strict=True))
    return tuple(run for run in grid.runs if (run.method, run.task, run.seed) not in failed)


def _checked(
    grid: Grid, run: Run, split: str, recorded: Mapping[str, float | None], file: Path
) -> tuple[dict[str, float], bool]:
    """Scores of the best constant answer, and whether the predictions stored in ``file`` are constant.

    Raises:
        InputError: scores differ from those of the stored predictions by scikit-learn and scipy.
    """
    remedy = f"rebuild it with: {grid.command(run)}"
    columns = stored_columns(file)
    logits = np.stack([columns[f"logit_{number}"] for number in range(task(run.task).outputs)], axis=1)
    labels = columns["label"]
    try:
        predicted = answers(task(run.task), logits, labels)
    except Diverged as error:
        raise InputError(f"{file}: {error}", remedy=remedy) from None
    for metric, value in library(task(run.task), predicted, labels).items():
        score = recorded[metric]
        if score is not None and not abs(score - value) <= TOLERANCE:
            where = f"{metric} on {split} in the report of {run.result}"
            raise InputError(where, value=score, allowed=f"{value:.6f} by {file.name}", remedy=remedy)
    return floors(task(run.task), labels), are_constant(task(run.task), predicted)


def _check_run(grid: Grid, run: Run, spec: TeacherSpec | StudentSpec) -> None:
    """Refuse a spec of another task or method than the grid's."""
    # A point of an ablation is a run of its method: adkd+beta=0.0.
    expected = (run.task, TEACHER if run.method == TEACHER else run.method.partition("+")[0])
    planned = (spec.task, spec.method if isinstance(spec, StudentSpec) else TEACHER)
    if planned != expected:
        file = grid.results.plan_file(run.result)
        raise InputError(
            f"{file} is of {' '.join(planned)}, the grid has {' '.join(expected)}", remedy="run: adkd plan"
        )


def _check_same_splits(grid: Grid, table: pd.DataFrame) -> None:
    """Refuse a task whose runs are scored on different splits: their columns could not be compared."""
    splits = table.groupby(["task", "method", "seed"], sort=False)["split"].agg(lambda names: tuple(sorted(set(names))))
    for name in grid.tasks:
        if name in splits.index and (found := splits.loc[name]).nunique() > 1:
            (method, seed), names = next((key, value) for key, value in found.items() if value != found.iloc[0])
            raise InputError(
                f"the runs of {name} are scored on different splits: {method} seed {seed} on {', '.join(names)}, "
                f"others on {', '.join(found.iloc[0])}; remove the older results and run them again"
            )
