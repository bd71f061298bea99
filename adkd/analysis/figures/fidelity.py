"""The figure ``fidelity``: does a student whose attributions agree more with its teacher's score higher?"""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.collect.fidelity import read
from adkd.analysis.figures import scatter
from adkd.analysis.figures.style import VERTICAL_AXIS, save
from adkd.analysis.grid import Column, Grid, read_grid, read_scores
from adkd.analysis.stats.fidelity import TESTED, values_of


def write(grid_file: Path, scores: Path, fidelity: Path, out: Path) -> None:
    """Draw ``fidelity`` as PDF, PNG and SVG into ``out``: main score against rank correlation, one panel per task.

    Raises:
        InputError: a table is missing, or lacks a run of the plan.
    """
    grid = read_grid(grid_file)
    scores_table, fidelity_table = read_scores(grid, scores), read(grid, fidelity)
    with plt.rc_context(VERTICAL_AXIS):
        save(draw(grid, scores_table, fidelity_table), out, "fidelity")


def draw(grid: Grid, scores: pd.DataFrame, fidelity: pd.DataFrame) -> Figure:
    """The figure, from the scores and the fidelity of every run."""
    explained = set(fidelity["task"])
    columns = [column for column in grid.columns(grid.roles[0]) if column.averaged and column.task.name in explained]

    def rank_correlations(method: str, column: Column) -> pd.Series:
        return values_of(fidelity, method, column.task.name, TESTED)

    return scatter.draw(grid, scores, columns, rank_correlations, "rank correlation of attributions", log=False)
