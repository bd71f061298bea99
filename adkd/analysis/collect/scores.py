"""Gathers the metrics of every run into one table, the waist between running and analysing."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid, Run, read_grid
from adkd.base.errors import InputError
from adkd.base.files import new_file, read_json
from adkd.base.stale import refuse_stale
from adkd.data.tasks import task

COSTS = ("seconds", "peak_memory_bytes", "flops", "parameters")
"""What a run's training took: wall time, peak memory of its process (or GPU), counted operations, size of its model."""


def collect(grid: Path, out: Path) -> None:
    """Write ``out`` (``scores.csv``): columns ``method,task,seed,split,metric,value`` and ``COSTS``.

    Values are fractions. An undefined score (``null`` in the metrics file) is a blank. Either the whole plan is there
    or nothing is written.

    Raises:
        InputError: a run has no metrics, was told something else than the plan says, or lacks a score.
    """
    plan = read_grid(grid)
    missing = [run for run in plan.runs if not (run.result / "metrics.json").is_file()]
    if missing:
        raise InputError(
            f"{missing[0].result / 'metrics.json'} is missing ({len(missing)} of {len(plan.runs)} runs have no "
            f"metrics); make it with: {missing[0].command}"
        )
    rows = [row for run in plan.runs for row in _rows(plan, run)]
    table = pd.DataFrame(rows, columns=["method", "task", "seed", "split", "metric", "value", *COSTS])
    _check_same_splits(plan, table)
    with new_file(out) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _rows(plan: Grid, run: Run) -> list[tuple]:
    """The scores of one run on the plan's splits, in the order of the task table; what the run cost beside each."""
    path = run.result / "metrics.json"
    metrics = read_json(path)
    _check_spec(run, metrics.get("spec"))
    costs = [_cost(run, metrics, name) for name in COSTS]
    rows = []
    for role in plan.roles:
        for split in plan.splits(run.task, role):
            scores = metrics["scores"].get(split)
            if scores is None:
                if split in task(run.task).hidden:
                    continue
                raise InputError(f'{path} has no scores on "{split}"; make it anew with: {run.command}')
            for metric in task(run.task).metrics:
                if metric not in scores:
                    raise InputError(f'{path} has no "{metric}" on "{split}"; make it anew with: {run.command}')
                value = scores[metric]
                if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                    raise InputError(f"{path} says {metric} = {value!r} on {split}; a finite number is needed")
                rows.append((run.method, run.task, run.seed, split, metric, value, *costs))
    return rows


def _cost(run: Run, metrics: dict[str, Any], name: str) -> float:
    value = metrics.get(name)
    if not isinstance(value, int | float):
        path = run.result / "metrics.json"
        raise InputError(f"{path} has {value!r} as {name}, expected a number; make it anew with: {run.command}")
    return value


def _check_spec(run: Run, told: Any) -> None:
    """Refuse results of a run that was told something else than the plan says."""
    if not run.spec.is_file():
        raise InputError(f"{run.spec} is missing; make it with: adkd plan")
    planned = read_json(run.spec)
    # A point of an ablation is a run of its method: adkd+beta=0.0.
    method = {} if run.method == TEACHER else {"method": run.method.partition("+")[0]}
    expected = {"task": run.task} | method
    for key, value in expected.items():
        if planned.get(key) != value:
            raise InputError(f"{run.spec} says {key} {planned.get(key)!r}, the grid {value!r}; run: adkd plan")
    refuse_stale(run.result / "metrics.json", told, planned, run.command)


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
