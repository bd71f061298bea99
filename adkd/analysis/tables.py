"""All tables of a benchmark, written from ``scores.csv`` and, for tests over examples, stored predictions."""

from pathlib import Path

import pandas as pd

from adkd.analysis import published
from adkd.analysis.grid import Grid, read_grid, read_scores
from adkd.analysis.layout import latex, markdown, plain
from adkd.analysis.main_table import averages, main_tables, measured
from adkd.analysis.significance import comparisons
from adkd.analysis.significance_text import significance_markdown
from adkd.errors import InputError
from adkd.files import new_file


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
        "main.md": "# Main table\n\n" + "\n".join(map(markdown, tables)),
        "main.tex": "\n".join(map(latex, tables)),
        "main.txt": "\n".join(map(plain, tables)),
        "significance.csv": _csv(significance),
        "significance.md": significance_markdown(plan, significance),
    }
    if plan.title is None:
        texts |= _published(plan, table)
    for name, text in texts.items():
        with new_file(out / name) as temporary:
            temporary.write_text(text)


def _published(plan: Grid, scores: pd.DataFrame) -> dict[str, str]:
    found = published.compared(plan, scores)
    tables = published.tables(plan, found)
    return {
        "published.csv": _csv(found),
        "published.md": "# Published and reproduced\n\n" + ("\n".join(map(markdown, tables)) or published.NOTHING),
        "published.tex": "\n".join(map(latex, tables)) or f"% {published.NOTHING}",
        "published.txt": "\n".join(map(plain, tables)) or published.NOTHING,
    }


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
