"""Errors that a user can mend: the value seen, the values allowed, the nearest match."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something given to the suite is wrong. The message is one line, meant for the user."""


def unknown(kind: str, value: object, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not in a closed set, with the nearest name that is."""
    names = [str(name) for name in allowed]
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return InputError(f'unknown {kind} "{value}"{hint} (allowed: {", ".join(names)})')


class RunError(RuntimeError):
    """A run went wrong and left no result. The message is one line, meant for the user."""


class Diverged(RunError):
    """A loss or a gradient became infinite or NaN: what these settings do, and would do again."""
