"""Grids: which runs a table compares, as the analysis reads it. Imports no torch.

The main grid, one for every ablation, and with tuned settings the grid without them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adkd.data.tasks import task
from adkd.methods.method_config import MethodConfig
from adkd.plan import config as configs
from adkd.plan import tuned
from adkd.plan.ablations import Point, ablations
from adkd.plan.config import Config
from adkd.plan.specs import Spec, Student, students
from adkd.plan.studies import Study

MAIN = "grid"
"""Name of the main grid; an ablation's is ``ablations/NAME``."""
UNTUNED = "untuned"
"""Name of the same grid without what sweeps found."""


@dataclass(frozen=True)
class Part:
    """What a grid is made of, beside what the config says for all of them."""

    tasks: Sequence[str]
    reference: str
    points: tuple[Point, ...]
    mark: str = ""
    """What sets its students' directories apart."""


def grids(config: Config, root: Path, swept: Sequence[Study], found: dict[str, Spec]) -> dict[str, dict[str, Any]]:
    """All grids by their names. The specs of their results are added to ``found``."""
    timed: dict[str, Student] = {}
    main = Part(config.tasks, config.reference, tuple(Point(m, m, {}) for m in config.methods))
    if config.settings_from == "config":
        mark, made = "", {MAIN: _grid(config, root, main, found, timed)}
    else:
        untuned = _grid(config, root, main, found, timed) | {"title": "Before tuning", "setting": None}
        mark, config = tuned.MARK, tuned.tuned(config, root, swept)
        main = replace(main, mark=mark)
        made = {MAIN: _grid(config, root, main, found, timed), UNTUNED: untuned}
    for one in ablations(config):
        part = Part(one.tasks, one.base.name, one.points, mark)
        about = {"title": one.title, "setting": one.setting}
        made[f"ablations/{one.name}"] = _grid(config, root, part, found, timed) | about
    return made


def _grid(config: Config, root: Path, part: Part, found: dict[str, Spec], timed: dict[str, Student]) -> dict[str, Any]:
    """A grid as the analysis reads it. The specs of its results are added to ``found``, and to ``timed`` the first
    student of every architecture, whose speed is that of all of them."""
    everyone = list(students(config, root, part.points, part.tasks, part.mark))
    for student in everyone:
        found |= student.specs()
    teachers = {student.teacher: student for student in everyone if student.teacher in found}
    for student in everyone:
        timed.setdefault(student.architecture, student)
    for student in everyone:
        if student.teacher in teachers:
            found[f"explanations/{student.result}"] = student.explanation(student.result)
    for place, student in teachers.items():
        found[f"explanations/{place}"] = student.explanation(place)
        found[f"latency/{place}"] = student.latency(place)
    for student in timed.values():
        found[f"latency/{student.result}"] = student.latency(student.result)

    def entry(result: str, latency: str) -> dict[str, str | None]:
        explained = f"explanations/{result}"
        return {
            "result": str(root / result),
            "explanation": str(root / explained) if explained in found else None,
            "latency": str(root / "latency" / latency),
        }

    return {
        "seeds": list(config.seeds),
        "score": list(config.score),
        "predict": list(config.predict),
        "selection": config.selection,
        "student": config.student.given,
        "tasks": list(part.tasks),
        "methods": [point.name for point in part.points],
        "labels": {point.name: point.label for point in part.points},
        "reference": part.reference,
        "source": config.data.source,
        "tuned": bool(part.mark),
        "teacher_model": config.teacher.model,
        "notes": [*([tuned.note(config)] if part.mark else []), *_notes(config, part.tasks)],
        "absent": {task: absent for task in part.tasks if (absent := configs.absent(config, task))},
        "runs": [
            {"method": student.point.name, "task": student.task, "seed": student.seed}
            | entry(student.result, timed[student.architecture].result)
            for student in everyone
        ],
        "teachers": [
            {"task": student.task, "seed": _seed(config, found[place])} | entry(place, place)
            for place, student in teachers.items()
        ],
        "skipped": [
            {"method": point.name, "task": task, "reason": reason}
            for point in part.points
            for task in part.tasks
            if (reason := configs.reason_to_skip(_outline(config, point, task), task))
        ],
    }


def _outline(config: Config, point: Point, task: str) -> MethodConfig:
    return configs.method_settings(point.applied(config, [task]), point.method, task)[0]


def _seed(config: Config, spec: Spec) -> int | str:
    return "shared" if config.teacher.seeds == "shared" else spec["seed"]


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
