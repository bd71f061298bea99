"""Ablations: scores over the values of one setting of a method."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from adkd.analysis.grid import Grid
from adkd.analysis.page.inlined import Inlined, inlined
from adkd.analysis.page.sortable import Row, Sortable, Value, mean_sd
from adkd.data.metrics import metric_title


@dataclass(frozen=True)
class Ablation:
    """One of them."""

    name: str
    title: str
    curve: Inlined | None
    """Its figure; None if it was not drawn."""
    table: Sortable


def ablations(grid: Grid, results: Path) -> list[Ablation]:
    """Every ``results/ablations/NAME`` that has its table, by name."""
    paths = sorted((results / "ablations").glob("*/tables/main.csv"))
    return [_ablation(grid, results, path) for path in paths]


def _ablation(grid: Grid, results: Path, path: Path) -> Ablation:
    name = path.parents[1].name
    plan, curve = results / "plan/ablations" / f"{name}.json", path.parents[1] / "figures/curve.svg"
    about = Grid.load(plan) if plan.is_file() else None
    title, labels = (about.title or name, about.labels) if about else (name, {})
    figure = inlined(curve, f"ablation-{name}") if curve.is_file() else None
    titles = {column.name: column.title for role in grid.roles for column in grid.columns(role)}
    rows = [
        Row(
            [
                Value(labels.get(row.method, row.method)),
                Value(titles.get(row.task, row.task)),
                Value(metric_title(row.metric)),
                mean_sd(row.mean, row.sd, scale=100),
                Value(str(row.n), row.n),
            ]
        )
        for row in pd.read_csv(path).itertuples()
    ]
    header = ["setting", "task", "metric", "score (mean ± sd)", "n"]
    return Ablation(name, title, figure, Sortable(f"{title}: every score in points (×100)", header, rows))
