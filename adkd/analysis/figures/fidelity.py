"""The fidelity figure: does a student that took over more of its teacher's reasons score higher?"""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.collect.fidelity import read
from adkd.analysis.figures import scatter
from adkd.analysis.figures.stage import save
from adkd.analysis.grid import Column, Grid, read_grid, read_scores
from adkd.analysis.tables.fidelity import TESTED, values_of


def write(grid: Path, scores: Path, fidelity: Path, out: Path) -> None:
    """Draw ``fidelity`` as PDF and PNG into ``out``: main score against rank correlation, one panel per task.

    Raises:
        InputError: a table is missing, or lacks a run of the plan.
    """
    plan = read_grid(grid)
    table, found = read_scores(plan, scores), read(plan, fidelity)
    with plt.rc_context(scatter.SCATTER):
        save(draw(plan, table, found), out, "fidelity")


def draw(plan: Grid, table: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """The figure, from the scores and the fidelity of every run."""
    explained = set(found["task"])
    columns = [column for column in plan.columns(plan.roles[0]) if column.averaged and column.task.name in explained]

    def reasons(method: str, column: Column) -> pd.Series:
        return values_of(found, method, column.task.name, TESTED)

    return scatter.draw(plan, table, columns, reasons, "rank correlation of contributions", log=False)
