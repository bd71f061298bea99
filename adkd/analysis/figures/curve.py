"""The figure ``curve`` of an ablation: scores over the points that it varies, beside the base run."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.figures.palette import BLUE, GREY, VERMILION
from adkd.analysis.figures.scores import scored_columns
from adkd.analysis.figures.style import (
    BLANK,
    STYLE,
    blank,
    cross_out,
    crosses,
    describe,
    interval,
    mark_teacher,
    name_rows,
    panels_for,
    points,
    save,
    seeds,
    title,
)
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import flagged
from adkd.analysis.stats.over_seeds import defined_scores
from adkd.base.errors import InputError
from adkd.plan.grid import Column, Grid


def write(grid: Grid) -> None:
    """Draw ``figures/curve`` as PDF, PNG and SVG, on the main split.

    Raises:
        InputError: the scores are missing, or the grid does not belong to an ablation.
    """
    if grid.title is None:
        raise InputError(
            "the grid of a curve",
            value=str(grid.file),
            allowed="that of an ablation",
            remedy="give results/plan/ablations/NAME.json",
        )
    with plt.rc_context(STYLE):
        save(draw(grid, read_scores(grid)), grid.out / "figures", "curve", [grid.file, grid.out / FILE])


def draw(grid: Grid, scores: pd.DataFrame) -> Figure:
    """One panel per column, a row per point from top to bottom; a line joins them where one setting is varied."""
    columns = scored_columns(grid, scores)
    varied = [method for method in grid.methods if method != grid.reference]
    figure, panels = panels_for(len(columns), 2 + len(varied))
    for axes, column in zip(panels, columns, strict=True):
        _panel(axes, grid, scores, column, varied)
    title(
        figure,
        f"{grid.title}: scores on {grid.roles[0]} ({seeds(grid)}). Circle = mean, dot = a seed, "
        f"{interval(grid, 'bar =')}; solid line = {grid.labels[grid.reference]}, shaded its interval; dashed = teacher"
        f"{crosses(grid, scores, columns)}",
    )
    return figure


def _panel(axes: Axes, grid: Grid, scores: pd.DataFrame, column: Column, varied: list[str]) -> None:
    base = 100 * defined_scores(scores, grid.reference, column).to_numpy()
    if len(base):
        axes.axvline(base.mean(), color=VERMILION, linewidth=1.2, zorder=0)
        ends = over_seeds.interval_over_seeds(base)
        if ends.low == ends.low:
            axes.axvspan(ends.low, ends.high, color=VERMILION, alpha=0.12, linewidth=0, zorder=-2)
    means = np.full(len(varied), np.nan)
    for row, method in enumerate(varied):
        by_seed = 100 * defined_scores(scores, method, column)
        values = by_seed.to_numpy()
        if not len(values):
            axes.text(0.5, row, blank(grid, method, column), transform=axes.get_yaxis_transform(), **BLANK)
            continue
        means[row] = values.mean()
        ends = over_seeds.interval_over_seeds(values)
        axes.scatter(values, np.full(len(values), row - 0.22), s=7, color=GREY, alpha=0.8, linewidths=0)
        crossed = values[by_seed.index.isin(flagged(scores, method, column))]
        cross_out(axes, crossed, np.full(len(crossed), row - 0.22))
        axes.plot([ends.low, ends.high], [row, row], color=BLUE, linewidth=1.4, solid_capstyle="butt")
        circle = axes.scatter(means[row], row, s=22, color=BLUE, linewidths=0, zorder=3)
        describe(circle, f"{column.title}, {grid.labels[method]}: mean {means[row]:.1f} over n = {len(values)}")
    if grid.setting:
        axes.plot(means, range(len(varied)), color=BLUE, linewidth=0.8, alpha=0.5)
    mark_teacher(axes.axvline, scores, column)
    name_rows(axes, [grid.labels[method] for method in varied])
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(column.title, loc="left")
    axes.set_xlabel(points(column.metric))
