"""The cost table: what every method costs to train and to use, beside its score."""

import pandas as pd

from adkd.analysis.collect.costs import costs, latency_files, machines
from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.tables.table import Cell, Footnotes, Heading, Table
from adkd.analysis.tables.table import write as write_texts
from adkd.analysis.tables.text import csv, texts
from adkd.analysis.tables.wording import notes_on, row_of, titled, why_not_run
from adkd.data.metrics import metric_title
from adkd.plan.grid import TEACHER, Column, Grid


def write(grid: Grid) -> None:
    """Write ``tables/cost.{csv,md,tex,txt}``, on the main split.

    The CSV holds fractions, seconds, bytes and counts.

    Raises:
        InputError: scores or a latency are missing, or do not belong to the plan.
    """
    table = costs(grid, read_scores(grid))
    files = {"cost.csv": csv(table)} | texts("cost", "Cost", cost_tables(grid, table))
    write_texts(grid.out / "tables", files, [grid.file, grid.out / FILE, *latency_files(grid)])


def cost_tables(grid: Grid, table: pd.DataFrame) -> list[Table]:
    """One table per task; ``table`` as from ``costs``, or ``cost.csv``."""
    columns = [column for column in grid.columns(grid.roles[0]) if column.averaged]
    return [_table(grid, table[table["task"] == column.task.name], column) for column in columns]


def _table(grid: Grid, table: pd.DataFrame, column: Column) -> Table:
    by_method = table.set_index("method")
    header = [
        Heading("method"),
        Heading("n"),
        Heading(metric_title(column.metric)),
        Heading("training s", "training time (s)"),
        Heading("TFLOPs", "training (TFLOP)"),
        Heading("peak GiB", "peak memory (GiB)"),
        Heading("M parameters", "parameters (M)"),
        Heading("ms (1)", "latency, batch of 1 (ms)"),
        Heading("ms (32)", "latency, batch of 32 (ms)"),
        Heading("examples/s"),
    ]
    footnotes = Footnotes()
    rows = []
    for method in (TEACHER, *grid.methods):
        if method in by_method.index:
            cells = _cells(by_method.loc[method], footnotes)
        else:
            cells = [footnotes.dash(why_not_run(grid, method, column.task.name))] * (len(header) - 1)
        rows.append(row_of(grid, method, cells))
    title = f"{titled(grid, 'cost')} on {column.title}"
    return Table(title, header, rows, footnotes.texts, notes(grid, table) + notes_on(table["note"]))


def _cells(row: pd.Series, footnotes: Footnotes) -> list[Cell]:
    mark = "" if pd.isna(row["note"]) else footnotes.mark(row["note"])
    return [
        Cell(row["n"], ".0f"),
        Cell(100 * row["mean"], sd=100 * row["sd"], mark=mark),
        Cell(row["seconds"]),
        Cell(row["flops"] / 1e12, ".3g"),
        Cell(row["peak_memory_bytes"] / 2**30, ".2f"),
        Cell(row["parameters"] / 1e6),
        Cell(1000 * row["latency_1"], ".2f"),
        Cell(1000 * row["latency_32"]),
        Cell(32 / row["latency_32"], ".0f"),
    ]


def notes(grid: Grid, table: pd.DataFrame) -> list[str]:
    """What a reader has to know about the rows of one task: the runs, the machine, what is counted and what is not."""
    timed = dict.fromkeys(table["measured"])
    return [
        f"Score: points (×100) on {grid.roles[0]}, mean ± sd over n seeds; costs: means over the same runs. "
        f"Machine: {'; '.join(machines(grid))}.",
        "Training s: wall time of a run, its scoring after every epoch included; jobs may have run side by side. "
        "TFLOPs: 10^12 operations of all training steps, counted, a live teacher's passes included. A student's row "
        "holds neither its teacher's training nor the signals that were computed of it once for all students.",
        "Peak: of the run's process, libraries included, or of the GPU. "
        f"ms: median forward pass over dev examples, 1 or 32 at a time, measured on {', '.join(timed)}: the speed of "
        "a model depends on its size alone. No other job of the workflow ran beside it.",
    ]
