"""Figures of a study: its course, which settings mattered, score against every setting, best score after n trials."""

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from adkd.analysis.figures.palette import BLUE, GREY, VERMILION
from adkd.analysis.figures.stage import BLANK, STYLE, panels_for, save, title
from adkd.data.metrics import metric_title
from adkd.data.tasks import task
from adkd.plan.space import Entry
from adkd.plan.specs import Spec
from adkd.sweeps.trials import COMPLETE, Trial


def write(definition: Spec, trials: list[Trial], weights: pd.DataFrame, out: Path) -> None:
    """Draw ``history``, ``importance``, ``slices`` and ``expected`` as PDF and PNG into ``out``."""
    with plt.rc_context(STYLE):
        save(_history(definition, trials), out, "history")
        save(_importance(definition, weights), out, "importance")
        save(_slices(definition, trials), out, "slices")
        save(_expected(definition, trials), out, "expected")


def expected_best(scores: list[float]) -> np.ndarray:
    """[N] the mean of the best score of n = 1..N trials drawn without replacement from these N (Tang et al. 2020,
    arXiv:2004.13705): what a smaller budget would have found, had the trials come in another order."""
    ordered, count = np.sort(scores), len(scores)
    ranks = range(1, count + 1)
    # Of all subsets of n trials, comb(i - 1, n - 1) have the i-th smallest score as their best.
    shares = [[comb(i - 1, n - 1) / comb(count, n) for i in ranks] for n in ranks]
    return np.array(shares) @ ordered


def _history(definition: Spec, trials: list[Trial]) -> Figure:
    figure, (axes,) = panels_for(1, 8)
    scored = [trial for trial in trials if trial.state == COMPLETE]
    numbers, scores = [trial.number for trial in scored], [100 * trial.score for trial in scored]
    axes.step(numbers, np.maximum.accumulate(scores), where="post", color=VERMILION, linewidth=1.2)
    axes.scatter(numbers, scores, s=16, color=BLUE, linewidths=0, zorder=3)
    without = [trial.number for trial in trials if trial.state != COMPLETE]
    axes.plot(without, [0.02] * len(without), "x", color=GREY, markersize=4, transform=axes.get_xaxis_transform())
    axes.set_xlabel("trial")
    axes.set_ylabel(_score(definition))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    crosses = ", cross = no score (pruned, diverged or failed)" if without else ""
    title(figure, f"{_name(definition)}: dot = a trial, line = best so far{crosses}")
    return figure


def _importance(definition: Spec, weights: pd.DataFrame) -> Figure:
    figure, (axes,) = panels_for(1, 2 + len(weights))
    values = weights["importance"].to_numpy()
    axes.barh(range(len(values)), np.nan_to_num(values), height=0.55, color=BLUE)
    for row, value in enumerate(values):
        if np.isnan(value):
            axes.text(0.02, row, "not known", transform=axes.get_yaxis_transform(), **BLANK | {"ha": "left"})
    axes.set_yticks(range(len(values)), weights["setting"])
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of importance (PED-ANOVA)")
    count = int(weights["trials"].iloc[0])
    title(
        figure,
        f"{_name(definition)}: what told good trials from bad ones; {count} scored trials, a rough guide at most",
    )
    return figure


def _slices(definition: Spec, trials: list[Trial]) -> Figure:
    scored = [trial for trial in trials if trial.state == COMPLETE]
    winner = max(scored, key=lambda trial: trial.score)
    figure, panels = panels_for(len(definition["space"]), 6, share_rows=True)
    for number, (axes, (key, entry)) in enumerate(zip(panels, definition["space"].items(), strict=True)):
        if entry["type"] == "choice":
            _choices(axes, key, entry["choices"])
        for trial in scored:
            value = trial.values[key]
            place = entry["choices"].index(value) if entry["type"] == "choice" else value
            color = VERMILION if trial is winner else BLUE
            axes.scatter(place, 100 * trial.score, s=16, color=color, linewidths=0, zorder=3 + (trial is winner))
        if entry["type"] != "choice":
            _searched(axes, entry)
        axes.set_xlabel(key)
        if not number:
            axes.set_ylabel(_score(definition))
    title(
        figure, f"{_name(definition)}: score against every setting, the others varying too; vermilion = the best trial"
    )
    return figure


def _searched(axes: Axes, entry: Entry) -> None:
    """The axis of a range shows all of it, not just what was tried."""
    low, high = entry["low"], entry["high"]
    if entry["log"]:
        room = (high / low) ** 0.04
        axes.set_xscale("log")
        axes.set_xlim(low / room, high * room)
        axes.xaxis.set_minor_formatter(NullFormatter())
        if high < 30 * low:  # less than two powers of ten have a tick
            axes.set_xticks(
                [low, (low * high) ** 0.5, high], [f"{tick:.2g}" for tick in (low, (low * high) ** 0.5, high)]
            )
    else:
        axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=entry["type"] == "int"))


def _choices(axes: Axes, key: str, choices: list) -> None:
    axes.set_xticks(range(len(choices)), [str(choice) for choice in choices])
    axes.set_xlim(-0.5, len(choices) - 0.5)


def _expected(definition: Spec, trials: list[Trial]) -> Figure:
    figure, (axes,) = panels_for(1, 8)
    best = 100 * expected_best([trial.score for trial in trials if trial.state == COMPLETE])
    axes.plot(range(1, len(best) + 1), best, color=BLUE, linewidth=1.4, marker="o", markersize=3)
    axes.set_xlabel("scored trials")
    axes.set_ylabel(_score(definition))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    title(figure, f"{_name(definition)}: best to expect after n trials, had they come in another order")
    return figure


def _name(definition: Spec) -> str:
    return f"{definition['method']} on {task(definition['task']).title}"


def _score(definition: Spec) -> str:
    metric = task(definition["task"]).metrics[0]
    return f"held-out {metric_title(metric)} (×100)"
