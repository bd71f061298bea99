"""Studies with made-up results: the reports of their trials are written without training."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from adkd.base.errors import InputError
from adkd.bench.made_up import PROVENANCE
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import DEFAULT_CONFIG
from adkd.plan.reports import TrialReport
from adkd.plan.results import Results
from adkd.plan.specs import RoundSpec, StudySpec, TrialSpec, WorkerSpec
from adkd.sweeps.ask import ask
from adkd.sweeps.storage import opened

TINY = DEFAULT_CONFIG.parent / "tiny.yaml"


def config(method: str = "vanilla_kd", **sweeps: Any) -> dict[str, Any]:
    """A config of one method on STS-B, not yet validated."""
    tiny = yaml.safe_load(TINY.read_text()) | {"methods": [method], "reference": method, "tasks": ["stsb"]}
    return tiny | {"ablations": {}, "sweeps": tiny["sweeps"] | sweeps}


def score(values: dict[str, Any]) -> float:
    """A made-up score, which is highest at one learning rate."""
    return 0.9 - abs(math.log10(values["learning_rate"]) + 2.6)


class Study:
    """The specs of one study, and trials that are answered without training."""

    def __init__(self, results: Results, keys: dict[str, Any]):
        self.results = results
        specs = plan.build(validate(keys), results).specs.values()
        (self.spec,) = (spec for spec in specs if isinstance(spec, StudySpec))
        self.definition = self.spec.study
        self.rounds = [spec for spec in specs if isinstance(spec, RoundSpec)]
        self.workers = [spec for spec in specs if isinstance(spec, WorkerSpec)]
        self.out = results.directory(self.spec.result)

    def trials(self, number: int) -> list[TrialSpec]:
        """The specs of a round that ``points`` has written."""
        folder = self.results.root / "plan" / self.rounds[number].result
        names = [self.results.of(file)[1] for file in sorted(folder.glob("trial-*/seed-*.json"))]
        return [self.results.spec(name, TrialSpec) for name in names]

    def points(self, number: int) -> list[dict[str, Any]]:
        """Ask for a round; returns its points."""
        ask(self.rounds[number], self.results)
        seed = next(iter(self.definition.trials))
        return [self.definition.values_of(trial) for trial in self.trials(number) if str(trial.seed) == seed]

    def answer(self, number: int, of: Callable[[dict[str, Any]], float | None] = score) -> None:
        """Write the reports of the trials of a round; a trial without a score has diverged."""
        for trial in self.trials(number):
            value = of(self.definition.values_of(trial))
            report = TrialReport(
                spec=trial,
                score=value,
                diverged="the loss is nan" if value is None else None,
                history=(),
                selection=None,
                seconds=1.5,
                started=1e9,
                finished=1e9 + 1.5,
                **PROVENANCE,
            )
            report.write(self.results.report_file(trial.result, trial.stage))


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Creates a study in a tree of results of its own; ``where`` names another tree."""

    def create(method: str = "vanilla_kd", where: str = "results", **sweeps: Any) -> Study:
        return Study(Results(tmp_path / where), config(method, **sweeps))

    return create


def tell(one: optuna.Study, trial: optuna.Trial) -> None:
    """End a trial as a worker does."""
    value = score(trial.params)
    trial.set_user_attr("scores", {"1": value})
    trial.set_user_attr("seconds", 2.0)
    one.tell(trial, value)


def refused(given: Study) -> InputError:
    """The error, of one line, with which a worker refuses the storage of a study."""
    with pytest.raises(InputError) as caught:
        opened(given.workers[0], given.results)
    assert "\n" not in str(caught.value)
    return caught.value
