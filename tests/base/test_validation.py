"""Types in words, and values that a type allows or refuses."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, MinLen
from pydantic import BaseModel

from adkd.base.errors import InputError
from adkd.base.validation import STRICT, Distinct, allowed, validated

WORDS = {
    "true or false": bool,
    "an integer at least 1": Annotated[int, Ge(1)],
    "a number above 0 and at most 0.5": Annotated[float, Interval(gt=0, le=0.5)],
    "text or null": str | None,
    '"a", "b" or "c"': Literal["a", "b", "c"],
    "a list, each an integer": tuple[int, ...],
    "a list of distinct values, each text": Annotated[tuple[str, ...], Distinct()],
    "a non-empty list of distinct values, each a number above 0": Annotated[
        tuple[Annotated[float, Gt(0)], ...], MinLen(1), Distinct()
    ],
    "an integer, a mapping of keys to values or null": int | dict[str, int] | None,
}


@pytest.mark.parametrize("words", WORDS)
def test_a_type_in_words(words):
    assert allowed(WORDS[words]) == words


class Inner(BaseModel):
    model_config = STRICT
    share: Annotated[float, Interval(ge=0, le=1)] = 0.5
    names: Annotated[tuple[str, ...], Distinct()] = ()


class Outer(BaseModel):
    model_config = STRICT
    inner: Inner
    by_name: dict[str, Inner | None] = {}
    rest: Any = None


def test_a_value_becomes_what_its_type_says():
    value = validated(Outer, {"inner": {"share": 1, "names": ["a"]}, "by_name": {"x": None}, "rest": [1, 2.0]})
    assert value == Outer(inner=Inner(share=1.0, names=("a",)), by_name={"x": None}, rest=[1, 2.0])
    assert type(value.inner.share) is float
    assert validated(tuple[int, ...] | None, [1, 2]) == (1, 2)


@pytest.mark.parametrize(
    ("value", "what", "got"),
    [
        ({"inner": {"share": True}}, "inner.share", True),
        ({"inner": {"share": float("inf")}}, "inner.share", float("inf")),
        ({"inner": {"names": ["a", "b", "a"]}}, "inner.names", ["a", "b", "a"]),
        ({"inner": {}, "by_name": {"x": {"names": ["a", 1]}}}, "by_name.x.names[1]", 1),
        ({"inner": {"share": 2}, "by_name": {"x": {"nmaes": []}}}, "key of by_name.x", "nmaes"),
        ([], "the config", []),
    ],
)
def test_what_a_type_refuses_is_named_by_its_place(value, what, got):
    with pytest.raises(InputError) as caught:
        validated(Outer, value)
    assert (caught.value.what, caught.value.value) == (what, got)


def test_a_value_that_json_cannot_hold_is_refused():
    with pytest.raises(InputError, match="the config cannot be written as JSON"):
        validated(Outer, {("a", "b"): 1})
