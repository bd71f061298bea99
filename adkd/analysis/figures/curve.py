"""The figure of an ablation: what became of the score as one thing was varied, with the base run to hold it against."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.figures.palette import BLACK, BLUE, GREY, VERMILION
from adkd.analysis.figures.stage import BLANK, STYLE, interval, panels_for, save, seeds, title
from adkd.analysis.grid import TEACHER, Column, Grid, read_grid, read_scores, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.base.errors import InputError
from adkd.data.metrics import metric_title


def write(grid: Path, scores: Path, out: Path) -> None:
    """Draw ``curve`` as PDF and PNG into ``out``, on the main split.

    Raises:
        InputError: the scores are missing, or the grid is not an ablation's.
    """
    plan = read_grid(grid)
    if plan.title is None:
        raise InputError(f"{grid} is not the grid of an ablation; those are results/plan/ablations/NAME.json")
    table = read_scores(plan, scores)
    with plt.rc_context(STYLE):
        save(_curve(plan, table), out, "curve")


def _curve(plan: Grid, table: pd.DataFrame) -> Figure:
    """One panel per column, a row per point from top to bottom; a line joins them where one setting is varied."""
    role = plan.roles[0]
    there = set(zip(table["task"], table["split"], strict=True))
    columns = [column for column in plan.columns(role) if (column.task.name, column.split) in there]
    points = [method for method in plan.methods if method != plan.reference]
    figure, panels = panels_for(len(columns), 2 + len(points))
    for axes, column in zip(panels, columns, strict=False):
        _panel(axes, plan, table, column, points)
    title(
        figure,
        f"{plan.title}: scores on {role} ({seeds(plan)}). Circle = mean, dot = a seed, {interval(plan, 'bar =')}; "
        f"solid line = {plan.labels[plan.reference]}, shaded its interval; dashed = teacher",
    )
    return figure


def _panel(axes: Axes, plan: Grid, table: pd.DataFrame, column: Column, points: list[str]) -> None:
    base = 100 * seed_scores(table, plan.reference, column).to_numpy()
    if len(base):
        axes.axvline(base.mean(), color=VERMILION, linewidth=1.2, zorder=0)
        low, high = _interval(base)
        if low == low:
            axes.axvspan(low, high, color=VERMILION, alpha=0.12, linewidth=0, zorder=-2)
    means = np.full(len(points), np.nan)
    for row, point in enumerate(points):
        values = 100 * seed_scores(table, point, column).to_numpy()
        if not len(values):
            axes.text(0.5, row, "not run", transform=axes.get_yaxis_transform(), **BLANK)
            continue
        means[row] = values.mean()
        axes.scatter(values, np.full(len(values), row - 0.22), s=7, color=GREY, alpha=0.8, linewidths=0)
        axes.plot(_interval(values), [row, row], color=BLUE, linewidth=1.4, solid_capstyle="butt")
        axes.scatter(means[row], row, s=22, color=BLUE, linewidths=0, zorder=3)
    if plan.setting:
        axes.plot(means, range(len(points)), color=BLUE, linewidth=0.8, alpha=0.5)
    teacher = 100 * seed_scores(table, TEACHER, column).mean()
    if teacher == teacher:
        axes.axvline(teacher, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_yticks(range(len(points)), [plan.labels[point] for point in points])
    axes.set_ylim(len(points) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(column.title, loc="left")
    axes.set_xlabel(f"{metric_title(column.metric)} (×100)")


def _interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % t interval of a mean over seeds ``[n]``; NaN for one."""
    found = over_seeds.interval_over_seeds(values)
    return found.low, found.high
