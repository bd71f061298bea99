"""Ablations: a base run with one thing varied, or a few named things, held against it. Imports no torch.

An ablation is a grid of its own whose methods are *points*: a method with some settings put over the config's. Points
are runs like any other, so scores, tests, tables and figures are those of the main grid. A point's id is its method
and what it sets, ``adkd+beta=0.0``; equal points of two ablations are one run, and a point that changes nothing on a
task is the base's run.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adkd.base.errors import InputError, unknown, yaml_number
from adkd.data.tasks import TASKS
from adkd.methods import registry, settings

Config = dict[str, Any]

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

    def applied(self, config: Config, tasks: list[str]) -> Config:
        """The config with this point's settings over those of its method on these tasks, its only method."""
        config = copy.deepcopy(config)
        values = {key: value for key, value in self.settings.items() if key != STUDENT}
        own = config["settings"].setdefault(self.method, {})
        for task in tasks:
            own[task] = {**own.get(task, {}), **values}
        student = self.settings.get(STUDENT, config["student"])
        return config | {"methods": [self.method], "reference": self.method, "tasks": tasks, "student": student}


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
        return self.points[0]


def ablations(config: Config) -> list[Ablation]:
    """The ablations of a config whose other keys are filled in; of those on some tasks just that are among its tasks.

    Raises:
        InputError: what is varied is not known, varies nothing, or cannot be told apart.
    """
    found = [_ablation(config, name, entry) for name, entry in config["ablations"].items() if entry is not None]
    return [one for one in found if one.tasks]


def _ablation(config: Config, name: str, entry: Mapping[str, Any]) -> Ablation:
    where = f"ablations.{name}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f'{where}: "{name}" cannot name an ablation; allowed are lower-case letters, digits and _')
    method = entry.get("method") or config["reference"]
    registry.file(method)
    wanted = entry.get("tasks") or config["tasks"]
    for task in wanted:
        if task not in TASKS:
            raise unknown(f"task of {where}", task, TASKS)
    tasks = [task for task in wanted if task in config["tasks"]]
    points = (Point(method, f"{method} (base)", {}), *_points(where, method, entry))
    found: dict[str, Point] = {}
    for point in points:
        _check_keys(where, point)
        if point.name in found:
            both = f"{point.label} and {found[point.name].label}"
            raise InputError(f"{where}: {both} would be the same run, {point.name}")
        found[point.name] = point
    return Ablation(name, entry.get("title") or name.replace("_", " "), entry.get("setting"), tasks, points)


def _points(where: str, method: str, entry: Mapping[str, Any]) -> Iterator[Point]:
    named, setting, values = (entry.get(key) for key in ("points", "setting", "values"))
    if bool(named) == bool(setting) or bool(setting) != bool(values):
        raise InputError(f"{where} needs either points (name -> settings) or both setting and values, at least one")
    for label, put in (named or {}).items():
        if not put:
            raise InputError(f"{where}: point {label} sets nothing; the base is there without being named")
        yield Point(method, str(label), put)
    for value in values or ():
        yield Point(method, f"{setting} = {_json(value)}", {setting: value})


def _check_keys(where: str, point: Point) -> None:
    known = [*(setting.name for setting in registry.fields(point.method)), *settings.TRAINING, STUDENT]
    for key in point.settings:
        if key not in known:
            raise unknown(f"setting of {where}", key, known)


def _text(value: Any) -> str:
    """A value as a part of an id: what JSON writes, without what a file name cannot have."""
    text = _json(value)
    return text if isinstance(value, int | float) else re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-")


def _json(value: Any) -> str:
    return yaml_number(value) if type(value) is float else json.dumps(value, sort_keys=True)
