"""Search spaces: which values of which settings a sweep tries. Imports no torch and no optuna.

A space is written the same way in a method's file and in a config: setting -> ``{low, high[, log]}`` for a range, or
``{choices: [...]}``. Whether a range is of integers follows from the setting's type.
"""

import json
import math
import random
from collections.abc import Mapping
from dataclasses import fields
from itertools import product
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import Field, model_validator

from adkd.base.errors import InputError, unknown
from adkd.base.records import Record
from adkd.base.validation import allowed, validated
from adkd.methods import registry, settings
from adkd.plan.sections import SpaceEntry


class Range(Record):
    """All values between two ends, both included."""

    type: Literal["int", "float"]
    low: int | float
    high: int | float
    log: bool

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"no range: from {self.low} to {self.high}{', log' * self.log}")
        return self

    @property
    def extremes(self) -> list[Any]:
        """The values that a check of the space has to try: both ends."""
        return [self.low, self.high]


class Choice(Record):
    """The values themselves."""

    type: Literal["choice"] = "choice"
    choices: tuple[bool | int | float | str | None, ...] = Field(min_length=1)

    @property
    def extremes(self) -> list[Any]:
        """The values that a check of the space has to try: all of them."""
        return list(self.choices)


Space = dict[str, Annotated[Range | Choice, Field(discriminator="type")]]
"""Setting -> its values."""
Changes = Mapping[str, Mapping[str, SpaceEntry | None]]
"""``sweeps.space`` of a config: "training" or a method -> setting -> entry; None where a setting is not searched."""

VARIANTS = {"full": "SPACE", "grid": "GRID"}
"""Variant -> its name in a method's file and, for what all methods share, in ``adkd.methods.settings``."""


def space_of(method: str, variant: str, changes: Changes) -> Space:
    """What a sweep of a method searches: the shared space, then its file's, then the config's; later ones win.

    Args:
        method: its name.
        variant: ``full``, or ``grid`` for the published grid.
        changes: ``sweeps.space`` of a config; None leaves a setting out.

    Raises:
        InputError: an unknown setting, an empty range, a value that is not allowed, or nothing to search.
    """
    name = VARIANTS[variant]
    where = f"{method}.{name}"
    literals = getattr(settings, name) | (registry.literal(method, name) or {})
    entries = validated(dict[str, SpaceEntry | None], literals, where)
    entries |= {**changes.get("training", {}), **changes.get(method, {})}
    space = {key: _entry(where, method, key, entry) for key, entry in entries.items() if entry is not None}
    if not space:
        raise InputError(
            f"the {variant} space of {method}", value=space, allowed="at least one setting", key="sweeps.space"
        )
    if variant == "grid" and (ranged := [key for key, entry in space.items() if isinstance(entry, Range)]):
        raise InputError(
            f"{ranged[0]} in the grid of {method}",
            value=space[ranged[0]].as_json(),
            allowed="{choices}, not a range",
            key=f"sweeps.space.{method}.{ranged[0]}",
        )
    return space


def check_changes(changes: Changes) -> None:
    """Check the spaces of a config against the settings of all methods, also of those that it does not run.

    Raises:
        InputError: an unknown section or setting, an empty range, or a value that is not allowed.
    """
    for section, entries in changes.items():
        if section != "training" and section not in registry.names():
            known = ["training", *registry.names()]
            raise unknown("section of sweeps.space", section, known, key=f"sweeps.space.{section}")
        for key, entry in entries.items():
            if entry is not None:
                _entry(f"sweeps.space.{section}", section, key, entry)


def split(method: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A point as the method's own settings, and those of training."""
    own = {key: value for key, value in values.items() if key not in settings.TRAINING}
    return own, {key: value for key, value in values.items() if key in settings.TRAINING}


def text(space: Space) -> str:
    """A space in words."""

    def values(entry: Range | Choice) -> str:
        if isinstance(entry, Choice):
            return f"one of {', '.join(map(json.dumps, entry.choices))}"
        return f"{entry.low:g} to {entry.high:g}{', log' * entry.log}"

    return "; ".join(f"{key} {values(entry)}" for key, entry in sorted(space.items()))


def grid_size(space: Space) -> int:
    """How many points a space of choices has."""
    return math.prod(map(len, _choices(space)))


def grid_point(space: Space, number: int, seed: int) -> dict[str, Any]:
    """Point ``number``, from 0, of a space of choices in an order shuffled by ``seed``; after the last the first."""
    keys = sorted(space)
    points = list(product(*_choices({key: space[key] for key in keys})))
    random.Random(seed).shuffle(points)
    return dict(zip(keys, points[number % len(points)], strict=True))


def _choices(space: Space) -> list[tuple[Any, ...]]:
    """The choices of every setting of a space without ranges.

    Raises:
        InputError: it has a range.
    """
    found = []
    for key, entry in space.items():
        if not isinstance(entry, Choice):
            raise InputError(f"{key} in a grid", value=entry.as_json(), allowed="{choices}, not a range")
        found.append(entry.choices)
    return found


def _entry(where: str, method: str, key: str, entry: SpaceEntry) -> Range | Choice:
    """An entry whose values the setting allows."""
    annotation, where = _annotation(where, method, key), f"{where}.{key}"
    if entry.choices is not None:
        if entry.low is not None or entry.high is not None or entry.log:
            raise InputError(
                where, value=entry.model_dump(exclude_unset=True), allowed="either {low, high, log} or {choices}"
            )
        for index, value in enumerate(entry.choices):
            validated(annotation, value, f"{where}.choices[{index}]")
        return Choice(choices=entry.choices)
    kind = _number(annotation)
    if kind is None:
        raise InputError(where, value=entry.model_dump(exclude_unset=True), allowed="{choices}, for it is not a number")
    low, high = (_end(f"{where}.{end}", annotation, getattr(entry, end)) for end in ("low", "high"))
    if not low < high:
        raise InputError(f"{where}.low", value=low, allowed=f"below {where}.high, which is {high}")
    if entry.log and low <= 0:
        raise InputError(f"{where}.low", value=low, allowed="above 0 on a log scale")
    return Range(type="int" if kind is int else "float", low=kind(low), high=kind(high), log=entry.log)


def _end(where: str, annotation: Any, value: Any) -> Any:
    if value is None:
        raise InputError(where, allowed=f"set to {allowed(annotation)}")
    return validated(annotation, value, where)


def _annotation(where: str, method: str, key: str) -> Any:
    known = {} if method == "training" else {field.name: field.type for field in fields(registry.outline(method))}
    known |= {field.name: field.type for field in fields(settings.Training)}
    if key not in known:
        raise unknown(f"setting of {where}", key, known, key=f"{where}.{key}")
    return known[key]


def _number(annotation: Any) -> type | None:
    """Whether a setting's numbers are integers; None for a setting that is not a number."""
    if annotation in (int, float):
        return annotation
    args = get_args(annotation)
    inner = args[:1] if get_origin(annotation) is Annotated else args
    return next((kind for kind in map(_number, inner) if kind), None)
