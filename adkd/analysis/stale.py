"""Results that were made with another spec than the plan's."""

from pathlib import Path
from typing import Any

from adkd.errors import InputError


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
        where, was, is_now = _difference("", told, planned)
        raise InputError(
            f"{report} was made with another spec: {where or 'it'} was {was}, the plan says {is_now}; "
            f"make it anew with: {command}"
        )


def _difference(key: str, told: Any, planned: Any) -> tuple[str, str, str]:
    """The first place where two JSON values differ: (dotted key, was, is now). They must differ."""
    if not (isinstance(told, dict) and isinstance(planned, dict)):
        return key, repr(told), repr(planned)
    for name in sorted(told.keys() | planned.keys()):
        inner = f"{key}.{name}" if key else name
        if name not in told:
            return inner, "not set", repr(planned[name])
        if name not in planned:
            return inner, repr(told[name]), "nothing about it"
        if told[name] != planned[name]:
            return _difference(inner, told[name], planned[name])
    raise AssertionError("equal values have no difference")
