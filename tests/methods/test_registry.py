"""Methods are found by file name, listed and configured without torch, and refused with a reason."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from adkd.base.errors import InputError
from adkd.methods import registry
from adkd.methods.method_config import MethodConfig, Shape

GOOD = '''"""A method for tests.

More of it.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, Interval
from torch.nn.functional import normalize

from adkd.methods import contract
from adkd.methods.method_config import MethodConfig, Shape

LIMIT = 2
LAYERS = (1, LIMIT)
DEVICE = torch.device("cpu")


def deepest(layers):
    return max(layers)


@dataclass(frozen=True)
class Config(MethodConfig):
    alpha: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Weight of
    this."""
    layers: tuple[int, ...] = LAYERS
    normalize: bool = False
    kind: Literal["skip", "last"] = "skip"
    """Which."""
    top: Annotated[int, Gt(0)] | None = None
    weights: dict[str, float] = field(default_factory=dict)

    needs: ClassVar[frozenset[str]] = frozenset({"cls"})

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        return "too deep" if deepest(self.layers) >= student.layers else None


class Method(contract.Method[Config]):
    second_order = True
'''


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Stands in for the suite's directory; returns a function that adds a baseline."""
    (tmp_path / "adkd/methods").mkdir(parents=True)
    (tmp_path / "baselines").mkdir()
    monkeypatch.setattr(registry, "_ROOT", tmp_path)

    def add(text: str, name: str = "good") -> Path:
        path = tmp_path / "baselines" / f"{name}.py"
        path.write_text(text)
        return path

    return add


def test_methods_are_files():
    assert registry.names()[0] == "adkd"
    assert {"finetune", "vanilla_kd", "pkd", "tinybert"} <= set(registry.names())
    assert registry.file("adkd").parent.name == "methods"
    assert registry.file("pkd").parent.name == "baselines"
    with pytest.raises(InputError) as caught:
        registry.file("pdk")
    assert (caught.value.value, caught.value.nearest) == ("pdk", "pkd")


def test_a_file_with_an_underscore_is_no_method(suite):
    suite("", "_shared")
    assert registry.names() == []


