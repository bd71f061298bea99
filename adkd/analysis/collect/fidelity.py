"""Fidelity: how far students took over their teachers' reasons, and how faithful all these reasons are."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from adkd.analysis.collect import explanations
from adkd.analysis.collect.explanations import Explanations
from adkd.analysis.grid import TEACHER, Grid, Run, read_grid
from adkd.base.errors import InputError
from adkd.base.files import new_file
from adkd.plan.specs import ExplainSpec

COLUMNS = ["method", "task", "seed", "split", "measure", "value", "rows"]


def collect(grid: Path, out: Path) -> None:
    """Write ``out`` (``fidelity.csv``) with ``COLUMNS``: one row per run and measure, ``rows`` examples behind each.

    A teacher has the measures of faithfulness alone. An undefined value is a blank with 0 rows. Either every planned
    explanation is there or nothing is written.

    Raises:
        InputError: an explanation is missing, was told something else than the plan says, or is of other examples than
            the teacher's; or none is planned.
    """
    plan = read_grid(grid)
    runs = _explained(plan)
    missing = [run for run in runs if not explanations.report_file(plan, run).is_file()]
    if missing:
        raise InputError(
            f"{explanations.report_file(plan, missing[0])} is missing ({len(missing)} of {len(runs)} runs are not "
            f"explained); make it with: {explanations.command(plan, missing[0])}"
        )
    teachers = {(run.task, run.seed): run for run in runs if run.method == TEACHER}

    @cache
    def of_teacher(run: Run) -> Explanations:
        return explanations.read(plan, run)

    rows: list[tuple] = []
    for run in runs:
        split = explanations.spec_of(plan, run).split
        if run.method == TEACHER:
            found = of_teacher(run).own
        else:
            teacher = _teacher(teachers, run)
            found = _fidelity(plan, run, of_teacher(teacher), teacher)
        rows += [(run.method, run.task, run.seed, split, name, *value) for name, value in found.items()]
    with new_file(out) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False, lineterminator="\n")


def read(grid: Grid, path: Path) -> pd.DataFrame:
    """``fidelity.csv`` as ``collect`` writes it; seeds are text.

    Raises:
        InputError: it is missing, or lacks an explained run of the plan.
    """
    again = f"adkd fidelity {grid.file}"
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with: {again}")
    table = pd.read_csv(path, dtype={"seed": str})
    there = set(zip(table["method"], table["task"], table["seed"], strict=True))
    runs = _explained(grid)
    lacking = [run for run in runs if (run.method, run.task, run.seed) not in there]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(runs)} runs of the plan, first {lacking[0].result}; "
            f"make it anew with: {again}"
        )
    return table


def specs(plan: Grid) -> list[ExplainSpec]:
    """The specs of all planned explanations."""
    return [explanations.spec_of(plan, run) for run in _explained(plan)]


def _explained(plan: Grid) -> list[Run]:
    """The runs whose explanations are planned, teachers first."""
    runs = [run for run in plan.runs if run.explanation]
    if not runs:
        raise InputError(f"{plan.file} has no explanations: without a teacher there are no reasons to take over")
    return runs


def _teacher(teachers: dict[tuple[str, str], Run], run: Run) -> Run:
    """The teacher whose reasons a student is held against, whether or not its method learned from it."""
    for seed in (run.seed, "shared"):
        if (run.task, seed) in teachers:
            return teachers[run.task, seed]
    raise InputError(f"the plan has no teacher of {run.task} for seed {run.seed}; make it anew with: adkd plan")


def _fidelity(plan: Grid, run: Run, teacher: Explanations, of: Run) -> dict[str, explanations.Measured]:
    student = explanations.read(plan, run)
    if not np.array_equal(teacher.idx, student.idx) or teacher.data_fingerprint != student.data_fingerprint:
        raise InputError(
            f"{run.explanation} is of other examples than {of.explanation}; make both anew with: "
            f"{explanations.command(plan, of)} and {explanations.command(plan, run)}"
        )
    return explanations.agreement(teacher, student) | student.own
