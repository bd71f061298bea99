"""Writes what tuning cost and bought, as a table, and draws the best score to expect of every method by budget."""

from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.collect.studies import Study, studies_of
from adkd.analysis.figures.palette import looks
from adkd.analysis.figures.scatter import SCATTER
from adkd.analysis.figures.stage import panels_for, save, title
from adkd.analysis.figures.study import expected_best
from adkd.analysis.grid import Column, Grid, read_grid
from adkd.analysis.tables import tuning
from adkd.data.metrics import metric_title


def write(grid: Path, tables: Path, figures: Path) -> None:
    """Write the table of tuning to ``tables``, and ``tuning`` as PDF and PNG to ``figures``, on the main split.

    Raises:
        InputError: there is no untuned grid, or scores or a study are missing or do not belong to the plan.
    """
    tuning.write(grid, tables)
    after = read_grid(grid)
    columns = [column for column in after.columns(after.roles[0]) if column.averaged]
    with plt.rc_context(SCATTER):
        save(_figure(after, columns, studies_of(after)), figures, "tuning")


def _figure(plan: Grid, columns: list[Column], studies: dict[tuple[str, str], Study]) -> Figure:
    """One panel per task: the best held-out score to expect of every method after n trials."""
    figure, panels = panels_for(len(columns), 8, share_rows=False)
    styles = looks(plan)
    for axes, column in zip(panels, columns, strict=True):
        for method in plan.methods:
            if (method, column.task.name) in studies:
                best = 100 * expected_best(studies[method, column.task.name].report["scores"])
                look = styles[method]
                line = {"color": look.color, "marker": look.marker, "markersize": 3.5, "linewidth": 1.2}
                axes.plot(range(1, len(best) + 1), best, label=method, **line)
        _dress(axes, column)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=6, frameon=False)
    title(
        figure,
        "Best held-out score to expect after n trials, had they come in another order. One n is one budget.",
    )
    return figure


def _dress(axes: Axes, column: Column) -> None:
    axes.set_title(column.title, loc="left")
    axes.set_xlabel("scored trials")
    axes.set_ylabel(f"held-out {metric_title(column.metric)} (×100)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
