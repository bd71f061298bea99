"""Rationale fidelity: the measures per task as tables, and the score drawn against it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.plots import Axis, Label, Mark, axis, labels, marks
from adkd.analysis.page.sortable import Row, Section, Sortable, Value, kind_of, mean_sd, minus, section
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables.fidelity import HEADER, TESTED, UNDEFINED, notes, starred
from adkd.analysis.tables.table import DASH
from adkd.data.metrics import metric_title
from adkd.data.tasks import task
from adkd.plan.specs import ExplainSpec

MEASURES = {measure: title.removesuffix(" (random)") for measure, title in HEADER.items()}
MEASURES |= {"completeness_error": "integrals\u2019 error"}
"""Measure -> heading, in the order of the columns."""
YARDSTICKS = {
    "top_k_overlap": ("by chance", "top_k_overlap_chance"),
    "comprehensiveness": ("random order", "comprehensiveness_random"),
    "sufficiency": ("random order", "sufficiency_random"),
}
"""Measure -> what stands below it, and the measure that holds it."""
WIDTH, HEIGHT = 340, 270
LEFT, RIGHT, TOP, BOTTOM = 38, 12, 12, 40
"""Room around a scatter plot, pixels."""


def reasons(grid: Grid, fidelity: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> Section:
    """One table per task, methods as rows.

    Args:
        grid: the plan.
        fidelity: ``fidelity.csv`` among the tables.
        tests: ``fidelity_tests.csv``.
        specs: of the explanations.
    """
    tables = []
    for name in grid.tasks:
        rows = fidelity[fidelity["task"] == name]
        if rows.empty:
            continue
        measures = [measure for measure in MEASURES if measure in set(rows["measure"])]
        found = {(row.method, row.measure): row for row in rows.itertuples()}
        stars = starred(tests, name)
        n = {row.method: int(row.n) for row in rows.itertuples()}
        methods = [method for method in (TEACHER, *grid.methods) if method in n]
        lines = [
            Row(
                [Value(method), Value(str(n[method]), n[method]), *(_cell(found, method, m, stars) for m in measures)],
                kind_of(grid, method),
            )
            for method in methods
        ]
        splits, counts = (", ".join(map(str, dict.fromkeys(rows[key]))) for key in ("split", "rows"))
        caption = f"{task(name).title}: {counts} examples of {splits}, mean ± sd over n seeds"
        header = ["method", "n", *(MEASURES[measure] for measure in measures)]
        footnotes = {"u": UNDEFINED} if any(value.mark for line in lines for value in line.cells) else {}
        under = notes(grid, task(name), rows, tests, [spec for spec in specs if spec.task == name])
        tables.append(Sortable(caption, header, lines, footnotes, under))
    return section(tables)


def _cell(found: Mapping[tuple[str, str], Any], method: str, measure: str, stars: set[str]) -> Value:
    row = found.get((method, measure))
    if row is None:
        return Value(DASH)
    if row.mean != row.mean:
        return Value(DASH, mark="u")
    value = mean_sd(row.mean, row.sd, digits=4 if measure == "completeness_error" else 2)
    words, yardstick = YARDSTICKS.get(measure, ("", ""))
    beside = found.get((method, yardstick))
    value = replace(value, star=measure == TESTED and method in stars)
    return value if beside is None else replace(value, below=minus(f"{words} {beside.mean:.2f}"))


@dataclass(frozen=True)
class Point:
    """One method in a scatter plot; places in pixels."""

    method: str
    mark: Mark
    x: float
    y: float
    across: tuple[float, float]
    """Ends of the interval, twice the same place where there is none."""
    up: tuple[float, float]
    label: Label
    said: str


@dataclass(frozen=True)
class Scatter:
    """One panel."""

    title: str
    x_axis: Axis
    y_axis: Axis
    y_title: str
    points: list[Point]
    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    top = TOP
    bottom = HEIGHT - BOTTOM


def scatters(grid: Grid, main: pd.DataFrame, fidelity: pd.DataFrame) -> list[Scatter]:
    """One panel per task: score in points (up) against rank correlation with the teacher (across), 95 % t intervals."""
    panels, looks = [], marks(grid)
    for column in grid.columns(grid.roles[0]):
        rows = fidelity[(fidelity["task"] == column.name) & (fidelity["measure"] == TESTED) & fidelity["mean"].notna()]
        scored = main[(main["task"] == column.name) & (main["split"] == column.split) & main["mean"].notna()]
        scores = {row.method: row for row in scored.itertuples()}
        pairs = [
            (row.method, _span(row, 1), _span(scores[row.method], 100))
            for row in rows.itertuples()
            if row.method in scores
        ]
        if pairs:
            y_title = f"{metric_title(column.metric)} (×100)"
            panels.append(_scatter(column.title, y_title, pairs, looks))
    return panels


Span = tuple[float, float, float]
"""Low end, mean, high end."""


def _span(row: object, scale: float) -> Span:
    interval = (
        over_seeds.t_interval(row.mean, row.sd**2 / row.n, row.n - 1, "t") if row.n > 1 else over_seeds.Interval()
    )
    ends = (interval.low, row.mean, interval.high) if interval.name else (row.mean,) * 3
    return tuple(scale * value for value in ends)


def _scatter(title: str, y_title: str, pairs: list[tuple[str, Span, Span]], looks: dict[str, Mark]) -> Scatter:
    x_axis, y_axis = (axis(value for pair in pairs for value in pair[which]) for which in (1, 2))

    def across(value: float) -> float:
        return round(LEFT + x_axis.place(value) * (WIDTH - RIGHT - LEFT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - y_axis.place(value) * (HEIGHT - BOTTOM - TOP), 1)

    places = [(across(x[1]), up(y[1])) for _, x, y in pairs]
    names = labels(places, [method for method, _, _ in pairs], WIDTH, HEIGHT - BOTTOM)
    points = [
        Point(
            method,
            looks[method],
            *place,
            (across(x[0]), across(x[2])),
            (up(y[0]), up(y[2])),
            label,
            f"{method}: rank correlation {x[1]:.3f}, score {y[1]:.1f}",
        )
        for (method, x, y), place, label in zip(pairs, places, names, strict=True)
    ]
    return Scatter(title, x_axis, y_axis, y_title, points)
