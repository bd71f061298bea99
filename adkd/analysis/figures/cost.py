"""Writes what every method costs, as a table, and draws its score against the operations of training."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.collect.costs import latency_files
from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.figures import scatter
from adkd.analysis.figures.style import VERTICAL_AXIS, save
from adkd.analysis.tables import cost
from adkd.plan.grid import Column, Grid


def write(grid: Grid) -> None:
    """Write the table of costs, and draw ``figures/cost`` as PDF, PNG and SVG, on the main split.

    Raises:
        InputError: scores or a latency are missing, or do not belong to the plan.
    """
    cost.write(grid)
    with plt.rc_context(VERTICAL_AXIS):
        made_from = [grid.file, grid.out / FILE, *latency_files(grid)]
        save(draw(grid, read_scores(grid)), grid.out / "figures", "cost", made_from)


def draw(grid: Grid, scores: pd.DataFrame) -> Figure:
    """The figure, from the scores and the operations of every run, both in ``scores.csv``."""
    columns = [column for column in grid.columns(grid.roles[0]) if column.averaged]

    def operations(method: str, column: Column) -> pd.Series:
        rows = scores[(scores["method"] == method) & (scores["task"] == column.task.name)]
        return rows.drop_duplicates("seed").set_index("seed")["flops"] / 1e12

    return scatter.draw(grid, scores, columns, operations, "training TFLOPs", log=True)
