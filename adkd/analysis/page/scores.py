"""The main table, and the table of every method's difference to the reference."""

from math import isnan
from typing import Any

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.sortable import Row, Sortable, Value, kind_of, minus, signed
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.significance import AVERAGE
from adkd.analysis.tables.main import main_tables
from adkd.analysis.tables.table import DASH, Table


def score_tables(
    grid: Grid, scores: pd.DataFrame, main: pd.DataFrame, average: pd.DataFrame, significance: pd.DataFrame
) -> list[Sortable]:
    """The tables of ``main.md``, with numbers to sort by, an interval and an adjusted p-value behind every score.

    Args:
        grid: the plan.
        scores: as read from ``scores.csv``.
        main: ``main.csv``.
        average: ``average.csv``.
        significance: ``significance.csv``.
    """
    tables = main_tables(grid, scores, significance)
    scored = [role for role in grid.roles if any(column.split in set(main["split"]) for column in grid.columns(role))]
    return [_scores(grid, role, table, main, average, significance) for role, table in zip(scored, tables, strict=True)]


def _scores(
    grid: Grid, role: str, table: Table, main: pd.DataFrame, average: pd.DataFrame, significance: pd.DataFrame
) -> Sortable:
    means = {(row.method, row.task): row for row in main[main["split"].isin(_splits(grid, role))].itertuples()}
    means |= {(row.method, AVERAGE): row for row in average[average["split"] == role].itertuples()}
    tested = significance[significance["level"] == "seed"] if role == grid.roles[0] else significance[:0]
    p_values = {(row.method, row.task): row.p_holm for row in tested.itertuples()}
    in_main = {(row.task, row.split) for row in main.itertuples()}
    names = [c.name for c in grid.columns(role) if (c.name, c.split) in in_main]
    names += [AVERAGE] * (len(table.header) - 2 - len(names))
    rows = []
    for method, cells in zip((TEACHER, *grid.methods), table.rows, strict=True):
        values = [Value(method), Value(cells[1].text, _leading(cells[1].text))]
        for name, cell in zip(names, cells[2:], strict=True):
            found = means.get((method, name))
            shown = cell.text != DASH
            values.append(
                Value(
                    minus(cell.text) if shown else DASH,
                    100 * found.mean if shown else None,
                    star=cell.star,
                    mark=cell.mark,
                    interval=_interval(found) if shown else "",
                    p=_p(p_values.get((method, name), float("nan"))),
                )
            )
        rows.append(Row(values, kind_of(grid, method)))
    return Sortable(table.title, table.header, rows, table.footnotes, table.notes)


def _splits(grid: Grid, role: str) -> list[str]:
    return [column.split for column in grid.columns(role)]


def _leading(text: str) -> float | None:
    """The number of seeds as a number; ``2–3`` where tasks differ counts as 2."""
    first = text.split("–")[0]
    return float(first) if first else None


def _interval(row: object) -> str:
    """The t interval of a mean over seeds, in points; nothing where there is one seed."""
    if not row.n > 1:
        return ""
    found = over_seeds.t_interval(100 * row.mean, 1e4 * row.sd**2 / row.n, row.n - 1, "t")
    return minus(f"[{found.low:.1f}, {found.high:.1f}]") if found.name else ""


def _p(p: float) -> str:
    return "" if isnan(p) else ("p < .0001" if p < 1e-4 else f"p {p:.4f}" if p < 1e-3 else f"p {p:.3f}")


def difference_table(grid: Grid, significance: pd.DataFrame) -> Sortable:
    """The numbers behind the figure of differences, in points (×100): a row per method and column of the main split."""
    columns = {column.name: (column.title, column.task.name) for column in grid.columns(grid.roles[0])}
    rows_of = {(row.task, row.method): row for row in significance[significance["level"] == "seed"].itertuples()}
    averages = significance[(significance["level"] == "task") & significance["difference"].notna()]
    rows = [
        _difference(method, title, rows_of.get((name, method)), grid.skipped.get(method, {}).get(task, "not run"))
        for name, (title, task) in columns.items()
        for method in grid.compared
    ]
    rows += [_difference(row.method, f"{AVERAGE} over tasks", row, "") for row in averages.itertuples()]
    header = ["method", "task", f"points above {grid.reference}", "95 % interval", "p (Holm)"]
    return Sortable(f"Differences to {grid.reference}", header, rows)


def _difference(method: str, title: str, row: Any, reason: str) -> Row:
    """``reason`` stands in place of the numbers where there are none."""
    if row is None or isnan(row.difference):
        return Row([Value(method), Value(title), Value(DASH), Value(reason), Value(DASH)])
    low, high = 100 * row.low, 100 * row.high
    interval = Value(DASH) if isnan(low) else Value(f"[{signed(low)}, {signed(high)}]")
    p = Value(DASH) if isnan(row.p_holm) else Value(_p(row.p_holm).removeprefix("p "), row.p_holm)
    return Row([Value(method), Value(title), Value(signed(100 * row.difference), row.difference), interval, p])
