"""Fidelity: how closely students reproduce their teachers' attributions, and how faithful attributions are."""

from functools import cache

import numpy as np
import pandas as pd

from adkd.analysis.collect import csv_file, explanations
from adkd.analysis.collect.explanations import Explanations
from adkd.analysis.collect.scores import finished_runs
from adkd.base.errors import InputError, missing
from adkd.plan.grid import TEACHER, Grid, Run
from adkd.plan.specs import ExplainSpec

FILE = "fidelity.csv"
COLUMNS = ["method", "task", "seed", "split", "measure", "value", "rows"]


def collect(grid: Grid) -> None:
    """Write ``fidelity.csv`` with ``COLUMNS``: one row per run and measure, ``rows`` examples behind each.

    A teacher has only the measures of faithfulness. An undefined value is a blank with 0 rows. Nothing is written
    unless all planned explanations exist.

    Raises:
        InputError: an explanation is missing, was made by another spec, or is of other examples than the teacher's; or
            none is planned.
    """
    runs = _explained(grid)
    if absent := [run for run in runs if not explanations.report_file(grid, run).is_file()]:
        file, command = explanations.report_file(grid, absent[0]), explanations.command(grid, absent[0])
        raise missing(f"{file} ({len(absent)} of {len(runs)} runs are not explained)", command)
    teachers = {(run.task, run.seed): run for run in runs if run.method == TEACHER}

    @cache
    def of_teacher(run: Run) -> Explanations:
        return explanations.read(grid, run)

    rows: list[tuple] = []
    for run in runs:
        split = explanations.spec_of(grid, run).split
        if run.method == TEACHER:
            measures = of_teacher(run).own
        else:
            teacher = _teacher(teachers, run)
            measures = _fidelity(grid, run, of_teacher(teacher), teacher)
        rows += [(run.method, run.task, run.seed, split, name, *value) for name, value in measures.items()]
    made_from = [grid.file, *(explanations.report_file(grid, run) for run in runs)]
    csv_file.write(grid.out / FILE, pd.DataFrame(rows, columns=COLUMNS), made_from)


def read(grid: Grid) -> pd.DataFrame:
    """``fidelity.csv`` as ``collect`` writes it; seeds are text.

    Raises:
        InputError: it is missing, or lacks an explained run of the plan.
    """
    path, command = grid.out / FILE, f"adkd fidelity {grid.file}"
    table = csv_file.read(path, command, COLUMNS, dtype={"seed": str})
    collected = set(zip(table["method"], table["task"], table["seed"], strict=True))
    runs = _explained(grid)
    lacking = [run for run in runs if (run.method, run.task, run.seed) not in collected]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(runs)} runs of the plan, first {lacking[0].result}",
            remedy=f"rebuild it with: {command}",
        )
    return table


def specs(grid: Grid) -> list[ExplainSpec]:
    """The specs of all planned explanations."""
    return [explanations.spec_of(grid, run) for run in _explained(grid)]


def _explained(grid: Grid) -> list[Run]:
    """The runs whose explanations are planned, teachers first."""
    runs = [run for run in finished_runs(grid) if run.explanation]
    if not runs:
        raise InputError(f"{grid.file} plans no explanations, because none of its runs has a teacher to compare with")
    return runs


def _teacher(teachers: dict[tuple[str, str], Run], run: Run) -> Run:
    """The teacher that a student is compared with, whether or not its method learned from it."""
    for seed in (run.seed, "shared"):
        if (run.task, seed) in teachers:
            return teachers[run.task, seed]
    raise InputError(f"the plan has no teacher of {run.task} for seed {run.seed}", remedy="rebuild it with: adkd plan")


def _fidelity(grid: Grid, run: Run, teacher: Explanations, of: Run) -> dict[str, explanations.Measured]:
    student = explanations.read(grid, run)
    if not np.array_equal(teacher.idx, student.idx) or teacher.data_fingerprint != student.data_fingerprint:
        raise InputError(
            f"{run.explanation} and {of.explanation} have different examples",
            remedy=f"rebuild both with: {explanations.command(grid, of)} and {explanations.command(grid, run)}",
        )
    return explanations.agreement(teacher, student) | student.own
