"""Trials: what a study asks them, what came of them, and both as Optuna has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.base.seeds import derived
from adkd.base.stale import refuse_stale
from adkd.plan.space import Space, split
from adkd.plan.specs import Spec

optuna.logging.set_verbosity(optuna.logging.WARNING)

STATES = COMPLETE, PRUNED, DIVERGED, FAILED = "complete", "pruned", "diverged", "failed"
"""What became of a trial. The first three count against the budget; a failed one is tried again, as another trial."""


@dataclass(frozen=True)
class Trial:
    """One point of a space, tried."""

    number: int
    values: dict[str, Any]
    """Setting -> value."""
    state: str
    scores: dict[int, float] = field(default_factory=dict)
    """Seed -> held-out score, as a fraction."""
    seconds: float = 0.0
    """Of all seeds, added up."""
    started: float | None = None
    """Seconds since 1970."""
    note: str = ""
    """Why it has no score, or what it tries again."""

    @property
    def score(self) -> float | None:
        """Mean over seeds; None without one."""
        return fmean(self.scores.values()) if self.state == COMPLETE else None


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space as Optuna has it; what a seeded sampler draws depends on their order."""
    kinds = {"int": IntDistribution, "float": FloatDistribution}
    return {
        key: CategoricalDistribution(entry["choices"])
        if entry["type"] == "choice"
        else kinds[entry["type"]](entry["low"], entry["high"], log=entry["log"])
        for key, entry in sorted(space.items())
    }


def trial_spec(definition: Spec, seed: int | str, values: Mapping[str, Any]) -> Spec:
    """The spec of a trial of the study that has this definition, with one seed."""
    base = definition["trials"][str(seed)]
    own, training = split(definition["method"], values)
    matching = (
        asked["paths"]
        for asked in definition["signals"]
        if str(asked["seed"]) == str(seed) and all(values[key] == value for key, value in asked["when"].items())
    )
    signals = next(matching, None)  # a point of another space may have none
    return base | {
        "settings": base["settings"] | own,
        "training": base["training"] | training,
        "inputs": base["inputs"] | {"signals": signals},
    }


def values_of(definition: Spec, told: Spec) -> dict[str, Any]:
    """The point that a trial with this spec tries; None for a setting that its method did not have."""
    given = {**told["settings"], **told["training"]}
    return {key: given.get(key) for key in definition["space"]}


def finished(definition: Spec, paths: Mapping[str, str]) -> list[Trial]:
    """The trials of a study whose results lie in these directories, in the order of their numbers.

    Args:
        definition: the study's.
        paths: ``NUMBER/SEED`` -> directory.

    Raises:
        InputError: a result is missing, or belongs to another study.
    """
    reports: dict[int, list[dict[str, Any]]] = {}
    for label, path in paths.items():
        reports.setdefault(int(label.partition("/")[0]), []).append(_report(definition, Path(path)))
    return [_trial(definition, number, found) for number, found in sorted(reports.items())]


def as_study(definition: Spec, trials: Sequence[Trial]) -> optuna.Study:
    """An in-memory study that has finished these trials. To Optuna a diverged trial is a pruned one: tried, no good."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials([_frozen(definition, trial) for trial in trials])
    return study


def sampler(definition: Spec, *purpose: object) -> optuna.samplers.BaseSampler:
    """The sampler of a study, seeded for one purpose: a round, or a worker."""
    seed = derived(definition["seed"], definition["method"], definition["task"], *purpose)
    if definition["sampler"] == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=definition["startup"])


def _report(definition: Spec, path: Path) -> dict[str, Any]:
    report = path / "trial.json"
    command = f"snakemake sweep, or adkd sweep --method {definition['method']} --task {definition['task']}"
    if not report.is_file():
        raise InputError(f"{report} is missing; make it with: {command}")
    found = read_json(report)
    told = found["spec"]
    values = values_of(definition, told)
    refuse_stale(report, told, trial_spec(definition, told["seed"], values), command)
    return found | {"values": values}


def _trial(definition: Spec, number: int, reports: Sequence[Mapping[str, Any]]) -> Trial:
    values = reports[0]["values"]
    if any(report["values"] != values for report in reports):
        raise InputError(
            f"trial {number} of {definition['method']} on {definition['task']} has seeds of several points"
        )
    diverged = [report["diverged"] for report in reports if report["diverged"]]
    scores = {report["spec"]["seed"]: report["score"] for report in reports if report["score"] is not None}
    seconds, started = sum(report["seconds"] for report in reports), min(report["started"] for report in reports)
    return Trial(number, values, DIVERGED if diverged else COMPLETE, scores, seconds, started, "; ".join(diverged))


def _frozen(definition: Spec, trial: Trial) -> FrozenTrial:
    states = {COMPLETE: TrialState.COMPLETE, FAILED: TrialState.FAIL}
    frozen = create_trial(
        state=states.get(trial.state, TrialState.PRUNED),
        value=trial.score,
        params=trial.values,
        distributions=distributions(definition["space"]),
        user_attrs={"scores": {str(seed): score for seed, score in trial.scores.items()}, "note": trial.note},
    )
    if trial.started is not None:
        frozen.datetime_start = datetime.fromtimestamp(trial.started)
        frozen.datetime_complete = datetime.fromtimestamp(trial.started + trial.seconds)
    return frozen
