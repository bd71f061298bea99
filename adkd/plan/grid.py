"""A grid: the runs that one set of tables compares. Written by the plan and read by the analysis, as one class."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import PrivateAttr

from adkd.base.records import Record, Sealed
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.plan.reports import RunReport
from adkd.plan.results import Results
from adkd.plan.sections import StudentConfig
from adkd.plan.specs import StudentSpec, TeacherSpec

MAIN = "grid"
"""Name of the main grid; an ablation's is ``ablations/NAME``."""
UNTUNED = "untuned"
"""Name of the main grid without the settings that sweeps found."""
TEACHER = "teacher"
"""The method name under which teachers stand in every table."""
SHARED = "shared"
"""Stands for the seed of a teacher that serves all seeds."""


@dataclass(frozen=True)
class Column:
    """One split of one task, scored by the task's main metric: a column of the main table."""

    task: Task
    split: str
    name: str
    """The task's name; ``mnli_mm`` for the second split of a task that has two."""
    title: str
    averaged: bool
    """Whether it counts towards the task average: the first split of every task does, as in the paper."""

    @property
    def metric(self) -> str:
        """The main metric of its task."""
        return self.task.metrics[0]


class Run(Record):
    """A planned run: a student, or a teacher (method ``teacher``)."""

    method: str
    """Of an ablation: a point, such as ``adkd+beta=0.0``."""
    task: str
    seed: str
    """A number, or ``shared``."""
    result: str
    """Name of its result."""
    explanation: str | None
    """Name of its explanation; None where there is no teacher to compare it with."""
    latency: str
    """Name of the latency of a model of its architecture."""


class Grid(Sealed):
    """``plan/grid.json``, or that of an ablation."""

    name: str
    title: str | None = None
    """Of an ablation; None for the main grid."""
    setting: str | None = None
    """The one setting that an ablation varies; None where its points have names."""
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    """Of an ablation: its points."""
    labels: dict[str, str]
    """Method -> what it is called where people read it."""
    seeds: tuple[str, ...]
    reference: str
    """The method that the others are tested against."""
    roles: tuple[str, ...]
    """The splits that are reported; the first is the main one."""
    selection: str
    source: str
    tuned: bool
    """Whether methods have the settings that sweeps found best."""
    teacher_model: str
    student: StudentConfig
    notes: tuple[str, ...]
    """What a reader of the tables has to know about the numbers."""
    absent: dict[str, tuple[str, ...]]
    """Task -> splits that the source lacks, by a named exception."""
    students: tuple[Run, ...]
    teachers: tuple[Run, ...]
    skipped: dict[str, dict[str, str]]
    """Method -> task -> why it has no run."""
    _results: Results = PrivateAttr(default_factory=Results.default)

    @classmethod
    def load(cls, file: Path) -> "Grid":
        """The grid in a file below ``RESULTS/plan``.

        Raises:
            InputError: the file is missing, or does not hold a grid.
        """
        grid = cls.read(file, "adkd plan")
        return grid.below(Results.of(file)[0])

    def below(self, results: Results) -> "Grid":
        """The same grid, of the tree that its results lie in."""
        self._results = results
        return self

    @property
    def results(self) -> Results:
        """The tree that its results lie in."""
        return self._results

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.results.plan_file(self.name)

    @property
    def out(self) -> Path:
        """Where its tables and figures go: the root, or ``ablations/NAME`` below it."""
        return self.results.root if self.name == MAIN else self.results.directory(self.name)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Teachers, then students."""
        return self.teachers + self.students

    @property
    def compared(self) -> tuple[str, ...]:
        """The methods that are tested against the reference."""
        return tuple(method for method in self.methods if method != self.reference)

    @property
    def teacher_is_shared(self) -> bool:
        """Whether all seeds of a student learn from one teacher."""
        return any(run.seed == SHARED for run in self.teachers)

    def row(self, method: str) -> str:
        """What the row of a method is called in a table."""
        if method == TEACHER or self.title or method != self.reference:
            return self.labels.get(method, method)
        return f"{method} (reference)"

    def reason(self, method: str, name: str) -> str:
        """Why a method has no run on a task."""
        return self.skipped.get(method, {}).get(name, "not in this plan")

    def splits(self, name: str, role: str) -> list[str]:
        """The splits of a role that a task has here."""
        return [split for split in task_named(name).splits(role) if split not in self.absent.get(name, ())]

    def columns(self, role: str) -> list[Column]:
        """The columns of a role, in the order of the tasks."""
        columns = [column for name in self.tasks for column in columns_of(task_named(name), role)]
        return [column for column in columns if column.split not in self.absent.get(column.task.name, ())]

    def spec(self, run: Run) -> TeacherSpec | StudentSpec:
        """The planned spec of a run.

        Raises:
            InputError: it is missing.
        """
        if run.method == TEACHER:
            return self.results.spec(run.result, TeacherSpec)
        return self.results.spec(run.result, StudentSpec)

    def report(self, run: Run) -> RunReport:
        """The report of a run.

        Raises:
            InputError: the run is missing, or another spec made it.
        """
        return self.results.report(self.spec(run))

    def predictions(self, run: Run, split: str) -> Path:
        """The file with a run's predictions on a split, whether it is there or not."""
        return self.results.directory(run.result) / predictions_on(split)

    def stored_predictions(self, run: Run, split: str) -> Path:
        """The same, with exactly the content that was written.

        Raises:
            InputError: the file or the report of the run is missing or damaged, or another spec made the run.
        """
        return self.report(run).file(self.results.directory(run.result), predictions_on(split))

    def command(self, run: Run) -> str:
        """What to type to make a run."""
        return self.results.command(run.result, self.stage(run))

    @staticmethod
    def stage(run: Run) -> str:
        """The stage that makes a run."""
        return "teacher" if run.method == TEACHER else "student"


def predictions_on(split: str) -> str:
    """The file with the predictions on a split, in the directory of a run."""
    return f"predictions/{split}.parquet"


def columns_of(task: Task, role: str) -> Iterator[Column]:
    """The columns of a task, one for every split of a role."""
    for number, split in enumerate(task.splits(role)):
        short = task.split_titles.get(split, "")
        name = f"{task.name}_{short}" if number else task.name
        title = f"{task.title}-{short}" if short else task.title
        yield Column(task, split, name, title, averaged=number == 0)