def test_listing_imports_no_torch():
    script = (
        "import sys; from adkd.methods import registry\n"
        "for name in registry.names():\n"
        "    print(registry.summary(name), registry.fields(name), registry.configure(name, {}))\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("name", registry.names())
def test_every_method_has_a_summary_documented_settings_and_valid_defaults(name):
    assert registry.summary(name).endswith(".")
    assert all(setting.doc.endswith(".") for setting in registry.fields(name))
    defaults = {setting.name: setting.default for setting in registry.fields(name)}
    assert registry.configure(name, defaults) == registry.configure(name, {})


@pytest.mark.parametrize("name", registry.names())
def test_the_outline_is_the_config_that_the_method_has(name):
    real = importlib.import_module(registry.load(name).__module__).Config
    assert vars(registry.configure(name, {})) == vars(real())
    assert registry.outline(name).needs == real.needs


def test_a_config_stands_on_what_its_file_says_of_it(suite):
    suite(GOOD)
    config = registry.configure("good", {"alpha": 1, "layers": [3, 4], "top": 5})
    assert isinstance(config, MethodConfig)
    assert (config.alpha, config.layers, config.top) == (1.0, (3, 4), 5)
    assert config.fits(Shape(4, 8, 2), Shape(4, 8, 2)) == "too deep"
    assert config.needs == {"cls"}
    assert registry.outline("good") is registry.outline("good")
    assert registry.summary("good") == "A method for tests."
    assert [(s.name, s.default, s.doc) for s in registry.fields("good")][:4] == [
        ("alpha", 0.5, "Weight of this."),
        ("layers", (1, 2), ""),
        ("normalize", False, ""),
        ("kind", "skip", "Which."),
    ]
    assert registry.fields("good")[0].allowed == "a number at least 0 and at most 1"


def test_an_edited_file_is_read_again(suite):
    suite(GOOD)
    assert registry.configure("good", {}).alpha == 0.5
    suite(GOOD.replace("= 0.5", "= 0.75"))
    assert registry.configure("good", {}).alpha == 0.75


@pytest.mark.parametrize(
    ("values", "what", "nearest"),
    [
        ({"alhpa": 1}, "setting of good", "alpha"),
        ({"epoch": 1}, "setting of good", "epochs"),
        ({"kind": "skp"}, "good.kind", "skip"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(suite, values, what, nearest):
    suite(GOOD)
    with pytest.raises(InputError) as caught:
        registry.configure("good", values)
    assert (caught.value.what, caught.value.nearest) == (what, nearest)


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("alpha", 2, "a number at least 0 and at most 1"),
        ("alpha", True, "a number at least 0 and at most 1"),
        ("alpha", "0.5", "a number at least 0 and at most 1"),
        ("alpha", None, "a number at least 0 and at most 1"),
        ("alpha", float("inf"), "a number at least 0 and at most 1"),
        ("layers", 1, "a list, each an integer"),
        ("normalize", "no", "true or false"),
        ("kind", 1, '"skip" or "last"'),
        ("top", 0, "an integer above 0 or null"),
        ("top", 1.0, "an integer above 0 or null"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(suite, setting, value, allowed):
    suite(GOOD)
    with pytest.raises(InputError) as caught:
        registry.configure("good", {setting: value})
    assert (caught.value.what, caught.value.value, caught.value.allowed) == (f"good.{setting}", value, allowed)
    assert "\n" not in str(caught.value)


def test_a_wrong_element_is_named_by_its_place(suite):
    suite(GOOD)
    with pytest.raises(InputError) as caught:
        registry.configure("good", {"layers": [1, "2"]})
    assert (caught.value.what, caught.value.value, caught.value.allowed) == ("good.layers[1]", "2", "an integer")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("class Config(MethodConfig)", "class Settings(MethodConfig)", "no class Config"),
        ("class Config(MethodConfig)", "class Config", "a frozen dataclass"),
        ("@dataclass(frozen=True)\n", "", "a frozen dataclass"),
        ("frozen=True", "frozen=False", "cannot inherit non-frozen dataclass from a frozen one"),
        ("LIMIT = 2", "LIMIT = DEVICE", "import torch"),
        ("return max(layers)", "return normalize(layers)", "from torch.nn.functional import normalize"),
        ("tuple[int, ...] = LAYERS", "tuple[int, ...] = NOWHERE", "name 'NOWHERE' is not defined"),
        ("kind: Literal", "epochs: Literal", "epochs is a training key"),
        ("le=1)] = 0.5", "le=1)]", "the setting alpha has no default"),
        ("class Config(MethodConfig):", "class Config(MethodConfig:", "good.py:"),
    ],
)
def test_a_file_that_is_no_method_is_named_with_the_reason(suite, old, new, words):
    assert old in GOOD
    path = suite(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        registry.configure("good", {})
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_section_name_cannot_name_a_method(suite):
    suite(GOOD, "teacher")
    with pytest.raises(InputError) as caught:
        registry.outline("teacher")
    assert caught.value.value == "teacher"


def test_an_output_that_does_not_exist_is_refused_when_the_method_is_listed(suite):
    path = suite(GOOD.replace('frozenset({"cls"})', 'frozenset({"cls", "token_map"})'))
    with pytest.raises(InputError) as caught:
        registry.fields("good")
    assert (caught.value.value, caught.value.nearest) == ("token_map", "token_maps")
    assert caught.value.where == (str(path),)


@pytest.mark.parametrize("needs", ['{"cls"}', '"cls"', "None"])
def test_needs_are_a_frozenset(suite, needs):
    suite(GOOD.replace('frozenset({"cls"})', needs))
    with pytest.raises(InputError) as caught:
        registry.outline("good")
    assert "needs" in caught.value.what
    assert "frozenset" in caught.value.allowed
