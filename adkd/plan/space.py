"""Search spaces: which values of which settings a sweep tries. Imports no torch and no optuna.

A space is said the same way in a method's file and in a config: setting -> ``{low, high[, log]}`` for a range, or
``{choices: [...]}``. Whether a range is of whole numbers follows from the setting's type.
"""

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Annotated, Any, get_args, get_origin

from adkd.base.errors import InputError, shown, unknown
from adkd.methods import registry, settings

Entry = dict[str, Any]
Space = dict[str, Entry]
"""Setting -> ``{"type": "int" | "float", "low", "high", "log"}`` or ``{"type": "choice", "choices": [...]}``."""

VARIANTS = {"full": "SPACE", "grid": "GRID"}
"""Variant -> the name it has in a method's file, and in ``adkd/settings.py`` for what all methods share."""


def space_of(method: str, variant: str, changes: Mapping[str, Mapping[str, Any]]) -> Space:
    """What a sweep of a method searches: the shared settings, then its file's, then the config's; a later one wins.

    Args:
        method: its name.
        variant: ``full``, or ``grid`` for the published grid.
        changes: ``sweeps.space`` of a config: "training" or a method -> setting -> entry, None to leave it out.

    Raises:
        InputError: an unknown setting, an empty range, a value that is not allowed, or nothing to search.
    """
    name = VARIANTS[variant]
    shared, own = getattr(settings, name), registry.literal(method, name) or {}
    entries = {**shared, **own, **changes.get("training", {}), **changes.get(method, {})}
    where = f"the {variant} space of {method}"
    found = {key: _entry(where, method, key, entry) for key, entry in entries.items() if entry is not None}
    if not found:
        raise InputError(f"{where} is empty: there is nothing to search")
    if variant == "grid" and (ranged := [key for key, entry in found.items() if entry["type"] != "choice"]):
        raise InputError(f"{where} has a range for {ranged[0]}; a grid needs choices")
    return found


def check_changes(changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold what a config says of spaces against the settings there are, also of methods that it does not run.

    Raises:
        InputError: an unknown section or setting, an empty range, or a value that is not allowed.
    """
    for section, entries in changes.items():
        if section != "training" and section not in registry.names():
            raise unknown("section of sweeps.space", section, ["training", *registry.names()])
        for key, entry in entries.items():
            if entry is not None:
                _entry(f"sweeps.space.{section}", section, key, entry)


def split(method: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A point as the method's own settings, and those of training."""
    own = {key: value for key, value in values.items() if key not in settings.TRAINING}
    return own, {key: value for key, value in values.items() if key in settings.TRAINING}


def extremes(entry: Entry) -> list[Any]:
    """The values of a setting that a check of the space has to try: every choice, or both ends of a range."""
    return list(entry["choices"]) if entry["type"] == "choice" else [entry["low"], entry["high"]]


def text(space: Space) -> str:
    """A space in words."""

    def said(entry: Entry) -> str:
        if entry["type"] == "choice":
            return f"one of {', '.join(json.dumps(choice) for choice in entry['choices'])}"
        return f"{entry['low']:g} to {entry['high']:g}{', log' * entry['log']}"

    return "; ".join(f"{key} {said(entry)}" for key, entry in sorted(space.items()))


def grid_size(space: Space) -> int:
    """How many points a space of choices has."""
    return math.prod(len(entry["choices"]) for entry in space.values())


def grid_point(space: Space, number: int, seed: int) -> dict[str, Any]:
    """Point ``number``, from 0, of a space of choices in an order shuffled by ``seed``; after the last the first."""
    keys = sorted(space)
    points = list(product(*(space[key]["choices"] for key in keys)))
    random.Random(seed).shuffle(points)
    return dict(zip(keys, points[number % len(points)], strict=True))


def _entry(where: str, method: str, key: str, entry: Any) -> Entry:
    annotation = _annotation(where, method, key)
    if not isinstance(entry, Mapping):
        raise InputError(f"{key} in {where} is {shown(entry)}; allowed is {{low, high, log}} or {{choices}}")
    for part in entry:
        if part not in ("low", "high", "log", "choices"):
            raise unknown(f"key of {key} in {where}", part, ["low", "high", "log", "choices"])
    if "choices" in entry:
        if len(entry) > 1:
            raise InputError(f"{key} in {where} has choices and a range; allowed is one of them")
        return {"type": "choice", "choices": _choices(where, method, key, entry["choices"])}
    return _range(where, method, key, entry, _number(annotation))


def _annotation(where: str, method: str, key: str) -> Any:
    known = {} if method == "training" else {f.name: f.type for f in fields(registry.outline(method))}
    known |= {field.name: field.type for field in fields(settings.Training)}
    if key not in known:
        raise unknown(f"setting in {where}", key, known)
    return known[key]


def _choices(where: str, method: str, key: str, choices: Any) -> list[Any]:
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        raise InputError(f"choices of {key} in {where} is {shown(choices)}; allowed is a list of at least one")
    for value in choices:
        if not isinstance(value, bool | int | float | str | None):
            raise InputError(
                f"choices of {key} in {where} has {shown(value)}; allowed are numbers, text, true, false, null"
            )
        _check(where, method, key, value)
    if len(set(map(repr, choices))) < len(choices):
        raise InputError(f"choices of {key} in {where} is {shown(list(choices))}; allowed is each once")
    return list(choices)


def _range(where: str, method: str, key: str, entry: Mapping[str, Any], kind: type | None) -> Entry:
    if kind is None:
        raise InputError(f"{key} in {where} is no number, so that it has no range; allowed is {{choices: [...]}}")
    if lacking := [end for end in ("low", "high") if end not in entry]:
        raise InputError(f"{key} in {where} has no {lacking[0]}; allowed is {{low, high, log}} or {{choices}}")
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    for value in (low, high):
        _check(where, method, key, value)
    if not isinstance(log, bool):
        raise InputError(f"log of {key} in {where} is {shown(log)}; allowed is true or false")
    if not low < high:
        raise InputError(f"{key} in {where} is an empty range: low {low} is not below high {high}")
    if log and low <= 0:
        raise InputError(f"{key} in {where} is on a log scale from low {low}; allowed is a low above 0")
    return {"type": kind.__name__, "low": kind(low), "high": kind(high), "log": log}


def _check(where: str, method: str, key: str, value: Any) -> None:
    if key in settings.TRAINING:
        settings.check(settings.Training, {key: value}, where)
    else:
        settings.check(registry.outline(method), {key: value}, where)


def _number(annotation: Any) -> type | None:
    """Whether a setting's numbers are whole; None for one that is no number."""
    if annotation in (int, float):
        return annotation
    args = get_args(annotation)
    inner = args[:1] if get_origin(annotation) is Annotated else args
    return next((kind for kind in map(_number, inner) if kind), None)
