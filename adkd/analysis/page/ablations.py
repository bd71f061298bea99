"""Ablations: scores over the values of one setting of a method."""

from collections.abc import Sequence
from dataclasses import dataclass

from adkd.analysis.collect import csv_file
from adkd.analysis.page.inlined import Inlined, inlined
from adkd.analysis.tables.main import main_tables
from adkd.analysis.tables.table import Table
from adkd.base.checked import was_written
from adkd.plan.grid import Grid

TABLES = ("main.csv", "average.csv", "significance.csv")


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
    return [_ablation(part) for part in grids if any(was_written(part.out / "tables" / name) for name in TABLES)]


def _ablation(grid: Grid) -> Ablation:
    curve = grid.out / "figures/curve.svg"
    drawn = f"adkd curve {grid.file}"
    figure = inlined(curve, f"ablation-{grid.file.stem}", drawn) if was_written(curve) else None
    made = f"adkd tables {grid.file}"
    tables = main_tables(grid, *(csv_file.read(grid.out / "tables" / name, made) for name in TABLES))
    return Ablation(grid.title or grid.file.stem, figure, tables)
