"""The cost table: what every method costs to train and to use, beside its score."""

from pathlib import Path
from string import ascii_lowercase

import pandas as pd

from adkd.analysis.collect.costs import costs, machines
from adkd.analysis.grid import TEACHER, Column, Grid, read_grid, read_scores
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.data.metrics import metric_title


def write(grid: Path, scores: Path, out: Path) -> None:
    """Write ``cost.{csv,md,tex,txt}`` to ``out``, on the main split.

    The CSV holds fractions, seconds, bytes and counts: means over seeds, latencies as medians over batches.

    Raises:
        InputError: scores or a latency are missing, or do not belong to the plan.
    """
    plan = read_grid(grid)
    table = read_scores(plan, scores)
    found = costs(plan, table)
    tables = [_table(plan, found, column) for column in plan.columns(plan.roles[0]) if column.averaged]
    csv = found.to_csv(index=False, lineterminator="\n")
    layout.write(out, {"cost.csv": csv} | layout.texts("cost", "Cost", tables))


def _table(plan: Grid, found: pd.DataFrame, column: Column) -> Table:
    here = found[found["task"] == column.task.name].set_index("method")
    rows = []
    letters: dict[str, str] = {}

    def dash(reason: str) -> Cell:
        return Cell(DASH, mark=letters.setdefault(reason, ascii_lowercase[len(letters) % 26]))

    for method in (TEACHER, *plan.methods):
        if method not in here.index:
            why = dash(f"{method}: {plan.reason(method, column.task.name)}")
            rows.append([Cell(plan.row(method)), *[why] * 9])
            continue
        one = here.loc[method]
        undefined = one["mean"] != one["mean"]
        rows.append(
            [
                Cell(plan.row(method)),
                Cell(str(one["n"])),
                dash("undefined in at least one run") if undefined else cell(100 * one["mean"], 100 * one["sd"]),
                Cell(f"{one['seconds']:.1f}"),
                Cell(f"{one['flops'] / 1e12:.3g}"),
                Cell(f"{one['peak_memory_bytes'] / 2**30:.2f}"),
                Cell(f"{one['parameters'] / 1e6:.1f}"),
                Cell(f"{1000 * one['latency_1']:.2f}"),
                Cell(f"{1000 * one['latency_32']:.1f}"),
                Cell(f"{32 / one['latency_32']:.0f}"),
            ]
        )
    header = ["method", "n", metric_title(column.metric), "training s", "TFLOPs", "peak GiB"]
    header += ["M parameters", "ms (1)", "ms (32)", "examples/s"]
    footnotes = {letter: reason for reason, letter in letters.items()}
    about = f"{plan.title}: cost" if plan.title else "Cost"
    return Table(f"{about} on {column.title}", header, rows, footnotes, notes(plan, here))


def notes(plan: Grid, here: pd.DataFrame) -> list[str]:
    """What a reader has to know of the rows of one task: the runs, the machine, what is counted and what is not."""
    timed = dict.fromkeys(here["measured"])
    return [
        f"Score: points (×100) on {plan.roles[0]}, mean ± sd over n seeds; costs: means over the same runs. "
        f"Machine: {'; '.join(machines(plan))}.",
        "Training s: wall time of a run, its scoring after every epoch included; jobs may have run side by side. "
        "TFLOPs: 10^12 operations of all training steps, counted, a live teacher's passes included. A student's row "
        "holds neither its teacher's training nor the signals that were computed of it once for all students.",
        "Peak: of the run's process, libraries included, or of the GPU. "
        f"ms: median forward pass over dev examples, 1 or 32 at a time, measured on {', '.join(timed)}: the speed of "
        "a model depends on its size alone. No other job of the workflow ran beside it.",
    ]
