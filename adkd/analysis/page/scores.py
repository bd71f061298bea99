"""The main table, and every method's difference to the reference as a forest plot."""

from dataclasses import dataclass
from math import isnan

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.plots import Axis, axis
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


@dataclass(frozen=True)
class Difference:
    """One line of a forest plot."""

    method: str
    text: str = DASH
    interval: str = ""
    p: str = DASH
    places: tuple[float, float, float] | None = None
    """Low end, mean and high end on the axis, all the mean where there is no interval; None if there is no mean."""
    note: str = ""


@dataclass(frozen=True)
class Forest:
    """One panel: a task, or all of them."""

    title: str
    axis: Axis | None
    rows: list[Difference]

    @property
    def zero(self) -> float | None:
        return self.axis.place(0) if self.axis else None


def forests(grid: Grid, significance: pd.DataFrame) -> list[Forest]:
    """One panel per column and one over all tasks where there is such a mean; differences in points (×100).

    None where the plan has no method besides the reference.
    """
    if not grid.compared:
        return []
    columns = {column.name: column.title for column in grid.columns(grid.roles[0])}
    tasks = {column.name: column.task.name for column in grid.columns(grid.roles[0])}
    over_seeds, over_tasks = (significance[significance["level"] == level] for level in ("seed", "task"))
    panels = []
    for name, title in columns.items():
        reasons = {method: grid.skipped.get(method, {}).get(tasks[name], "not run") for method in grid.compared}
        panels.append(_forest(title, over_seeds[over_seeds["task"] == name], reasons))
    if over_tasks["difference"].notna().any():
        reasons = dict.fromkeys(grid.compared, "not every task")
        panels.append(_forest("Average over tasks", over_tasks, reasons))
    return panels


def _forest(title: str, rows: pd.DataFrame, reasons: dict[str, str]) -> Forest:
    points = 100 * rows.set_index("method")[["difference", "low", "high"]].astype(float)
    if not points["difference"].notna().any():
        return Forest(title, None, [Difference(method, note=why) for method, why in reasons.items()])
    across = axis([0.0, *points.to_numpy().ravel()], signs=True, most=4)
    adjusted = dict(zip(rows["method"], rows["p_holm"], strict=True))
    lines = []
    for method, why in reasons.items():
        if method not in points.index or isnan(points.loc[method, "difference"]):
            lines.append(Difference(method, note=why))
            continue
        mean, low, high = points.loc[method]
        interval = "" if isnan(low) else f"[{signed(low)}, {signed(high)}]"
        ends = (mean, mean, mean) if isnan(low) else (low, mean, high)
        p = _p(adjusted[method]).removeprefix("p ") or DASH
        lines.append(Difference(method, signed(mean), interval, p, tuple(map(across.place, ends))))
    return Forest(title, across, lines)
