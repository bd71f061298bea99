"""All tables of a benchmark, written from ``scores.csv`` and, for tests over examples, stored predictions."""

from pathlib import Path

import pandas as pd

from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.stats.significance import comparisons
from adkd.analysis.tables import published
from adkd.analysis.tables.main import averages, main_tables, means
from adkd.analysis.tables.significance import significance_markdown
from adkd.analysis.tables.table import write as write_texts
from adkd.analysis.tables.text import csv, texts
from adkd.base.checked import checked_bytes
from adkd.plan.grid import Grid


def write(grid: Grid) -> None:
    """Fill the directory ``tables``: ``main.{csv,md,tex,txt}``, ``average.csv``, ``significance.{csv,md}``; of the main
    grid also ``published.{csv,md,tex,txt}``.

    CSV files hold fractions, the others and ``published.csv`` points (×100). The same inputs give the same bytes.

    Raises:
        InputError: scores or predictions are missing, or do not match each other.
    """
    table = read_scores(grid)
    main, average, significance = means(grid, table), averages(grid, table), comparisons(grid, table)
    files = {
        "main.csv": csv(main),
        "average.csv": csv(average),
        "significance.csv": csv(significance),
        "significance.md": significance_markdown(grid, significance),
    }
    files |= texts("main", "Main table", main_tables(grid, main, average, significance))
    if grid.title is None:
        files |= _published(grid, table)
    write_texts(grid.out / "tables", files, [grid.file, grid.out / FILE])


def _published(grid: Grid, scores: pd.DataFrame) -> dict[str, str]:
    compared = published.compared(grid, scores)
    tables = published.tables(grid, compared)
    heading = "Published and reproduced"
    return {"published.csv": csv(compared)} | texts("published", heading, tables, published.NOTHING)


def summary(tables: Path) -> str:
    """The main table for a terminal, and the paths of the other tables.

    Raises:
        InputError: the tables are missing, or the main table is damaged.
    """
    path = tables / "main.txt"
    text = checked_bytes(path, "adkd tables").decode()
    paths = sorted(path for path in tables.iterdir() if path.suffix in {".csv", ".md", ".tex"})
    return text + "\nTables:\n" + "".join(f"  {path}\n" for path in paths)
