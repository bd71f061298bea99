"""The outcome of a study: its trials, the best of them, and the importance of settings."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
import optuna
import pandas as pd

from adkd.data.metrics import metric_title
from adkd.data.tasks import task
from adkd.plan.reports import BestTrial
from adkd.plan.results import Results
from adkd.plan.specs import StudyDefinition, StudySpec
from adkd.sweeps.trials import COMPLETE, STATES, Trial, as_study, finished

FEWEST = 4
"""Smallest number of scored trials from which the importance of settings is estimated."""


def read(spec: StudySpec, results: Results) -> list[Trial]:
    """The trials of a study of either mode, in the order of their numbers.

    Raises:
        InputError: trials are missing, still running, or belong to another study.
    """
    if spec.mode == "rounds":
        return finished(spec.study, spec.inputs.trial or {}, results)
    from adkd.sweeps.storage import recorded  # imports a database driver, which most studies do not need

    return recorded(spec, results)


def outcomes(trials: list[Trial]) -> str:
    """The number of trials in every state, as text."""
    counts = Counter(trial.state for trial in trials)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def summary(trials: list[Trial], winner: Trial) -> dict[str, Any]:
    """The part of a study's report that the tables of several studies need."""
    counts = Counter(trial.state for trial in trials)
    return {
        "counts": {state: counts[state] for state in STATES},
        "seconds": sum(trial.seconds for trial in trials),
        "scores": tuple(trial.score for trial in trials if trial.score is not None),
        "best": BestTrial(number=winner.number, score=winner.score or 0.0, values=winner.values),
    }


def trials_table(definition: StudyDefinition, trials: list[Trial]) -> pd.DataFrame:
    """One row per trial: number, state, score (mean over seeds), sd (ddof=1), n, its settings, seconds, note."""
    rows = []
    for trial in trials:
        scores = list(trial.scores.values()) if trial.state == COMPLETE else []
        sd = np.std(scores, ddof=1) if len(scores) > 1 else np.nan
        about = {"number": trial.number, "state": trial.state, "score": trial.score, "sd": sd, "n": len(scores)}
        rows.append(about | trial.values | {"seconds": trial.seconds, "note": trial.note})
    columns = ["number", "state", "score", "sd", "n", *definition.space, "seconds", "note"]
    return pd.DataFrame(rows, columns=columns)


def importances(definition: StudyDefinition, trials: list[Trial]) -> pd.DataFrame:
    """Setting -> its importance (PED-ANOVA, Watanabe et al. 2023) and the number of scored trials that it is based on.

    The importance is missing if there are too few scores or all are equal, and for a setting with a single value.
    """
    scores = {trial.score for trial in trials if trial.score is not None}
    count = sum(trial.score is not None for trial in trials)
    importance: dict[str, float] = {}
    if count >= FEWEST and len(scores) > 1:
        study = as_study(definition, [trial for trial in trials if trial.score is not None])
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            importance = optuna.importance.get_param_importances(study, evaluator=evaluator)
    rows = [(key, importance.get(key, np.nan), count) for key in definition.space]
    table = pd.DataFrame(rows, columns=["setting", "importance", "trials"])
    return table.sort_values("importance", ascending=False, kind="stable", na_position="last")


def about(spec: StudySpec, trials: list[Trial], winner: Trial) -> list[str]:
    """The comment above the best settings: which study they are from."""
    definition = spec.study
    metric = task(definition.task).metrics[0]
    seeds = f"seed{'s' * (len(definition.trials) > 1)} {', '.join(definition.trials)}"
    return [
        f"{definition.method} on {definition.task}: trial {winner.number}, the best of {spec.trials} "
        f"({outcomes(trials)})",
        f"by {metric_title(metric)} on a held-out part of train, {winner.score:.4f}, mean over {seeds}.",
        "A sweep overwrites this file. To use it, layer it over a config, or set settings_from: sweeps.",
    ]
