"""The figure ``scores``: every score of every seed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.figures.palette import BLUE, VERMILION
from adkd.analysis.figures.style import (
    BLANK,
    blank,
    cross_out,
    crosses,
    describe,
    guide_rows,
    mark_teacher,
    name_rows,
    panels_for,
    points,
    seeds,
    title,
)
from adkd.analysis.stats.collapse import flagged
from adkd.analysis.stats.over_seeds import defined_scores
from adkd.plan.grid import Column, Grid


def draw(grid: Grid, scores: pd.DataFrame) -> Figure:
    """One panel per column of the main split: a dot for every seed, a bar at the mean, a dashed line at the teacher.

    Args:
        scores: as read from ``scores.csv``.
    """
    role = grid.roles[0]
    columns = scored_columns(grid, scores)
    figure, panels = panels_for(len(columns), len(grid.methods))
    for axes, column in zip(panels, columns, strict=True):
        _panel(axes, grid, scores, column)
    more = crosses(grid, scores, columns, intervals=False)
    title(figure, f"Scores on {role} ({seeds(grid)}): dot = a seed, bar = mean, dashed = teacher{more}")
    return figure


def scored_columns(grid: Grid, scores: pd.DataFrame) -> list[Column]:
    """The columns of the main split that have scores; labels of a test split may be hidden."""
    scored = set(zip(scores["task"], scores["split"], strict=True))
    return [column for column in grid.columns(grid.roles[0]) if (column.task.name, column.split) in scored]


def _panel(axes: Axes, grid: Grid, scores: pd.DataFrame, column: Column) -> None:
    for row, method in enumerate(grid.methods):
        by_seed = 100 * defined_scores(scores, method, column)
        values = by_seed.to_numpy()
        color = VERMILION if method == grid.reference else BLUE
        if not len(values):
            axes.text(0.5, row, blank(grid, method, column), transform=axes.get_yaxis_transform(), **BLANK)
            continue
        spread = np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1)
        axes.scatter(values, row + spread, s=13, color=color, alpha=0.65, linewidths=0)
        crossed = by_seed.index.isin(flagged(scores, method, column))
        cross_out(axes, values[crossed], (row + spread)[crossed])
        (bar,) = axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=color, linewidth=1.6)
        describe(bar, f"{column.title}, {method}: mean {values.mean():.1f} over n = {len(values)}")
    mark_teacher(axes.axvline, scores, column)
    axes.set_title(column.title, loc="left")
    axes.set_xlabel(points(column.metric))
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    name_rows(axes, grid.methods, grid.reference)
    guide_rows(axes, len(grid.methods))
