"""What a sweep searches is written in few words, and a mistake in them is found before anything runs."""

import pytest

from adkd.base.errors import ABSENT, InputError
from adkd.methods import registry
from adkd.methods.settings import TRAINING
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config
from adkd.plan.sections import SpaceEntry
from adkd.plan.space import VARIANTS, Choice, Range, grid_point, grid_size, space_of, text


def config(method="vanilla_kd", **sweeps):
    """The tiny config with one method on one task, not yet validated."""
    keys = load_config([CONFIGS / "tiny.yaml"])
    own = {"methods": [method], "reference": method, "tasks": ["stsb"], "ablations": {}}
    return keys | own | {"sweeps": keys["sweeps"] | sweeps}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", registry.names())
def test_every_method_has_a_space_that_it_can_train_with(method, variant):
    found = space_of(method, variant, {})
    assert {"learning_rate", "epochs", "batch_size"} <= set(found)
    for number in range(3) if variant == "grid" else ():
        point = grid_point(found, number, 0)
        registry.configure(method, {key: value for key, value in point.items() if key not in TRAINING})


def test_a_file_or_a_config_may_change_the_shared_space():
    assert space_of("finetune", "full", {}) == {
        "batch_size": Choice(choices=(8, 16, 32)),
        "epochs": Range(type="int", low=3, high=10, log=False),
        "learning_rate": Range(type="float", low=1e-5, high=2e-4, log=True),
    }
    assert space_of("pkd", "grid", {})["epochs"].choices == (4,), "its file's, not the shared one"
    changes = {
        "training": {"epochs": SpaceEntry(low=1, high=2), "batch_size": None},
        "pkd": {"alpha": SpaceEntry(choices=(0.5,))},
    }
    found = space_of("pkd", "full", changes)
    assert found["epochs"].high == 2
    assert "batch_size" not in found
    assert found["alpha"] == Choice(choices=(0.5,))
    assert space_of("adkd", "full", changes)["alpha"].type == "float", "another method's is its own"


NAMES = {
    "section": ({"adkdd": {}}, "section of sweeps.space", "adkdd", "adkd"),
    "setting": ({"adkd": {"betta": {"low": 1, "high": 2}}}, "setting of sweeps.space.adkd", "betta", "beta"),
    "setting of another": (
        {"vanilla_kd": {"beta": {"low": 1, "high": 2}}},
        "setting of sweeps.space.vanilla_kd",
        "beta",
        None,
    ),
    "key": ({"adkd": {"beta": {"lo": 1, "high": 2}}}, "key of sweeps.space.adkd.beta", "lo", "low"),
    "choice": ({"pkd": {"layers": {"choices": ["skipp"]}}}, "sweeps.space.pkd.layers.choices[0]", "skipp", "skip"),
}


@pytest.mark.parametrize("case", NAMES)
def test_an_unknown_name_in_a_space_is_refused_with_the_nearest(case):
    space, what, value, nearest = NAMES[case]
    with pytest.raises(InputError) as caught:
        validate(config(space=space))
    assert (caught.value.what, caught.value.value) == (what, value)
    assert nearest is None or caught.value.nearest == nearest


CHOICES = "a non-empty list of distinct values, each true or false, an integer, a number, text or null"
VALUES = {
    "empty range": (
        {"beta": {"low": 3, "high": 3}},
        "beta.low",
        3.0,
        "below sweeps.space.adkd.beta.high, which is 3.0",
    ),
    "range upside down": (
        {"epochs": {"low": 3, "high": 1}},
        "epochs.low",
        3,
        "below sweeps.space.adkd.epochs.high, which is 1",
    ),
    "no end": ({"beta": {"low": 3}}, "beta.high", ABSENT, "set to a number at least 0"),
    "log from zero": ({"beta": {"low": 0, "high": 1, "log": True}}, "beta.low", 0.0, "above 0 on a log scale"),
    "log is no flag": ({"beta": {"low": 1, "high": 2, "log": 1}}, "beta.log", 1, "true or false"),
    "outside": ({"alpha": {"low": 0, "high": 1.5}}, "alpha.high", 1.5, "a number at least 0 and at most 1"),
    "fraction": ({"epochs": {"low": 1.5, "high": 3}}, "epochs.low", 1.5, "an integer at least 1"),
    "text": (
        {"learning_rate": {"low": "1e-5", "high": 1.0}},
        "learning_rate.low",
        "1e-5",
        "a number above 0 and at most 1",
    ),
    "range of flags": (
        {"anneal": {"low": 0, "high": 1}},
        "anneal",
        {"low": 0, "high": 1},
        "{choices}, for it is not a number",
    ),
    "no choice": ({"beta": {"choices": []}}, "beta.choices", [], CHOICES + " or null"),
    "choice twice": ({"beta": {"choices": [1.0, 1.0]}}, "beta.choices", [1.0, 1.0], CHOICES + " or null"),
    "choice of lists": (
        {"terms": {"choices": [["kd"]]}},
        "terms.choices[0]",
        ["kd"],
        "true or false, an integer, a number, text or null",
    ),
    "both": (
        {"beta": {"choices": [1.0], "low": 1}},
        "beta",
        {"choices": (1.0,), "low": 1},
        "either {low, high, log} or {choices}",
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_wrong_space_is_refused_with_the_value_and_what_is_allowed(case):
    space, what, value, allowed = VALUES[case]
    with pytest.raises(InputError) as caught:
        validate(config(space={"adkd": space}))
    error = caught.value
    assert (error.what, error.value, error.allowed) == (f"sweeps.space.adkd.{what}", value, allowed)
    assert "\n" not in str(error)


def test_a_space_without_settings_is_refused():
    nothing = {"training": {key: None for key in ("learning_rate", "epochs", "batch_size")}}
    with pytest.raises(InputError) as caught:
        validate(config("finetune", space=nothing))
    assert caught.value.what == "the full space of finetune"


def test_a_value_that_cannot_teach_this_student_is_refused():
    with pytest.raises(InputError, match="has top_k = 99, which cannot teach this student on stsb: top_k 99"):
        validate(config("adkd", space={"adkd": {"top_k": {"choices": [8, 99]}}}))


def test_a_space_in_words():
    found = space_of("vanilla_kd", "full", {"training": {"epochs": None}})
    assert text(found) == (
        "alpha 0 to 1; batch_size one of 8, 16, 32; learning_rate 1e-05 to 0.0002, log; temperature 1 to 20, log"
    )


def test_a_grid_is_walked_through_once_in_a_shuffled_order():
    space = space_of("vanilla_kd", "grid", {})
    points = [grid_point(space, number, seed=5) for number in range(grid_size(space))]
    assert len({tuple(sorted(point.items())) for point in points}) == 27
    assert grid_point(space, 27, seed=5) == points[0]
    assert [grid_point(space, number, seed=6) for number in range(27)] != points


def test_no_method_gets_more_trials_than_another_has_points():
    given = config("tinybert", variant="grid", trials=16, space={})
    with pytest.raises(InputError, match="at most 12, the size of the grid of tinybert") as caught:
        validate(given)
    assert (caught.value.what, caught.value.value) == ("sweeps.trials", 16)
    validate(config("tinybert", variant="grid", trials=12, space={}))
