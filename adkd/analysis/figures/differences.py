"""The figure ``differences``: a forest plot of every method's difference to the reference."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.collect.scores import CONSTANT
from adkd.analysis.figures.palette import BLUE, VERMILION, WHITE
from adkd.analysis.figures.style import (
    BLANK,
    blank,
    describe,
    guide_rows,
    interval,
    name_rows,
    panels_for,
    seeds,
    title,
)
from adkd.analysis.stats.significance import AVERAGE
from adkd.plan.grid import Grid


def draw(grid: Grid, significance: pd.DataFrame) -> Figure:
    """One panel per column of the main split, and one for the mean over tasks where there is such a mean.

    Args:
        significance: as read from ``significance.csv``; fractions.
    """
    significance = significance.assign(apart=significance["note"].fillna("").str.contains(f"outlying|{CONSTANT}"))
    over_seeds, over_tasks = (significance[significance["level"] == level] for level in ("seed", "task"))
    tested = set(over_seeds["task"])
    columns = [column for column in grid.columns(grid.roles[0]) if column.name in tested]
    rows_of = {column.title: over_seeds[over_seeds["task"] == column.name] for column in columns}
    blanks = {column.title: {method: blank(grid, method, column) for method in grid.compared} for column in columns}
    if over_tasks["difference"].notna().any():
        average = f"{AVERAGE} over tasks"
        rows_of[average], blanks[average] = over_tasks, dict.fromkeys(grid.compared, "not every task")
    figure, panels = panels_for(len(rows_of), len(grid.compared))
    for axes, (name, rows) in zip(panels, rows_of.items(), strict=True):
        _panel(axes, grid, name, rows.set_index("method"), blanks[name])
    lines = interval(grid, "line =", "not adjusted for many comparisons")
    if significance.loc[significance["level"] != "example", "apart"].any():
        lines += "; hollow = a seed predicts a constant or is outlying: the interval assumes roughly normal seeds"
    title(figure, f"Difference to {grid.reference} on {grid.roles[0]} ({seeds(grid)}): diamond = mean; {lines}")
    return figure


def _panel(axes: Axes, grid: Grid, name: str, rows: pd.DataFrame, blanks: dict[str, str]) -> None:
    """A row per method; its text of ``blanks`` stands where ``rows``, by method, have no difference."""
    axes.axvline(0, color=VERMILION, linewidth=1, zorder=0)
    for row, method in enumerate(grid.compared):
        if method not in rows.index or np.isnan(rows.loc[method, "difference"]):
            axes.text(0.5, row, blanks[method], transform=axes.get_yaxis_transform(), **BLANK)
            continue
        mean, low, high = 100 * rows.loc[method, ["difference", "low", "high"]].astype(float)
        axes.plot([low, high], [row, row], color=BLUE, linewidth=1.4, solid_capstyle="butt")
        face = WHITE if rows.loc[method, "apart"] else BLUE
        diamond = axes.scatter(mean, row, s=22, marker="D", color=face, edgecolors=BLUE, linewidths=0.9, zorder=3)
        ends = f" [{low:+.2f}, {high:+.2f}]" if low == low else ""
        describe(diamond, f"{name}, {method}: {mean:+.2f}{ends}")
    axes.set_title(name, loc="left")
    axes.set_xlabel(f"points above {grid.reference}")
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    name_rows(axes, grid.compared)
    guide_rows(axes, len(grid.compared))
