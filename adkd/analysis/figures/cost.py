"""Writes what every method costs, as a table, and draws its score against its training operations."""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.figures import scatter
from adkd.analysis.figures.stage import save
from adkd.analysis.grid import Column, Grid, read_grid, read_scores
from adkd.analysis.tables import cost


def write(grid: Path, scores: Path, tables: Path, figures: Path) -> None:
    """Write the table of costs to ``tables``, and ``cost`` as PDF and PNG to ``figures``, on the main split.

    Raises:
        InputError: scores or a latency are missing, or do not belong to the plan.
    """
    cost.write(grid, scores, tables)
    plan = read_grid(grid)
    with plt.rc_context(scatter.SCATTER):
        save(_figure(plan, read_scores(plan, scores)), figures, "cost")


def _figure(plan: Grid, scores: pd.DataFrame) -> Figure:
    columns = [column for column in plan.columns(plan.roles[0]) if column.averaged]

    def operations(method: str, column: Column) -> pd.Series:
        rows = scores[(scores["method"] == method) & (scores["task"] == column.task.name)]
        return rows.drop_duplicates("seed").set_index("seed")["flops"] / 1e12

    return scatter.draw(plan, scores, columns, operations, "training TFLOPs", log=True)
