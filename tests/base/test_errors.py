"""Every combination of an error's fields becomes one readable line."""

import pytest

from adkd.base.errors import InputError, missing, shown, unknown


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "seed"),
        ({"value": 1.0}, "seed, got 1.0"),
        ({"allowed": "an integer"}, "seed must be an integer"),
        ({"value": 1.0, "allowed": "an integer"}, "seed must be an integer, got 1.0"),
        ({"value": None, "allowed": "an integer"}, "seed must be an integer, got null"),
        ({"remedy": "write 1"}, "seed; write 1"),
        ({"value": 1.0, "allowed": "an integer", "remedy": "write 1"}, "seed must be an integer, got 1.0; write 1"),
        ({"value": "b", "allowed": ("c", "d")}, 'unknown seed "b" (allowed: c, d)'),
        (
            {"value": "b", "allowed": ("c", "d"), "nearest": "c"},
            'unknown seed "b"; did you mean "c"? (allowed: c, d)',
        ),
        ({"value": 2, "allowed": ("c", "d"), "remedy": "write c"}, 'unknown seed "2" (allowed: c, d); write c'),
        ({"value": 1.0, "where": ("a.yaml", "sweeps")}, "a.yaml: sweeps: seed, got 1.0"),
    ],
)
def test_an_error_shows_the_fields_that_it_has(fields, message):
    assert str(InputError("seed", **fields)) == message


def test_a_place_goes_in_front_of_an_error_and_changes_nothing_else():
    inner = unknown("task", "rt", ["rte", "cola"], remedy="see `adkd tasks`")
    outer = inner.within("sweeps").within("a.yaml")
    assert outer.where == ("a.yaml", "sweeps")
    assert outer.fields | {"where": ()} == inner.fields
    assert str(outer) == f"a.yaml: sweeps: {inner}"


@pytest.mark.parametrize(("name", "nearest"), [("rt", "rte"), ("clola", "cola"), ("zzz", None), (7, None)])
def test_an_unknown_name_has_the_nearest_allowed_one(name, nearest):
    error = unknown("task", name, {"rte": 1, "cola": 2})
    assert (error.what, error.value, error.allowed, error.nearest) == ("task", name, ("rte", "cola"), nearest)


def test_a_missing_file_has_the_command_that_makes_it():
    error = missing("plan.json", "adkd plan")
    assert error.remedy == "make it with: adkd plan"
    assert str(error) == "plan.json is missing; make it with: adkd plan"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("rte", '"rte"'),
        ("1.5", "'1.5' (text, not a number)"),
        ("1e-5", "'1e-5' (text, not a number; write 1.0e-05)"),
        ("2E3", "'2E3' (text, not a number; write 2000.0)"),
        (1e-5, "1e-05"),
        (True, "true"),
        (["ß", None], '["ß", null]'),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_a_value_is_shown_as_json_and_text_that_looks_like_a_number_as_text(value, text):
    assert shown(value) == text
