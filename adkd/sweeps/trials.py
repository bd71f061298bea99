"""Trials of a study: their specs, their results, and the conversion of both to Optuna."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
from adkd.base.seeds import derived
from adkd.plan.reports import TrialReport
from adkd.plan.results import Results, refuse_another
from adkd.plan.space import Choice, Space
from adkd.plan.specs import StudyDefinition

optuna.logging.set_verbosity(optuna.logging.WARNING)

STATES = COMPLETE, PRUNED, DIVERGED, FAILED = "complete", "pruned", "diverged", "failed"
"""States of a finished trial. The first three count against the budget; a failed trial is retried as another trial."""


@dataclass(frozen=True)
class Trial:
    """One point of a space and its result."""

    number: int
    values: dict[str, Any]
    """Setting -> value."""
    state: str
    scores: dict[int, float] = field(default_factory=dict)
    """Seed -> held-out score, as a fraction."""
    seconds: float = 0.0
    """Sum over seeds."""
    started: float | None = None
    """Seconds since 1970."""
    note: str = ""
    """Why it has no score, or which trial it retries."""

    @property
    def score(self) -> float | None:
        """Mean over seeds; None for a trial that is not complete."""
        return fmean(self.scores.values()) if self.state == COMPLETE else None


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space as Optuna's distributions, in a fixed order, on which the draws of a seeded sampler depend."""
    kinds = {"int": IntDistribution, "float": FloatDistribution}
    return {
        key: CategoricalDistribution(entry.choices)
        if isinstance(entry, Choice)
        else kinds[entry.type](entry.low, entry.high, log=entry.log)
        for key, entry in sorted(space.items())
    }


def finished(definition: StudyDefinition, names: Mapping[str, str], results: Results) -> list[Trial]:
    """The trials of a study from the results with these names, in the order of their numbers.

    Args:
        names: ``NUMBER/SEED`` -> name.

    Raises:
        InputError: a result is missing, or belongs to another study.
    """
    reports: dict[int, list[TrialReport]] = {}
    for label, name in names.items():
        reports.setdefault(int(label.partition("/")[0]), []).append(_report(definition, name, results))
    return [_trial(definition, number, of_trial) for number, of_trial in sorted(reports.items())]


def as_study(definition: StudyDefinition, trials: Sequence[Trial]) -> optuna.Study:
    """An in-memory study with these finished trials. Diverged trials are converted to pruned ones."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials([_frozen(definition, trial) for trial in trials])
    return study


def sampler(definition: StudyDefinition, *purpose: object) -> optuna.samplers.BaseSampler:
    """The sampler of a study, seeded for one purpose: a round, or a worker."""
    seed = derived(definition.seed, definition.method, definition.task, *purpose)
    if definition.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=definition.startup)


def _report(definition: StudyDefinition, name: str, results: Results) -> TrialReport:
    file = results.report_file(name, "trial")
    command = f"snakemake sweep, or adkd sweep --method {definition.method} --task {definition.task}"
    report = TrialReport.read(file, command)
    planned = definition.trial(name, report.spec.seed, definition.values_of(report.spec))
    refuse_another(str(file), report.spec, planned, f"rebuild it with: {command}")
    return report


def _trial(definition: StudyDefinition, number: int, reports: Sequence[TrialReport]) -> Trial:
    values, *others = (definition.values_of(report.spec) for report in reports)
    if any(other != values for other in others):
        raise InputError(
            f"trial {number} of {definition.method} on {definition.task} has different settings for its seeds"
        )
    diverged = [report.diverged for report in reports if report.diverged]
    scores = {report.spec.seed: report.score for report in reports if report.score is not None}
    seconds, started = sum(report.seconds for report in reports), min(report.started for report in reports)
    return Trial(number, values, DIVERGED if diverged else COMPLETE, scores, seconds, started, "; ".join(diverged))


def _frozen(definition: StudyDefinition, trial: Trial) -> FrozenTrial:
    states = {COMPLETE: TrialState.COMPLETE, FAILED: TrialState.FAIL}
    frozen = create_trial(
        state=states.get(trial.state, TrialState.PRUNED),
        value=trial.score,
        params=trial.values,
        distributions=distributions(definition.space),
        user_attrs={"scores": {str(seed): score for seed, score in trial.scores.items()}, "note": trial.note},
    )
    if trial.started is not None:
        frozen.datetime_start = datetime.fromtimestamp(trial.started)
        frozen.datetime_complete = datetime.fromtimestamp(trial.started + trial.seconds)
    return frozen
