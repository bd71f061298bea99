"""The plan of a whole benchmark, as the analysis reads it: what ran, what was skipped, what is a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adkd.data.tasks import Task, task
from adkd.errors import InputError
from adkd.files import read_json

TEACHER = "teacher"
"""The method name under which teachers stand in every table."""

_SHORT = {"matched": "m", "mismatched": "mm"}


@dataclass(frozen=True)
class Column:
    """One split of one task, scored by the task's main metric: a column of the main table."""

    task: Task
    split: str
    name: str
    """The task's name; ``mnli_mm`` for the second split of a task that has two."""
    title: str
    averaged: bool
    """Whether the mean over tasks takes it in: the first split of every task, as in the paper."""

    @property
    def metric(self) -> str:
        return self.task.metrics[0]


@dataclass(frozen=True)
class Run:
    """A planned run: a student, or a teacher (method ``teacher``)."""

    method: str
    task: str
    seed: str
    """A number, or ``shared``."""
    result: Path
    spec: Path

    @property
    def command(self) -> str:
        """What to type to make it."""
        return f"adkd {'teacher' if self.method == TEACHER else 'student'} {self.spec}"


@dataclass(frozen=True)
class Grid:
    """``results/plan/grid.json``."""

    path: Path
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[str, ...]
    reference: str
    roles: tuple[str, ...]
    """The splits that are reported; the first is the main one."""
    selection: str
    source: str
    notes: tuple[str, ...]
    students: tuple[Run, ...]
    teachers: tuple[Run, ...]
    skipped: dict[tuple[str, str], str]
    """(method, task) -> why it has no run."""

    @property
    def runs(self) -> tuple[Run, ...]:
        return self.teachers + self.students

    @property
    def compared(self) -> tuple[str, ...]:
        """The methods that are tested against the reference."""
        return tuple(method for method in self.methods if method != self.reference)

    @property
    def teacher_is_shared(self) -> bool:
        """Whether all seeds of a student learn from one teacher."""
        return any(run.seed == "shared" for run in self.teachers)

    def columns(self, role: str) -> list[Column]:
        """The columns of a role, in the order of the tasks."""
        found = []
        for one in map(task, self.tasks):
            splits = one.splits(role)
            for number, split in enumerate(splits):
                suffix = split.removeprefix(role).removeprefix("_")
                short = _SHORT.get(suffix, suffix)
                name = f"{one.name}_{short}" if number else one.name
                title = f"{one.title}-{short}" if short else one.title
                found.append(Column(one, split, name, title, averaged=number == 0))
        return found


def read_grid(path: Path) -> Grid:
    """The plan in a ``grid.json``; paths in it are taken from the directory that holds ``results``.

    Raises:
        InputError: the file is missing or lacks a key.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with: adkd plan")
    value = read_json(path)
    plan = path.parent
    try:
        return Grid(
            path=path,
            tasks=tuple(value["tasks"]),
            methods=tuple(value["methods"]),
            seeds=tuple(map(str, value["seeds"])),
            reference=value["reference"],
            roles=tuple(value["score"]),
            selection=value["selection"],
            source=value["source"],
            notes=tuple(value["notes"]),
            students=tuple(_run(plan, entry["method"], entry) for entry in value["runs"]),
            teachers=tuple(_run(plan, TEACHER, entry) for entry in value["teachers"]),
            skipped={(entry["method"], entry["task"]): entry["reason"] for entry in value["skipped"]},
        )
    except KeyError as error:
        raise InputError(f"{path} has no key {error}; make it anew with: adkd plan") from error


def _run(plan: Path, method: str, entry: Mapping[str, Any]) -> Run:
    """``results/students/...`` lies beside the plan's directory, its spec at the same place inside the plan."""
    below = Path(*Path(entry["result"]).parts[1:])
    spec = plan / below.with_name(below.name + ".json")
    return Run(method, entry["task"], str(entry["seed"]), plan.parent / below, spec)


def read_scores(grid: Grid, path: Path) -> pd.DataFrame:
    """``scores.csv``, one row per (method, task, seed, split, metric); seeds are text.

    Raises:
        InputError: it is missing, or has no score for a run of the plan.
    """
    again = f"adkd scores {grid.path}"
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with: {again}")
    scores = pd.read_csv(path, dtype={"seed": str})
    there = set(zip(scores["method"], scores["task"], scores["seed"], strict=True))
    lacking = [run for run in grid.runs if (run.method, run.task, run.seed) not in there]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(grid.runs)} runs of the plan, first {lacking[0].result}; "
            f"make it anew with: {again}"
        )
    return scores


def seed_scores(scores: pd.DataFrame, method: str, column: Column) -> pd.Series:
    """[seeds] main metric of one method in one column, as fractions, in the file's order; empty if none."""
    rows = scores[
        (scores["method"] == method)
        & (scores["task"] == column.task.name)
        & (scores["split"] == column.split)
        & (scores["metric"] == column.metric)
    ]
    return rows.set_index("seed")["value"].astype(float)
