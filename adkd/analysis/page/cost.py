"""What training and answering cost, in units that a reader would choose."""

import pandas as pd

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.sortable import Row, Section, Sortable, Value, kind_of, mean_sd, number, section
from adkd.analysis.tables.cost import notes
from adkd.data.tasks import task

LATENCY = "latency_"


def costs(grid: Grid, cost: pd.DataFrame) -> Section:
    """One table per task, methods as rows; ``cost`` as in ``cost.csv``: seconds, bytes, operations."""
    sizes = [name for name in cost.columns if name.startswith(LATENCY)]
    header = ["method", "n", "score", "training time (s)", "peak memory (GiB)", "training (TFLOP)", "parameters (M)"]
    header += [f"latency, batch of {name.removeprefix(LATENCY)} (ms)" for name in sizes]
    tables = []
    for name in grid.tasks:
        found = {row["method"]: row for _, row in cost[cost["task"] == name].iterrows()}
        rows = [
            Row(_cells(method, found[method], sizes), kind_of(grid, method))
            for method in (TEACHER, *grid.methods)
            if method in found
        ]
        if rows:
            under = notes(grid, cost[cost["task"] == name])
            tables.append(Sortable(task(name).title, header, rows, notes=under))
    return section(tables)


def _cells(method: str, row: pd.Series, sizes: list[str]) -> list[Value]:
    def scaled(name: str, unit: float) -> Value:
        value = row[name] / unit
        return number(value, f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip("."))

    return [
        Value(method),
        number(row["n"], f"{row['n']:.0f}"),
        mean_sd(row["mean"], row.get("sd", float("nan")), scale=100),
        scaled("seconds", 1),
        scaled("peak_memory_bytes", 2**30),
        scaled("flops", 1e12),
        scaled("parameters", 1e6),
        *(scaled(name, 1e-3) for name in sizes),
    ]
