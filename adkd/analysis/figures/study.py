"""Figures of a study: its course, the importance of settings, score against every setting, best of n trials."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from adkd.analysis.figures.palette import BLUE, GREY, VERMILION
from adkd.analysis.figures.style import BLANK, STYLE, name_rows, panels_for, points, save, title
from adkd.analysis.stats.budget import expected_best
from adkd.data.tasks import task
from adkd.plan.space import Choice, Range
from adkd.plan.specs import StudyDefinition
from adkd.sweeps.trials import COMPLETE, Trial


def write(definition: StudyDefinition, trials: list[Trial], weights: pd.DataFrame, out: Path) -> None:
    """Draw ``history``, ``importance``, ``slices`` and ``expected`` as PDF, PNG and SVG into ``out``."""
    with plt.rc_context(STYLE):
        for name, figure in draw(definition, trials, weights).items():
            save(figure, out, name)


def draw(definition: StudyDefinition, trials: list[Trial], weights: pd.DataFrame) -> dict[str, Figure]:
    """Name -> figure.

    Args:
        definition: of the study.
        weights: the importance of every setting, as ``adkd.sweeps.outcome.importances`` gives it.
    """
    return {
        "history": _history(definition, trials),
        "importance": _importance(definition, weights),
        "slices": _slices(definition, trials),
        "expected": _expected(definition, trials),
    }


def _history(definition: StudyDefinition, trials: list[Trial]) -> Figure:
    figure, (axes,) = panels_for(1, 8)
    scored = _scored(trials)
    numbers, scores = [trial.number for trial, _ in scored], [100 * score for _, score in scored]
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


def _importance(definition: StudyDefinition, weights: pd.DataFrame) -> Figure:
    figure, (axes,) = panels_for(1, 2 + len(weights))
    values = weights["importance"].to_numpy()
    axes.barh(range(len(values)), np.nan_to_num(values), height=0.55, color=BLUE)
    for row, value in enumerate(values):
        if np.isnan(value):
            axes.text(0.02, row, "unknown", transform=axes.get_yaxis_transform(), **BLANK | {"ha": "left"})
    name_rows(axes, weights["setting"])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of importance (PED-ANOVA)")
    count = int(weights["trials"].iloc[0])
    title(
        figure,
        f"{_name(definition)}: how much a setting separates good trials from bad ones; "
        f"{count} scored trials, a rough guide at most",
    )
    return figure


def _slices(definition: StudyDefinition, trials: list[Trial]) -> Figure:
    scored = _scored(trials)
    winner, _ = max(scored, key=lambda pair: pair[1])  # the first of equal ones
    figure, panels = panels_for(len(definition.space), 6, share_rows=True)
    for number, (axes, (key, entry)) in enumerate(zip(panels, definition.space.items(), strict=True)):
        if isinstance(entry, Choice):
            _choices(axes, key, entry.choices)
        for trial, score in scored:
            value = trial.values[key]
            place = entry.choices.index(value) if isinstance(entry, Choice) else value
            color = VERMILION if trial is winner else BLUE
            axes.scatter(place, 100 * score, s=16, color=color, linewidths=0, zorder=3 + (trial is winner))
        if isinstance(entry, Range):
            _searched(axes, entry)
        axes.set_xlabel(key)
        if not number:
            axes.set_ylabel(_score(definition))
    title(
        figure,
        f"{_name(definition)}: score against every setting while the others vary too; vermilion = the best trial",
    )
    return figure


def _searched(axes: Axes, entry: Range) -> None:
    """Show all of the range that was searched, not only the values that were tried."""
    low, high = entry.low, entry.high
    if entry.log:
        room = (high / low) ** 0.04
        axes.set_xscale("log")
        axes.set_xlim(low / room, high * room)
        axes.xaxis.set_minor_formatter(NullFormatter())
        if high < 30 * low:  # less than two powers of ten have a tick
            ticks = (low, (low * high) ** 0.5, high)
            axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    else:
        axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=entry.type == "int"))


def _choices(axes: Axes, key: str, choices: Sequence) -> None:
    axes.set_xticks(range(len(choices)), [str(choice) for choice in choices])
    axes.set_xlim(-0.5, len(choices) - 0.5)


def _expected(definition: StudyDefinition, trials: list[Trial]) -> Figure:
    figure, (axes,) = panels_for(1, 8)
    best = 100 * expected_best([score for _, score in _scored(trials)])
    axes.plot(range(1, len(best) + 1), best, color=BLUE, linewidth=1.4, marker="o", markersize=3)
    axes.set_xlabel("scored trials")
    axes.set_ylabel(_score(definition))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    title(figure, f"{_name(definition)}: best to expect after n trials, had they come in another order")
    return figure


def _scored(trials: list[Trial]) -> list[tuple[Trial, float]]:
    """The trials that have a score, each with it."""
    return [(trial, trial.score) for trial in trials if trial.score is not None]


def _name(definition: StudyDefinition) -> str:
    return f"{definition.method} on {task(definition.task).title}"


def _score(definition: StudyDefinition) -> str:
    return f"held-out {points(task(definition.task).metrics[0])}"
