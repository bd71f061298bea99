"""All tables of a benchmark, written from ``scores.csv`` and, for tests over examples, stored predictions."""

from pathlib import Path

import pandas as pd

from adkd.analysis.grid import Grid, read_grid, read_scores
from adkd.analysis.stats.significance import comparisons
from adkd.analysis.tables import published
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.main import averages, main_tables, measured
from adkd.analysis.tables.significance import significance_markdown
from adkd.base.errors import InputError


def write(grid: Path, scores: Path, out: Path) -> None:
    """Fill the directory ``out``: ``main.{csv,md,tex,txt}``, ``average.csv``, ``significance.{csv,md}``; of the main
    grid also ``published.{csv,md,tex,txt}``.

    CSV files hold fractions, the others and ``published.csv`` points (×100). The same inputs give the same bytes.

    Raises:
        InputError: scores or predictions are missing, or do not match each other.
    """
    plan = read_grid(grid)
    table = read_scores(plan, scores)
    significance = comparisons(plan, table)
    tables = main_tables(plan, table, significance)
    texts = {
        "main.csv": _csv(measured(plan, table)),
        "average.csv": _csv(averages(plan, table)),
        "significance.csv": _csv(significance),
        "significance.md": significance_markdown(plan, significance),
    }
    texts |= layout.texts("main", "Main table", tables)
    if plan.title is None:
        texts |= _published(plan, table)
    layout.write(out, texts)


def _published(plan: Grid, scores: pd.DataFrame) -> dict[str, str]:
    found = published.compared(plan, scores)
    tables = published.tables(plan, found)
    texts = layout.texts("published", "Published and reproduced", tables, published.NOTHING)
    return {"published.csv": _csv(found)} | texts


def summary(tables: Path) -> str:
    """The main table for a terminal, and where the rest lies.

    Raises:
        InputError: the tables were not made.
    """
    if not (tables / "main.txt").is_file():
        raise InputError(f"{tables / 'main.txt'} is missing; make it with: adkd tables")
    paths = sorted(path for path in tables.iterdir() if path.suffix in {".csv", ".md", ".tex"})
    return (tables / "main.txt").read_text() + "\nTables:\n" + "".join(f"  {path}\n" for path in paths)


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")
