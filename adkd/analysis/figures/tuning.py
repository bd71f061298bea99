"""Writes what tuning cost and bought, as a table, and draws the best score to expect of every method by budget."""

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.collect.studies import report_files, studies_of
from adkd.analysis.figures.palette import Look, looks
from adkd.analysis.figures.style import VERTICAL_AXIS, describe, panels_for, points, save, title
from adkd.analysis.stats.budget import expected_best
from adkd.analysis.tables import tuning
from adkd.plan.grid import Column, Grid

Scores = Mapping[tuple[str, str], list[float]]
"""(method, task) -> the held-out scores of all trials of its study, as fractions."""


def write(grid: Grid) -> None:
    """Write the table of tuning, and draw ``figures/tuning`` as PDF, PNG and SVG, on the main split.

    Raises:
        InputError: there is no untuned grid, or scores or a study are missing or do not belong to the plan.
    """
    tuning.write(grid)
    studies = studies_of(grid)
    scores = {pair: list(study.scores) for pair, study in studies.items()}
    with plt.rc_context(VERTICAL_AXIS):
        save(draw(grid, scores), grid.out / "figures", "tuning", [grid.file, *report_files(grid, studies)])


def draw(grid: Grid, scores: Scores) -> Figure:
    """One panel per task: the best held-out score to expect of every method after n trials."""
    columns = [column for column in grid.columns(grid.roles[0]) if column.averaged]
    figure, panels = panels_for(len(columns), 8, share_rows=False)
    styles = looks(grid)
    for axes, column in zip(panels, columns, strict=True):
        for method in grid.methods:
            if (method, column.task.name) in scores:
                _line(axes, f"{column.title}, {method}", method, scores[method, column.task.name], styles[method])
        _label(axes, column)
    handles = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [method for method in grid.methods if method in handles]
    figure.legend([handles[m] for m in order], order, loc="outside lower left", ncols=6, frameon=False)
    title(figure, "Best held-out score to expect after n trials, had they come in another order. One n is one budget.")
    return figure


def _line(axes: Axes, where: str, method: str, scores: list[float], look: Look) -> None:
    best = 100 * expected_best(scores)
    style = {"color": look.color, "marker": look.marker, "markersize": 3.5, "linewidth": 1.2}
    (line,) = axes.plot(range(1, len(best) + 1), best, label=method, **style)
    describe(line, f"{where}: {best[0]:.1f} to expect after 1 trial, {best[-1]:.1f} after {len(best)}")


def _label(axes: Axes, column: Column) -> None:
    axes.set_title(column.title, loc="left")
    axes.set_xlabel("scored trials")
    axes.set_ylabel(f"held-out {points(column.metric)}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
