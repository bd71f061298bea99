"""Ablations: a base run compared with runs in which one thing, or a few named things, are different. Imports no torch.

An ablation is a grid of its own whose methods are *points*: a method with some settings put over the config's. Points
are runs like any other, so scores, tests, tables and figures are made as for the main grid. A point's id is its method
and what it sets, ``adkd+beta=0.0``. Equal points of two ablations are one run, and a point that changes nothing on a
task is the base's run.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adkd.base.errors import InputError, unknown, yaml_number
from adkd.base.keys import about
from adkd.base.validation import validated
from adkd.data.tasks import TASKS
from adkd.methods import registry, settings
from adkd.plan.config import Config
from adkd.plan.sections import AblationConfig, StudentConfig

STUDENT = "student"
"""The key of a point that replaces the config's ``student``; the others are settings of the method or of training."""


@dataclass(frozen=True)
class Point:
    """A method with settings of its own."""

    method: str
    label: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its id, and the name of its directory: the method, then what it sets."""
        return "+".join([self.method, *(f"{key}={_text(value)}" for key, value in self.settings.items())])

    def folder(self, mark: str = "") -> str:
        """Its directory below ``students``: its id, with a mark behind the method that sets it apart."""
        method, *values = self.name.split("+")
        return "+".join([method, *filter(None, [mark]), *values])

    @property
    def values(self) -> dict[str, Any]:
        """What it sets of the method and of training."""
        return {key: value for key, value in self.settings.items() if key != STUDENT}

    def applied(self, config: Config, tasks: Sequence[str]) -> Config:
        """The config with this point's settings over those of its method on these tasks, its only method.

        Raises:
            InputError: the student of this point is not one.
        """
        own = config.settings.get(self.method, {})
        own = own | {task: own.get(task, {}) | self.values for task in tasks}
        changes = {
            "methods": (self.method,),
            "reference": self.method,
            "tasks": tuple(tasks),
            "settings": config.settings | {self.method: own},
        }
        if STUDENT in self.settings:
            changes[STUDENT] = validated(StudentConfig, self.settings[STUDENT], STUDENT)
        return config.model_copy(update=changes)


@dataclass(frozen=True)
class Ablation:
    """A base and its points, on some tasks."""

    name: str
    title: str
    setting: str | None
    """What is varied, where that is one setting; None where points have names of their own."""
    tasks: list[str]
    points: tuple[Point, ...]
    """The base first."""

    @property
    def base(self) -> Point:
        """The run that the others are compared with."""
        return self.points[0]


def ablations(config: Config) -> list[Ablation]:
    """The ablations of a config, each on those of its tasks that the config runs.

    Raises:
        InputError: what is varied is unknown, nothing is varied, or two points are the same run.
    """
    made = [_ablation(config, name, entry) for name, entry in config.ablations.items() if entry is not None]
    return [ablation for ablation in made if ablation.tasks]


def _ablation(config: Config, name: str, entry: AblationConfig) -> Ablation:
    where = f"ablations.{name}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        allowed = "lower-case letters, digits and _, a letter first"
        raise InputError("name of an ablation", value=name, allowed=allowed, key=where)
    method = entry.method or config.reference
    with about(f"{where}.method"):
        registry.file(method)
    for index, task in enumerate(entry.tasks or ()):
        if task not in TASKS:
            raise unknown(f"task of {where}", task, TASKS, key=f"{where}.tasks[{index}]")
    tasks = [task for task in entry.tasks or config.tasks if task in config.tasks]
    points: dict[str, Point] = {}
    for point in (Point(method, f"{method} (base)", {}), *_points(where, method, entry)):
        _check_keys(where, point)
        if point.name in points:
            both = f"{point.label} and {points[point.name].label}"
            raise InputError(f"{where}: {both} are the same run, {point.name}", remedy="remove one of them", key=where)
        points[point.name] = point
    return Ablation(name, entry.title or name.replace("_", " "), entry.setting, tasks, tuple(points.values()))


def _points(where: str, method: str, entry: AblationConfig) -> Iterator[Point]:
    if bool(entry.points) == bool(entry.setting) or bool(entry.setting) != bool(entry.values):
        given = entry.model_dump(include={"points", "setting", "values"}, exclude_none=True)
        raise InputError(where, value=given, allowed="either points (label -> settings) or both setting and values")
    for label, values in (entry.points or {}).items():
        if not values:
            raise InputError(f"{where}.points.{label}", value=values, allowed="settings that differ from the base's")
        yield Point(method, label, values)
    if entry.setting:
        for value in entry.values or ():
            yield Point(method, f"{entry.setting} = {_json(value)}", {entry.setting: value})


def _check_keys(where: str, point: Point) -> None:
    known = [*(field.name for field in fields(registry.outline(point.method))), *settings.TRAINING, STUDENT]
    for key in point.settings:
        if key not in known:
            raise unknown(f"setting of {where}", key, known, key=f"{where}.points.{point.label}.{key}")


def _text(value: Any) -> str:
    """A value as a part of an id: what JSON writes, without what a file name cannot have."""
    text = _json(value)
    return text if isinstance(value, int | float) else re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-")


def _json(value: Any) -> str:
    return yaml_number(value) if type(value) is float else json.dumps(value, sort_keys=True)
