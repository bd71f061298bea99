"""What ``adkd fidelity`` makes, and its figure: do students that agree more with their teachers score higher?"""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.collect import scores
from adkd.analysis.collect.fidelity import FILE, collect, read
from adkd.analysis.collect.scores import read_scores
from adkd.analysis.figures import scatter
from adkd.analysis.figures.style import VERTICAL_AXIS, save
from adkd.analysis.stats.fidelity import TESTED, values_of
from adkd.analysis.tables import fidelity
from adkd.plan.grid import Column, Grid


def write(grid: Grid) -> None:
    """Collect the measures, write their table, and draw ``figures/fidelity`` as PDF, PNG and SVG.

    Raises:
        InputError: scores or an explanation are missing, or do not belong to the plan.
    """
    collect(grid)
    fidelity.write(grid)
    with plt.rc_context(VERTICAL_AXIS):
        figure = draw(grid, read_scores(grid), read(grid))
        save(figure, grid.out / "figures", "fidelity", [grid.file, grid.out / scores.FILE, grid.out / FILE])


def draw(grid: Grid, scores: pd.DataFrame, measures: pd.DataFrame) -> Figure:
    """Main score against rank correlation of attributions, one panel per task, from the tables of all runs."""
    explained = set(measures["task"])
    columns = [column for column in grid.columns(grid.roles[0]) if column.averaged and column.task.name in explained]

    def rank_correlations(method: str, column: Column) -> pd.Series:
        return values_of(measures, method, column.task.name, TESTED)

    return scatter.draw(grid, scores, columns, rank_correlations, "rank correlation of attributions", log=False)
