"""The grids of a config: the main one, one for every ablation, and with tuned settings the one without them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adkd.base.stage_records import Spec
from adkd.data.tasks import task
from adkd.methods.method_config import MethodConfig
from adkd.plan import config as configs
from adkd.plan import tuned
from adkd.plan.ablations import Point, ablations
from adkd.plan.config import Config
from adkd.plan.fingerprint import Codes
from adkd.plan.grid import MAIN, SHARED, TEACHER, UNTUNED, Grid, Run
from adkd.plan.results import Results
from adkd.plan.students import Student, students
from adkd.plan.studies import Study


@dataclass(frozen=True)
class Part:
    """What a grid consists of, beside what the config says for all of them."""

    name: str
    tasks: Sequence[str]
    reference: str
    points: tuple[Point, ...]
    mark: str = ""
    """What sets its students' directories apart."""
    title: str | None = None
    setting: str | None = None


class Planned:
    """Grids, and the specs of all results that they consist of."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.codes = Codes()
        self.specs: dict[str, Spec] = {}
        self.grids: dict[str, Grid] = {}
        self._timed: dict[str, Student] = {}
        """Architecture -> the first student that has it, whose speed is that of all of them."""

    def add(self, config: Config, part: Part) -> None:
        """Add one grid of a config."""
        members = list(students(config, self.codes, part.points, part.tasks, part.mark))
        for student in members:
            self.specs |= student.specs()
            self._timed.setdefault(student.architecture, student)
        teachers = {student.teacher: student for student in members if student.teacher in self.specs}
        for student in members:
            if student.teacher in teachers:
                self._examine(student.explanation(student.result))
        for name, student in teachers.items():
            self._examine(student.explanation(name))
            self._examine(student.latency(name))
        for student in self._timed.values():
            self._examine(student.latency(student.result))
        self.grids[part.name] = self._grid(config, part, members, teachers)

    def _examine(self, spec: Spec) -> None:
        self.specs[spec.result] = spec

    def _grid(self, config: Config, part: Part, members: list[Student], teachers: dict[str, Student]) -> Grid:
        return Grid(
            name=part.name,
            title=part.title,
            setting=part.setting,
            tasks=tuple(part.tasks),
            methods=tuple(point.name for point in part.points),
            labels={point.name: point.label for point in part.points},
            seeds=tuple(map(str, config.seeds)),
            reference=part.reference,
            roles=config.score,
            selection=config.selection,
            source=config.data.source,
            tuned=bool(part.mark),
            teacher_model=config.teacher.model,
            student=config.student,
            notes=(*([tuned.note(config)] if part.mark else []), *_notes(config, part.tasks)),
            absent={task: tuple(absent) for task in part.tasks if (absent := configs.absent(config, task))},
            students=tuple(self._student(student) for student in members),
            teachers=tuple(self._teacher(config, name, student) for name, student in teachers.items()),
            skipped=_skipped(config, part),
        ).below(self.results)

    def _student(self, student: Student) -> Run:
        explanation = f"explanations/{student.result}"
        return Run(
            method=student.point.name,
            task=student.task,
            seed=str(student.seed),
            result=student.result,
            explanation=explanation if explanation in self.specs else None,
            latency=f"latency/{self._timed[student.architecture].result}",
        )

    def _teacher(self, config: Config, name: str, student: Student) -> Run:
        seed = SHARED if config.teacher.seeds == "shared" else str(student.seed)
        return Run(
            method=TEACHER,
            task=student.task,
            seed=seed,
            result=name,
            explanation=f"explanations/{name}",
            latency=f"latency/{name}",
        )


def add_grids(planned: Planned, config: Config, studies: Sequence[Study]) -> None:
    """Add all grids of a config, and the specs of their results.

    Raises:
        InputError: the config cannot be carried out.
    """
    points = tuple(Point(method, method, {}) for method in config.methods)
    main, mark = Part(MAIN, config.tasks, config.reference, points), ""
    if config.settings_from == "sweeps":
        planned.add(config, replace(main, name=UNTUNED, title="Before tuning"))
        mark, config = tuned.MARK, tuned.tuned(config, planned.results, studies)
    planned.add(config, replace(main, mark=mark))
    for ablation in ablations(config):
        name = f"ablations/{ablation.name}"
        planned.add(
            config,
            Part(name, ablation.tasks, ablation.base.name, ablation.points, mark, ablation.title, ablation.setting),
        )


def _skipped(config: Config, part: Part) -> dict[str, dict[str, str]]:
    """Method -> task -> why it has no run."""
    skipped: dict[str, dict[str, str]] = {}
    for point in part.points:
        for name in part.tasks:
            if reason := configs.reason_to_skip(_method_config(config, point, name), name):
                skipped.setdefault(point.name, {})[name] = reason
    return skipped


def _method_config(config: Config, point: Point, name: str) -> MethodConfig:
    return configs.method_settings(point.applied(config, [name]), point.method, name)[0]


def _notes(config: Config, tasks: Sequence[str]) -> Iterator[str]:
    """What a reader of the tables has to know about the numbers."""
    model = config.teacher.model
    if seen := {name: task(name).seen_by[model] for name in tasks if model in task(name).seen_by}:
        corpora = ", ".join(seen.values())
        yield f"{model} was trained on {corpora} before: scores on {', '.join(seen)} are contaminated"
    for name in tasks:
        if cut := configs.train_rows(config, name):
            yield f"{name}: trained on at most {cut} of the training examples (data.train_rows)"
        for split, number in config.data.expected_rows.get(name, {}).items():
            state = "is absent" if number is None else f"has {number} examples, not the official number"
            yield f"{name}: {split} {state} (data.expected_rows)"
        for split, variant in config.data.variants.get(name, {}).items():
            yield f"{name}: {split} is not the official data but a variant: {variant} (data.variants)"
