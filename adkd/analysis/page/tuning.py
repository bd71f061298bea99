"""What searches for settings cost, and what they bought."""

from dataclasses import replace

import pandas as pd

from adkd.analysis.grid import Grid
from adkd.analysis.page.sortable import Row, Section, Sortable, Value, kind_of, mean_sd, number, section, signed
from adkd.analysis.tables.tuning import notes, trials
from adkd.data.metrics import metric_title
from adkd.data.tasks import task


def tunings(grid: Grid, tuning: pd.DataFrame) -> Section:
    """One table per task, methods as rows; ``tuning`` as in ``tuning.csv``: fractions and seconds."""
    header = [
        "method",
        "settings searched",
        "trials",
        "seconds",
        "best held-out",
        "before",
        "after",
        "after − before [95 %]",
    ]
    tables = []
    for name, here in tuning.groupby("task", sort=False):
        metric = here["metric"].iloc[0]
        caption = f"{task(name).title}, {metric_title(metric)}, n = {here['n'].iloc[0]}"
        rows = [Row(_cells(one), kind_of(grid, one["method"])) for _, one in here.iterrows()]
        tables.append(Sortable(caption, header, rows, notes=notes(grid, here)))
    return section(tables)


def _cells(one: pd.Series) -> list[Value]:
    span = f"[{signed(100 * one['low'], 1)}, {signed(100 * one['high'], 1)}]" if one["low"] == one["low"] else ""
    return [
        Value(one["method"]),
        number(len(one["searched"].split()), str(len(one["searched"].split()))),
        number(one["trials"], trials(one)),
        number(one["seconds"], f"{one['seconds']:,.0f}"),
        mean_sd(one["best_held_out"], float("nan"), scale=100),
        mean_sd(one["before"], one["before_sd"], scale=100),
        mean_sd(one["after"], one["after_sd"], scale=100),
        replace(number(one["difference"], signed(100 * one["difference"], 1)), below=span),
    ]
