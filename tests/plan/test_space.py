"""What a sweep searches is said in few words, and a slip in them is found before anything runs."""

import pytest

from adkd.base.errors import InputError
from adkd.methods import registry
from adkd.methods.settings import TRAINING
from adkd.plan import plan
from adkd.plan.space import VARIANTS, grid_point, grid_size, space_of, text
from tests.sweeps.conftest import config


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", registry.names())
def test_every_method_has_a_space_that_it_can_train_with(method, variant):
    found = space_of(method, variant, {})
    assert {"learning_rate", "epochs", "batch_size"} <= set(found)
    for number in range(3) if variant == "grid" else ():
        point = grid_point(found, number, 0)
        registry.configure(method, {key: value for key, value in point.items() if key not in TRAINING})


def test_the_shared_settings_stand_once_and_a_file_or_a_config_may_change_them():
    assert space_of("finetune", "full", {}) == {
        "batch_size": {"type": "choice", "choices": [8, 16, 32]},
        "epochs": {"type": "int", "low": 3, "high": 10, "log": False},
        "learning_rate": {"type": "float", "low": 1e-5, "high": 2e-4, "log": True},
    }
    assert space_of("pkd", "grid", {})["epochs"]["choices"] == [4], "its file's, not the shared one"
    changes = {"training": {"epochs": {"low": 1, "high": 2}, "batch_size": None}, "pkd": {"alpha": {"choices": [0.5]}}}
    found = space_of("pkd", "full", changes)
    assert found["epochs"]["high"] == 2
    assert "batch_size" not in found
    assert found["alpha"] == {"type": "choice", "choices": [0.5]}
    assert space_of("adkd", "full", changes)["alpha"]["type"] == "float", "another method's is its own"


WRONG = {
    "unknown section": ({"adkdd": {}}, 'unknown section of sweeps.space "adkdd"; did you mean "adkd"?'),
    "unknown setting": ({"adkd": {"betta": {"low": 1, "high": 2}}}, '"betta"; did you mean "beta"?'),
    "setting of another": ({"vanilla_kd": {"beta": {"low": 1, "high": 2}}}, 'sweeps.space.vanilla_kd "beta"'),
    "empty range": ({"adkd": {"beta": {"low": 3, "high": 3}}}, "is an empty range: low 3 is not below high 3"),
    "range upside down": ({"training": {"epochs": {"low": 3, "high": 1}}}, "low 3 is not below high 1"),
    "no end": ({"adkd": {"beta": {"low": 3}}}, "beta in sweeps.space.adkd has no high"),
    "log from zero": ({"adkd": {"beta": {"low": 0, "high": 1, "log": True}}}, "on a log scale from low 0"),
    "outside": ({"adkd": {"alpha": {"low": 0, "high": 1.5}}}, "is 1.5; allowed is a number at least 0 and at most 1"),
    "not whole": ({"training": {"epochs": {"low": 1.5, "high": 3}}}, "is 1.5; allowed is a whole number at least 1"),
    "text": ({"training": {"learning_rate": {"low": "1e-5", "high": 1.0}}}, "write 1.0e-05"),
    "unknown key": ({"adkd": {"beta": {"lo": 1, "high": 2}}}, 'key of beta in sweeps.space.adkd "lo"; did you mean'),
    "range of words": ({"pkd": {"layers": {"low": 1, "high": 2}}}, "layers in sweeps.space.pkd is no number"),
    "wrong choice": ({"pkd": {"layers": {"choices": ["skipp"]}}}, 'did you mean "skip"?'),
    "no choice": ({"pkd": {"layers": {"choices": []}}}, "choices of layers in sweeps.space.pkd is []"),
    "choice twice": ({"adkd": {"beta": {"choices": [1.0, 1.0]}}}, "allowed is each once"),
    "choice of lists": ({"adkd": {"terms": {"choices": [["kd"]]}}}, "allowed are numbers, text, true, false, null"),
    "both": ({"adkd": {"beta": {"choices": [1.0], "low": 1}}}, "has choices and a range"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_space_is_refused_with_the_value_and_what_is_allowed(case):
    space, words = WRONG[case]
    with pytest.raises(InputError) as caught:
        plan.validate(config(space=space))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_space_that_says_nothing_is_refused():
    nothing = {"training": {key: None for key in ("learning_rate", "epochs", "batch_size")}}
    with pytest.raises(InputError, match="full space of finetune is empty"):
        plan.validate(config("finetune", space=nothing))


def test_a_value_that_cannot_teach_this_student_is_refused():
    with pytest.raises(
        InputError, match="has top_k = 99, which cannot teach this student on stsb: top_k 99 is more than"
    ):
        plan.validate(config("adkd", space={"adkd": {"top_k": {"choices": [8, 99]}}}))


def test_a_space_is_told_in_words():
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
    with pytest.raises(InputError, match=r"sweeps.trials is 16, and the grid of tinybert has 12 points; .* at most 12"):
        plan.validate(given)
    plan.validate(config("tinybert", variant="grid", trials=12, space={}))
