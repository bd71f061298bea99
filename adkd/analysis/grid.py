"""The plan of a whole benchmark, as the analysis reads it: what ran, what was skipped, what is a column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.data.tasks import Task, task

TEACHER = "teacher"
"""The method name under which teachers stand in every table."""


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
    explanation: Path | None
    """Where its reasons on the dev set lie, once they were asked for; None where there is no teacher to ask as well."""
    latency: Path
    """Where the speed of a model of its architecture lies, once it was measured."""

    @property
    def command(self) -> str:
        """What to type to make it."""
        return f"adkd {'teacher' if self.method == TEACHER else 'student'} {self.spec}"


@dataclass(frozen=True)
class Grid:
    """``results/plan/grid.json``, or that of an ablation."""

    path: Path
    title: str | None
    """Of an ablation; None for the main grid."""
    setting: str | None
    """What an ablation varies, where that is one setting."""
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    """Of an ablation: its points."""
    labels: dict[str, str]
    """What a method is called where people read it."""
    seeds: tuple[str, ...]
    reference: str
    roles: tuple[str, ...]
    """The splits that are reported; the first is the main one."""
    selection: str
    tuned: bool
    """Whether methods have the settings that sweeps found best."""
    source: str
    teacher_model: str
    student: dict[str, Any]
    notes: tuple[str, ...]
    students: tuple[Run, ...]
    teachers: tuple[Run, ...]
    skipped: dict[tuple[str, str], str]
    """(method, task) -> why it has no run."""
    absent: dict[str, tuple[str, ...]]
    """Task -> splits that the source lacks, by a named exception."""

    def row(self, method: str) -> str:
        """What the row of a method is called in a table."""
        if method == TEACHER or self.title or method != self.reference:
            return self.labels.get(method, method)
        return f"{method} (reference)"

    @property
    def plan(self) -> Path:
        """The directory of all specs."""
        return _plan(self.path)

    @property
    def out(self) -> Path:
        """Where what is made of this grid goes: ``results/``, or ``results/ablations/NAME``."""
        below = self.path.relative_to(self.plan).with_suffix("")
        return self.plan.parent / (below if self.title else "")

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

    def splits(self, name: str, role: str) -> list[str]:
        """The splits of a role that a task has here."""
        return [split for split in task(name).splits(role) if split not in self.absent.get(name, ())]

    def columns(self, role: str) -> list[Column]:
        """The columns of a role, in the order of the tasks."""
        found = [column for one in map(task, self.tasks) for column in columns_of(one, role)]
        return [column for column in found if column.split not in self.absent.get(column.task.name, ())]


def columns_of(one: Task, role: str) -> Iterator[Column]:
    """The columns of a task, one for every split of a role."""
    for number, split in enumerate(one.splits(role)):
        short = one.split_titles.get(split, "")
        name = f"{one.name}_{short}" if number else one.name
        title = f"{one.title}-{short}" if short else one.title
        yield Column(one, split, name, title, averaged=number == 0)


def read_grid(path: Path) -> Grid:
    """The plan in a ``grid.json``; paths in it are taken from the directory that holds ``results``.

    Raises:
        InputError: the file is missing or lacks a key.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with: adkd plan")
    value = read_json(path)
    plan = _plan(path)
    try:
        return Grid(
            path=path,
            title=value.get("title"),
            setting=value.get("setting"),
            tasks=tuple(value["tasks"]),
            methods=tuple(value["methods"]),
            labels=dict(value["labels"]),
            seeds=tuple(map(str, value["seeds"])),
            reference=value["reference"],
            roles=tuple(value["score"]),
            selection=value["selection"],
            tuned=value.get("tuned", False),
            source=value["source"],
            teacher_model=value["teacher_model"],
            student=value["student"],
            notes=tuple(value["notes"]),
            students=tuple(_run(plan, entry["method"], entry) for entry in value["runs"]),
            teachers=tuple(_run(plan, TEACHER, entry) for entry in value["teachers"]),
            skipped={(entry["method"], entry["task"]): entry["reason"] for entry in value["skipped"]},
            absent={task: tuple(splits) for task, splits in value["absent"].items()},
        )
    except KeyError as error:
        raise InputError(f"{path} has no key {error}; make it anew with: adkd plan") from error


def spec_of(plan: Path, result: Path) -> Path:
    """Where the spec of a result lies: at the same place inside the plan."""
    below = result.relative_to(plan.parent)
    return plan / below.with_name(below.name + ".json")


def _plan(path: Path) -> Path:
    """The directory ``plan`` that a grid's file lies in, or below which it does."""
    return next((parent for parent in path.parents if parent.name == "plan"), path.parent)


def _run(plan: Path, method: str, entry: Mapping[str, Any]) -> Run:
    """``results/students/...`` lies beside the plan's directory, wherever that is now."""

    def here(key: str) -> Path | None:
        return plan.parent / Path(*Path(entry[key]).parts[1:]) if entry.get(key) else None

    result = here("result")
    places = {"explanation": here("explanation"), "latency": here("latency")}
    return Run(method, entry["task"], str(entry["seed"]), result, spec_of(plan, result), **places)


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


def seed_scores(scores: pd.DataFrame, method: str, column: Column, metric: str | None = None) -> pd.Series:
    """[seeds] one method's scores in one column, as fractions, in the file's order; empty if none.

    Args:
        metric: one of the task's; its main metric if not given.
    """
    rows = scores[
        (scores["method"] == method)
        & (scores["task"] == column.task.name)
        & (scores["split"] == column.split)
        & (scores["metric"] == (metric or column.metric))
    ]
    return rows.set_index("seed")["value"].astype(float)
