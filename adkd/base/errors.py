"""Errors that a user can act on. Their fields say what is wrong; this module alone puts them into words."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Self

ABSENT: Any = object()
"""Stands for a field that an error does not have."""
LONGEST = 300
"""Most characters of a value that an error shows."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class InputError(ValueError):
    """An input of the suite is wrong. The message is one line.

    * ``InputError("seeds[0]", value=1.0, allowed="an integer")``: seeds[0] must be an integer, got 1.0
    * ``InputError("x.json is missing", remedy="make it with: adkd plan")``: x.json is missing; make it with: adkd plan
    * ``unknown("task", "rt", TASKS)``: unknown task "rt"; did you mean "rte"? (allowed: cola, sst2, ...)
    """

    def __init__(
        self,
        what: str,
        *,
        value: Any = ABSENT,
        allowed: str | tuple[str, ...] | None = None,
        nearest: str | None = None,
        remedy: str | None = None,
        where: tuple[str, ...] = (),
        key: str | None = None,
    ):
        """
        Args:
            what: the key, file or option that is wrong; with neither ``value`` nor ``allowed`` the whole problem.
            value: the value that was given.
            allowed: which values are valid: words that follow "must be", or all names of a closed set.
            nearest: the name in the closed set that the user probably meant.
            remedy: what to do about it, where this does not follow from ``allowed``.
            where: the place of the error, outermost first.
            key: the dotted key of a config that is wrong, where ``what`` is not that key. It is not shown: with it
                ``adkd.base.keys.located`` finds the line.
        """
        super().__init__(what)
        self.what, self.value, self.allowed, self.nearest = what, value, allowed, nearest
        self.remedy, self.where, self.key = remedy, where, key

    def within(self, where: str) -> Self:
        """The same error with one more place in front, such as the file that was read."""
        return type(self)(self.what, **(self.fields | {"where": (where, *self.where)}))

    def about(self, key: str) -> Self:
        """The same error, about this key of a config."""
        return type(self)(self.what, **(self.fields | {"key": key}))

    @property
    def fields(self) -> dict[str, Any]:
        """All fields but ``what``, by their names."""
        return {name: getattr(self, name) for name in ("value", "allowed", "nearest", "remedy", "where", "key")}

    def __str__(self) -> str:
        problem = "".join(f"{outer}: " for outer in self.where) + self._problem()
        return one_line(f"{problem}; {self.remedy}" if self.remedy else problem)

    def _problem(self) -> str:
        if isinstance(self.allowed, tuple):
            hint = f'; did you mean "{self.nearest}"?' if self.nearest else ""
            given = self.value if isinstance(self.value, str) else shown(self.value)
            return f'unknown {self.what} "{given}"{hint} (allowed: {", ".join(self.allowed)})'
        must = f" must be {self.allowed}" if self.allowed else ""
        got = "" if self.value is ABSENT else f", got {shown(self.value)}"
        return f"{self.what}{must}{got}"


def unknown(kind: str, value: object, allowed: Iterable[str], **fields: Any) -> InputError:
    """The error for a name that a closed set does not contain, with the nearest name that it contains."""
    names = tuple(map(str, allowed))
    nearest = next(iter(get_close_matches(str(value), names, n=1, cutoff=0.5)), None)
    return InputError(kind, value=value, allowed=names, nearest=nearest, **fields)


def missing(what: object, command: str) -> InputError:
    """The error for a file that does not exist yet, with the command that makes it."""
    return InputError(f"{what} is missing", remedy=f"make it with: {command}")


def shown(value: Any) -> str:
    """A value as an error shows it; text that looks like a number says that it is text."""
    if not isinstance(value, str):
        text = json.dumps(value, default=str, ensure_ascii=False)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    if len(value) > LONGEST:
        return json.dumps(value[:LONGEST], ensure_ascii=False) + "..."
    try:
        number = float(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    # YAML 1.1 reads 1e-5 as text, and Snakemake's --config turns every number inside a list or a mapping into text.
    exponent = f"; write {yaml_number(number)}" if "e" in value.lower() else ""
    return f"'{value}' (text, not a number{exponent})"


def first_line(error: Exception) -> str:
    """The first line of an error of a library, or the name of its class if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def yaml_number(number: float) -> str:
    """A number in the form that YAML reads as one: ``1.0e-05``, not ``1e-05``."""
    mantissa, e, exponent = repr(number).partition("e")
    return mantissa + (".0" if e and "." not in mantissa else "") + e + exponent


def one_line(text: str) -> str:
    """Text with its line ends and other control characters as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class RunError(RuntimeError):
    """A run failed and left no result. The message is one line."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class Diverged(RunError):
    """A loss or a gradient became infinite or NaN. The same settings would diverge again."""
