"""Ablations: scores over the values of one setting of a method."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from adkd.analysis.collect import csv_file
from adkd.analysis.collect.scores import read_scores
from adkd.analysis.page.inlined import Inlined, inlined
from adkd.analysis.stats import significance
from adkd.analysis.tables import main
from adkd.analysis.tables.table import Table
from adkd.base.checked import was_written
from adkd.plan.grid import Grid

TABLES = {"main": main.COLUMNS, "average": main.AVERAGE_COLUMNS, "significance": significance.COLUMNS}
"""The tables that the main tables are drawn from, and their columns."""


@dataclass(frozen=True)
class Ablation:
    """One of them."""

    title: str
    curve: Inlined | None
    """Its figure; None if it was not drawn."""
    tables: Sequence[Table]


def ablations(grid: Grid) -> list[Ablation]:
    """Every ablation beside a main grid whose tables were made, by name.

    Raises:
        InputError: a table or figure that was made is missing or damaged.
    """
    plan = grid.file.parent
    grids = [Grid.load(path) for path in sorted((plan / "ablations").glob("*.json"))]
    return [_ablation(part) for part in grids if any(was_written(part.out / f"tables/{name}.csv") for name in TABLES)]


def _ablation(grid: Grid) -> Ablation:
    read_scores(grid)  # refuses those of other runs
    curve = grid.out / "figures/curve.svg"
    drawn = f"adkd curve {grid.file}"
    figure = inlined(curve, f"ablation-{grid.file.stem}", drawn) if was_written(curve) else None
    return Ablation(grid.title or grid.file.stem, figure, main.main_tables(grid, **tables_of_scores(grid)))


def tables_of_scores(grid: Grid) -> dict[str, pd.DataFrame]:
    """Name -> table, of ``TABLES``.

    Raises:
        InputError: one is missing, damaged or stale.
    """
    made = f"adkd tables {grid.file}"
    return {name: csv_file.read(grid.out / f"tables/{name}.csv", made, columns) for name, columns in TABLES.items()}
