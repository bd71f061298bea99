"""Results that were made with another spec than the plan's."""

from pathlib import Path
from typing import Any

from adkd.base.errors import InputError


def refuse_stale(report: Path, told: Any, planned: Any, command: str) -> None:
    """Refuse a result that was told something else than the plan says.

    Args:
        report: the file that repeats what the result was told.
        told: the spec in it.
        planned: the spec in the plan.
        command: what makes the result anew.

    Raises:
        InputError: they differ; it names the first place where they do.
    """
    if told != planned:
        where, was, is_now = difference(told, planned)
        raise InputError(
            f"{report} was made with another spec: {where or 'it'} was {was}, the plan says {is_now}; "
            f"make it anew with: {command}"
        )


def refuse_another(place: str, told: Any, asked: Any, remedy: str) -> None:
    """Refuse a place that holds trials of another study than the one that is asked for.

    Raises:
        InputError: it does; names the first place where they differ.
    """
    if told != asked:
        where, was, is_now = difference(told, asked)
        raise InputError(f"{place} belongs to another study: {where} was {was}, is now {is_now}; {remedy}")


def difference(told: Any, asked: Any, key: str = "") -> tuple[str, str, str]:
    """The first place where two JSON values differ: (dotted key, was, is now). They must differ."""
    if not (isinstance(told, dict) and isinstance(asked, dict)):
        return key, repr(told), repr(asked)
    for name in sorted(told.keys() | asked.keys()):
        inner = f"{key}.{name}" if key else name
        if name not in told:
            return inner, "not set", repr(asked[name])
        if name not in asked:
            return inner, repr(told[name]), "nothing about it"
        if told[name] != asked[name]:
            return difference(told[name], asked[name], inner)
    raise AssertionError("equal values have no difference")
