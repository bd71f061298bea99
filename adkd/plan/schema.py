"""The schema of a config, and what it refuses in words: the key, the value seen, what is allowed, the nearest match."""

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from adkd.base.errors import InputError, shown, unknown

SCHEMA = Path(__file__).resolve().parents[2] / "workflow" / "schemas" / "config.schema.yaml"


def fill(config: dict[str, Any]) -> None:
    """Hold a config against the schema and fill in, in place, the defaults of the keys that it lacks.

    Raises:
        InputError: the first thing that the schema refuses; an unknown key before anything else.
    """
    errors = sorted(_validator().iter_errors(config), key=_rank)
    if errors:
        raise _in_words(errors[0])
    _fill(config, _validator().schema)


def _fill(value: Any, schema: Mapping[str, Any]) -> None:
    """Put the schema's defaults where a mapping lacks a key."""
    for key, below in schema.get("properties", {}).items():
        if "default" in below and key not in value:
            value[key] = copy.deepcopy(below["default"])
        if isinstance(value.get(key), dict):
            _fill(value[key], below)


@cache
def _validator() -> Draft202012Validator:
    # The standard takes 1.0 for an integer; a seed 1.0 would make a directory of that name.
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    schema = yaml.safe_load(SCHEMA.read_text())
    return extend(Draft202012Validator, type_checker=types)(schema)


_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "null",
    "boolean": "true or false",
}


def _rank(error: ValidationError) -> tuple[bool, list[str]]:
    """Unknown keys first: what is missing elsewhere may be what was misspelt."""
    return error.validator != "additionalProperties", [str(part) for part in error.absolute_path]


def _in_words(error: ValidationError) -> InputError:
    where = _dotted(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            allowed = error.schema["properties"]
            wrong = next(key for key in error.instance if key not in allowed)
            return unknown(f"key of {where or 'the config'}", wrong, allowed)
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return InputError(f"{where or 'the config'} has no {', '.join(missing)}; needed: {_list(error)}")
        case "enum":
            return unknown(f"value of {where}:", error.instance, error.validator_value)
        case "uniqueItems":
            twice = next(one for one in error.instance if error.instance.count(one) > 1)
            return InputError(f"{where} names {json.dumps(twice)} twice; allowed is each once")
        case "type":
            wanted = error.validator_value
            kinds = [wanted] if isinstance(wanted, str) else wanted
            allowed = " or ".join(_WORDS[kind] for kind in kinds)
            return InputError(f"{where} is {shown(error.instance)}; allowed is {allowed}")
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "above",
        "minItems": "a length of at least",
    }
    limit = f"{words.get(error.validator, error.validator)} {error.validator_value}"
    return InputError(f"{where} is {shown(error.instance)}; allowed is {limit}")


def _list(error: ValidationError) -> str:
    return ", ".join(error.validator_value)


def _dotted(path: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
