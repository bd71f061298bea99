"""What ``adkd figures`` draws: the scores and the differences to the reference."""

from matplotlib import pyplot as plt

from adkd.analysis.collect import csv_file
from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.figures import differences
from adkd.analysis.figures import scores as score_figure
from adkd.analysis.figures.style import STYLE, save
from adkd.analysis.stats.significance import COLUMNS
from adkd.plan.grid import Grid


def write(grid: Grid) -> None:
    """Draw ``figures/scores`` and ``figures/differences`` as PDF, PNG and SVG, on the main split.

    Raises:
        InputError: the scores or ``significance.csv`` are missing or damaged.
    """
    scores = read_scores(grid)
    tests, out = grid.out / "tables" / "significance.csv", grid.out / "figures"
    compared = csv_file.read(tests, f"adkd tables {grid.file}", COLUMNS, dtype={"note": object})
    with plt.rc_context(STYLE):
        save(score_figure.draw(grid, scores), out, "scores", [grid.file, grid.out / FILE])
        save(differences.draw(grid, compared), out, "differences", [grid.file, tests])
