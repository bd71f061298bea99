"""Studies with made-up results: what trials would have left, without training."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from adkd.base.files import read_json, write_json
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import DEFAULT_CONFIG
from adkd.sweeps.ask import ask
from adkd.sweeps.trials import values_of

TINY = DEFAULT_CONFIG.parent / "tiny.yaml"


def config(method: str = "vanilla_kd", **sweeps: Any) -> dict[str, Any]:
    """A config of one method on STS-B, not yet validated."""
    found = yaml.safe_load(TINY.read_text()) | {"methods": [method], "reference": method, "tasks": ["stsb"]}
    return found | {"ablations": {}, "sweeps": found["sweeps"] | sweeps}


def score(values: dict[str, Any]) -> float:
    """Made up: best at one learning rate."""
    return 0.9 - abs(math.log10(values["learning_rate"]) + 2.6)


class Study:
    """The specs of one study in a directory, and trials that are answered without training."""

    def __init__(self, root: Path, given: dict[str, Any]):
        self.root = root
        planned = plan.build(validate(given), root)
        (self.name,) = planned.sweeps
        self.spec = planned.specs[self.name]
        self.definition = self.spec["study"]
        self.rounds = [spec for spec in planned.specs.values() if spec["stage"] == "round"]
        self.workers = [spec for spec in planned.specs.values() if spec["stage"] == "worker"]
        self.out = root / self.name

    def points(self, number: int) -> list[dict[str, Any]]:
        """Ask for a round; its points, as its specs have them."""
        ask(self.rounds[number], self.out / f"round-{number}")
        seed = next(iter(self.definition["trials"]))
        files = sorted((self.root / "plan" / self.name).glob(f"round-{number}/trial-*/seed-{seed}.json"))
        return [values_of(self.definition, read_json(file)) for file in files]

    def answer(self, number: int, of: Callable[[dict[str, Any]], float | None] = score) -> None:
        """Leave what the trials of a round would have left; one without a score has diverged."""
        for file in sorted((self.root / "plan" / self.name).glob(f"round-{number}/trial-*/seed-*.json")):
            told = read_json(file)
            found = of(values_of(self.definition, told))
            report = {"spec": told, "score": found, "diverged": None if found is not None else "the loss is nan"}
            place = self.root / file.relative_to(self.root / "plan").with_suffix("")
            write_json(place / "trial.json", report | {"seconds": 1.5, "started": 1e9})


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study in a directory of its own; ``where`` names another."""

    def make(method: str = "vanilla_kd", where: str = "results", **sweeps: Any) -> Study:
        return Study(tmp_path / where, config(method, **sweeps))

    return make
