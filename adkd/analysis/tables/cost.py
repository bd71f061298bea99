"""What every method costs, to train and to use, beside how good it is: a table and a figure."""

from pathlib import Path
from string import ascii_lowercase

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from adkd.analysis.collect.scores import COSTS
from adkd.analysis.figures import scatter
from adkd.analysis.figures.stage import save
from adkd.analysis.grid import TEACHER, Column, Grid, Run, read_grid, read_scores, seed_scores, spec_of
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.base.stale import refuse_stale
from adkd.data.metrics import metric_title

COLUMNS = ["method", "task", "metric", "mean", "sd", "n", *COSTS, "latency_1", "latency_32", "measured"]


def write(grid: Path, scores: Path, out: Path, figures: Path) -> None:
    """Write ``cost.{csv,md,tex,txt}`` to ``out`` and ``cost.{pdf,png}`` to ``figures``, on the main split.

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
    with plt.rc_context(scatter.SCATTER):
        save(_figure(plan, table), figures, "cost")


def costs(plan: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method and task, the first split of a task alone; the teacher first."""
    rows = []
    latency = latencies(plan)
    for column in (column for column in plan.columns(plan.roles[0]) if column.averaged):
        for method in (TEACHER, *plan.methods):
            values = seed_scores(scores, method, column)
            if values.empty:
                continue
            of_method = scores[(scores["method"] == method) & (scores["task"] == column.task.name)]
            per_run = of_method.drop_duplicates("seed")[list(COSTS)].mean()
            mean, sd, n = over_seeds.mean_and_sd(values.to_numpy())
            found, place = latency[method, column.task.name]
            times = (found["1"]["median"], found["32"]["median"], place)
            rows.append((method, column.task.name, column.metric, mean, sd, n, *per_run, *times))
    return pd.DataFrame(rows, columns=COLUMNS)


def latencies(plan: Grid) -> dict[tuple[str, str], tuple[dict, str]]:
    """(method, task) -> the latencies of a model of its architecture, and which model was timed.

    Raises:
        InputError: one was not measured, or with another spec than the plan's.
    """
    known: dict[Path, dict] = {}
    for run in plan.runs:
        if run.latency not in known:
            known[run.latency] = _read(plan, run)
    below = plan.plan.parent / "latency"
    return {
        (run.method, run.task): (known[run.latency], run.latency.relative_to(below).as_posix()) for run in plan.runs
    }


def _read(plan: Grid, run: Run) -> dict:
    report, spec = run.latency / "latency.json", spec_of(plan.plan, run.latency)
    command = f"adkd latency {spec}"
    if not report.is_file():
        raise InputError(f"{report} is missing; make it with: {command}")
    found = read_json(report)
    refuse_stale(report, found.get("spec"), read_json(spec), command)
    return found["latency"]


def _table(plan: Grid, found: pd.DataFrame, column: Column) -> Table:
    here = found[found["task"] == column.task.name].set_index("method")
    rows = []
    letters: dict[str, str] = {}

    def dash(reason: str) -> Cell:
        return Cell(DASH, mark=letters.setdefault(reason, ascii_lowercase[len(letters) % 26]))

    for method in (TEACHER, *plan.methods):
        if method not in here.index:
            why = dash(f"{method}: {plan.skipped.get((method, column.task.name), 'not in this plan')}")
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
    machines = {_machine(read_json(run.result / "metrics.json")) for run in plan.runs}
    timed = dict.fromkeys(here["measured"])
    return [
        f"Score: points (×100) on {plan.roles[0]}, mean ± sd over n seeds; costs: means over the same runs. "
        f"Machine: {'; '.join(sorted(machines))}.",
        "Training s: wall time of a run, its scoring after every epoch included; jobs may have run side by side. "
        "TFLOPs: 10^12 operations of all training steps, counted, a live teacher's passes included. A student's row "
        "holds neither its teacher's training nor the signals that were computed of it once for all students.",
        "Peak: of the run's process, libraries included, or of the GPU. "
        f"ms: median forward pass over dev examples, 1 or 32 at a time, measured on {', '.join(timed)}: the speed of "
        "a model depends on its size alone. No other job of the workflow ran beside it.",
    ]


def _machine(metrics: dict) -> str:
    return f"{metrics['device']}, {metrics['spec']['threads']} thread(s), torch {metrics['versions']['torch']}"


def _figure(plan: Grid, scores: pd.DataFrame) -> Figure:
    columns = [column for column in plan.columns(plan.roles[0]) if column.averaged]

    def operations(method: str, column: Column) -> pd.Series:
        rows = scores[(scores["method"] == method) & (scores["task"] == column.task.name)]
        return rows.drop_duplicates("seed").set_index("seed")["flops"] / 1e12

    return scatter.draw(plan, scores, columns, operations, "training TFLOPs", log=True)
