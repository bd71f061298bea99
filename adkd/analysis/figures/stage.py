"""What ``adkd figures`` draws: the scores and the differences to the reference."""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt

from adkd.analysis.figures import differences
from adkd.analysis.figures import scores as score_figure
from adkd.analysis.figures.style import STYLE, save
from adkd.analysis.grid import read_grid, read_scores
from adkd.base.errors import missing


def write(grid_file: Path, scores: Path, tables: Path, out: Path) -> None:
    """Draw ``scores`` and ``differences`` as PDF, PNG and SVG into ``out``, on the main split.

    Raises:
        InputError: the scores or ``significance.csv`` are missing.
    """
    grid = read_grid(grid_file)
    table = read_scores(grid, scores)
    tests = tables / "significance.csv"
    if not tests.is_file():
        raise missing(tests, f"adkd tables {grid_file}")
    with plt.rc_context(STYLE):
        save(score_figure.draw(grid, table), out, "scores")
        save(differences.draw(grid, pd.read_csv(tests)), out, "differences")
