"""Fidelity of attributions: the measures per task as tables."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.sortable import Row, Section, Sortable, Value, kind_of, mean_sd, minus, section
from adkd.analysis.tables.fidelity import HEADER, TESTED, UNDEFINED, notes, starred
from adkd.analysis.tables.table import DASH
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
