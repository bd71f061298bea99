"""What a study found: its trials, the best of them, and which settings mattered."""

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
"""With fewer scored trials nothing is said of which settings matter."""


def read(spec: StudySpec, results: Results) -> list[Trial]:
    """The trials of a study, in the order of their numbers, wherever they are kept.

    Raises:
        InputError: trials are missing, still running, or belong to another study.
    """
    if spec.mode == "rounds":
        return finished(spec.study, spec.inputs.trial or {}, results)
    from adkd.sweeps.storage import recorded  # databases, needed for few

    return recorded(spec, results)


def outcomes(trials: list[Trial]) -> str:
    """How many trials ended how, in words."""
    counts = Counter(trial.state for trial in trials)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def summary(trials: list[Trial], winner: Trial) -> dict[str, Any]:
    """What tables of several studies need of one."""
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
    """Setting -> its share in what told good trials from bad ones (PED-ANOVA, Watanabe et al. 2023), and the number of
    scored trials behind it; empty where those are too few or all equal, and for a setting with a single value."""
    scores = {trial.score for trial in trials if trial.score is not None}
    count = sum(trial.score is not None for trial in trials)
    found: dict[str, float] = {}
    if count >= FEWEST and len(scores) > 1:
        study = as_study(definition, [trial for trial in trials if trial.score is not None])
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    rows = [(key, found.get(key, np.nan), count) for key in definition.space]
    table = pd.DataFrame(rows, columns=["setting", "importance", "trials"])
    return table.sort_values("importance", ascending=False, kind="stable", na_position="last")


def about(spec: StudySpec, trials: list[Trial], winner: Trial) -> list[str]:
    """What stands above the best settings: what they are the best of."""
    definition = spec.study
    metric = task(definition.task).metrics[0]
    seeds = f"seed{'s' * (len(definition.trials) > 1)} {', '.join(definition.trials)}"
    return [
        f"{definition.method} on {definition.task}: trial {winner.number}, the best of {spec.trials} "
        f"({outcomes(trials)})",
        f"by {metric_title(metric)} on a held-out part of train, {winner.score:.4f}, mean over {seeds}.",
        "Made by a sweep and made anew by the next: to use it, layer it over a config, or say settings_from: sweeps.",
    ]
