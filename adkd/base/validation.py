"""Values checked against their types by pydantic, and types in words. Imports no torch."""

import json
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from adkd.base.errors import InputError, unknown

STRICT = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
"""Configuration of every model: 1.0 is not an integer, true is not a number, unknown keys and infinity are errors.
A model is built when it is first used, for a command uses few of them."""

_WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    None: "null",
    NoneType: "null",
    Any: "any value",
}
_LIMITS = {Gt: ("gt", "above"), Ge: ("ge", "at least"), Lt: ("lt", "below"), Le: ("le", "at most")}


class Distinct:
    """Marks a tuple whose values differ from each other."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_distinct, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"uniqueItems": True}


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(value in values[:index] for index, value in enumerate(values)):
        raise PydanticCustomError("distinct", "two values are equal")
    return values


def validated(annotation: Any, value: Any, what: str = "") -> Any:
    """A value from YAML or JSON as an instance of its type: a list becomes a tuple, a mapping a model.

    Args:
        annotation: a model, or the type of a field.
        what: the dotted name of the value, for the error; empty for a whole config.

    Raises:
        InputError: the first thing that the type does not allow, unknown keys before anything else.
    """
    try:
        # Through JSON: even in strict mode a list then becomes a tuple, and 2 is accepted for a float.
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{what or 'the config'} cannot be written as JSON: {error}") from None
    try:
        return _adapter(annotation).validate_json(text)
    except ValidationError as error:
        raise _refusal(error, annotation, what) from None


def allowed(annotation: Any) -> str:
    """A type in words that follow "must be", e.g. ``a number at least 0 and at most 1``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is Annotated:
        return _limited(*args)
    if origin is Literal:
        return _either([json.dumps(value) for value in args])
    if origin in (Union, UnionType):
        return _either([allowed(arg) for arg in args])
    if origin in (tuple, list):
        return f"a list, each {allowed(args[0])}"
    return "a mapping of keys to values"


def _limited(annotation: Any, *metadata: Any) -> str:
    marks = [mark for item in metadata for mark in (item if isinstance(item, GroupedMetadata) else [item])]
    if get_origin(annotation) is tuple:
        empty = "" if not any(isinstance(mark, MinLen) for mark in marks) else "non-empty "
        values = " of distinct values" if any(isinstance(mark, Distinct) for mark in marks) else ""
        return f"a {empty}list{values}, each {allowed(get_args(annotation)[0])}"
    limits = [
        f"{word} {_number(getattr(mark, name))}"
        for mark in marks
        for kind, (name, word) in _LIMITS.items()
        if isinstance(mark, kind)
    ]
    return " ".join([allowed(annotation), " and ".join(limits)]).strip()


def _number(limit: Any) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


@cache
def _adapter(annotation: Any) -> TypeAdapter:
    # A model has its own configuration.
    return TypeAdapter(annotation, config=None if _is_model(annotation) else STRICT)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _refusal(error: ValidationError, annotation: Any, what: str) -> InputError:
    """The first problem as an InputError. Unknown keys come first: a key that is missing elsewhere may be misspelt."""
    problems = error.errors(include_url=False, include_context=False)
    problems = [problem for problem in problems if problem["type"] == "extra_forbidden"] or problems
    # Where a value can have several types, the deepest problem is that of the type that was meant.
    near = [problem for problem in problems if problem["loc"][:2] == problems[0]["loc"][:2]]
    problem = max(near, key=lambda problem: len(problem["loc"]))
    if problem["type"] == "json_invalid":  # half a character, or too many levels
        return InputError(f"{what or 'the config'} cannot be written as JSON: {problem['msg']}")
    where, here = what, annotation
    for step in problem["loc"]:
        kinds = _kinds(here)
        if len(kinds) > 1:  # this step is pydantic's name of the type that it tried
            if not str(step).startswith("dict["):
                break
            here = next(kind for kind in kinds if get_origin(kind) is dict)
        elif _is_model(kinds[0]):
            if step not in kinds[0].model_fields:
                return unknown(f"key of {where or 'the config'}", step, kinds[0].model_fields, key=_dotted(where, step))
            where, here = _dotted(where, step), kinds[0].model_fields[step].rebuild_annotation()
        else:
            where, here = _dotted(where, step), get_args(kinds[0])[-1 if get_origin(kinds[0]) is dict else 0]
    if problem["type"] == "missing":
        return InputError(where, allowed=f"set to {allowed(here)}")
    value, (kind, *others) = problem["input"], _kinds(here)
    if get_origin(kind) is Literal and isinstance(value, str) and not others:
        return unknown(where, value, get_args(kind))
    return InputError(where or "the config", value=value, allowed=allowed(here))


def _kinds(annotation: Any) -> list[Any]:
    """The types that a value can have, without limits and without null."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for arg in get_args(annotation) if arg is not NoneType for kind in _kinds(arg)]
    return [annotation]


def _dotted(where: str, step: str | int) -> str:
    return f"{where}[{step}]" if isinstance(step, int) else f"{where}.{step}".removeprefix(".")
