"""Gathers the metrics of every run into one table, the waist between running and analysing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adkd.analysis.grid import TEACHER, Grid, Run, read_grid
from adkd.analysis.stats.predictions import stored_columns
from adkd.base.errors import InputError, missing
from adkd.base.files import new_file
from adkd.data.metrics import answers, library
from adkd.data.tasks import task
from adkd.plan.specs import StudentSpec, TeacherSpec

COSTS = ("seconds", "peak_memory_bytes", "flops", "parameters")
"""What a run's training took: wall time, peak memory of its process (or GPU), counted operations, size of its model."""
TOLERANCE = 1e-6
"""Largest difference of a recorded score from that of the stored predictions."""


def collect(grid: Path, out: Path) -> None:
    """Write ``out`` (``scores.csv``): columns ``method,task,seed,split,metric,value`` and ``COSTS``.

    Values are fractions, checked against the stored predictions. An undefined score (``null`` in the report) is a
    blank. Either all runs of the plan are complete or nothing is written.

    Raises:
        InputError: a run has no report or one of another spec, lacks a score, or has one that its predictions do not
            give.
    """
    plan = read_grid(grid)
    files = {run: plan.results.report_file(run.result, plan.stage(run)) for run in plan.runs}
    if absent := [(run, file) for run, file in files.items() if not file.is_file()]:
        run, file = absent[0]
        raise missing(f"{file} ({len(absent)} of {len(files)} runs have no report)", plan.command(run))
    rows = [row for run in plan.runs for row in _rows(plan, run)]
    table = pd.DataFrame(rows, columns=["method", "task", "seed", "split", "metric", "value", *COSTS])
    _check_same_splits(plan, table)
    with new_file(out) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _rows(plan: Grid, run: Run) -> list[tuple]:
    """The scores of one run on the plan's splits, in the order of the task table; what the run cost beside each."""
    report = plan.report(run)
    _check_run(plan, run, report.spec)
    costs = [getattr(report, name) for name in COSTS]
    remedy = f"rebuild it with: {plan.command(run)}"
    rows = []
    for role in plan.roles:
        for split in plan.splits(run.task, role):
            scores = report.scores.get(split)
            if scores is None:
                if split in task(run.task).hidden:
                    continue
                raise InputError(f'the report of {run.result} has no scores on "{split}"', remedy=remedy)
            for metric in task(run.task).metrics:
                if metric not in scores:
                    raise InputError(f'the report of {run.result} has no "{metric}" on "{split}"', remedy=remedy)
                rows.append((run.method, run.task, run.seed, split, metric, scores[metric], *costs))
            _check_scores(plan, run, split, scores)
    return rows


def _check_scores(plan: Grid, run: Run, split: str, recorded: Mapping[str, float | None]) -> None:
    """Refuse scores that differ from those of the stored predictions by scikit-learn and scipy."""
    remedy = f"rebuild it with: {plan.command(run)}"
    file = plan.predictions(run, split)
    if not file.is_file():
        raise InputError(f"{file} is missing", remedy=remedy)
    columns = stored_columns(file)
    logits = np.stack([columns[f"logit_{number}"] for number in range(task(run.task).outputs)], axis=1)
    labels = columns["label"]
    for metric, value in library(task(run.task), answers(task(run.task), logits, labels), labels).items():
        score = recorded[metric]
        if score is not None and not abs(score - value) <= TOLERANCE:
            where = f"{metric} on {split} in the report of {run.result}"
            raise InputError(where, value=score, allowed=f"{value:.6f} by {file.name}", remedy=remedy)


def _check_run(plan: Grid, run: Run, spec: TeacherSpec | StudentSpec) -> None:
    """Refuse a spec of another task or method than the grid's."""
    # A point of an ablation is a run of its method: adkd+beta=0.0.
    expected = (run.task, TEACHER if run.method == TEACHER else run.method.partition("+")[0])
    planned = (spec.task, spec.method if isinstance(spec, StudentSpec) else TEACHER)
    if planned != expected:
        file = plan.results.plan_file(run.result)
        raise InputError(
            f"{file} is of {' '.join(planned)}, the grid has {' '.join(expected)}", remedy="run: adkd plan"
        )


def _check_same_splits(plan: Grid, table: pd.DataFrame) -> None:
    """Refuse a task whose runs are scored on different splits: their columns could not be compared."""
    splits = table.groupby(["task", "method", "seed"], sort=False)["split"].agg(lambda names: tuple(sorted(set(names))))
    for name in plan.tasks:
        if name in splits.index and (found := splits.loc[name]).nunique() > 1:
            (method, seed), names = next((key, value) for key, value in found.items() if value != found.iloc[0])
            raise InputError(
                f"the runs of {name} are scored on different splits: {method} seed {seed} on {', '.join(names)}, "
                f"others on {', '.join(found.iloc[0])}; remove the older results and run them again"
            )
