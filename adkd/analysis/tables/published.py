"""Published numbers beside ours. What is published is in ``published_results.csv`` and nowhere else."""

from collections.abc import Iterator
from math import nan
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd

from adkd.analysis.grid import Column, Grid, columns_of, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables.main import selection_note, spans
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.data.metrics import metric_title
from adkd.data.sources import SOURCES
from adkd.data.tasks import TASKS

FILE = Path(__file__).with_name("published_results.csv")
COLUMNS = [
    "source",
    "method",
    "task",
    "metric",
    "published",
    "reproduced_mean",
    "reproduced_sd",
    "n",
    "difference",
    "status",
]
AVERAGE = "average"


def read() -> pd.DataFrame:
    """``model,task,split,metric,value,source,status``; values in points (×100)."""
    return pd.read_csv(FILE)


def compared(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS`` in points (×100), one row per published number; ours are blank where nothing was run.

    A published average is held against ours only where every task that it is the mean of was run.
    """
    rows = []
    for (source, method), of_method in read().groupby(["source", "model"], sort=False):
        tasks = of_method[of_method["task"] != AVERAGE]
        ours = {row.task: _ours(grid, scores, method, row.task, row.metric) for row in tasks.itertuples()}
        # As in the paper, mnli_mm is not part of the average.
        ours[AVERAGE] = _mean([values for task, values in ours.items() if not task.endswith("_mm")])
        for row in of_method.itertuples():
            mean, sd, n = over_seeds.mean_and_sd(100 * ours[row.task].to_numpy())
            rows.append((source, method, row.task, row.metric, row.value, mean, sd, n, mean - row.value, row.status))
    return pd.DataFrame(rows, columns=COLUMNS)


def tables(grid: Grid, found: pd.DataFrame) -> list[Table]:
    """One table per source that has a task of the grid: published, reproduced, difference, line by line."""
    by_source = found.groupby("source", sort=False)
    return [_table(grid, str(source), part) for source, part in by_source if (part["n"] > 0).any()]


NOTHING = "No task of this plan has a published number to hold against ours.\n"


def _columns() -> dict[str, Column]:
    """Name -> column of every task's dev sets."""
    return {column.name: column for task in TASKS.values() for column in columns_of(task, "validation")}


def _ours(grid: Grid, scores: pd.DataFrame, method: str, name: str, metric: str) -> pd.Series:
    """[seeds] our scores of what a published number is of, as fractions; empty if it was not run."""
    column = _columns()[name]
    if column.task.name not in grid.tasks:
        return pd.Series(dtype=float)
    return seed_scores(scores, method, column, metric)


def _mean(of_tasks: list[pd.Series]) -> pd.Series:
    """[seeds] mean over tasks, of the seeds that every task has."""
    if not of_tasks or any(values.empty for values in of_tasks):
        return pd.Series(dtype=float)
    return pd.concat(of_tasks, axis=1).dropna().mean(axis=1)


def _table(grid: Grid, source: str, part: pd.DataFrame) -> Table:
    columns, names = _columns(), list(dict.fromkeys(part["task"]))
    names.sort(key=lambda name: (name == AVERAGE, name not in set(part.loc[part["n"] > 0, "task"])))
    metric = part.drop_duplicates("task").set_index("task")["metric"]
    letters: dict[str, str] = {}

    def dash(reason: str) -> Cell:
        return Cell(DASH, mark=letters.setdefault(reason, ascii_lowercase[len(letters)]))

    rows = []
    for method, of_method in part.groupby("method", sort=False):
        known = of_method.set_index("task")
        published = [Cell(f"{known.loc[n, 'published']:.1f}") if n in known.index else Cell(DASH) for n in names]
        rows.append([Cell(f"{method}: published"), *published])
        if (known["n"] > 0).any():
            ours = [_cell(known, name, dash) for name in names]
            rows.append([Cell(f"{method}: reproduced"), *ours])
            rows.append([Cell(f"{method}: difference"), *(_difference(known, name) for name in names)])
    header = ["", *(_title(name, columns, metric) for name in names)]
    scale = "not a reproduction, another scale: " if list(_departures(grid)) else ""
    footnotes = {letter: reason for reason, letter in letters.items()}
    return Table(f"Published and reproduced ({scale}{source})", header, rows, footnotes, list(_notes(grid, part)))


def _title(name: str, columns: dict[str, Column], metric: pd.Series) -> str:
    if name == AVERAGE:
        return AVERAGE
    return f"{columns[name].title} ({metric_title(metric[name])})"


def _cell(known: pd.DataFrame, name: str, dash: object) -> Cell:
    if name not in known.index:
        return Cell(DASH)
    one = known.loc[name]
    if not one["n"]:
        return dash("not every task of it is in this plan" if name == AVERAGE else "not in this plan")
    if np.isnan(one["reproduced_mean"]):
        return dash("undefined in at least one run")
    return cell(one["reproduced_mean"], one["reproduced_sd"])


def _difference(known: pd.DataFrame, name: str) -> Cell:
    value = known["difference"].get(name, nan)
    return Cell(DASH if np.isnan(value) else f"{value:+.1f}")


def _departures(grid: Grid) -> Iterator[str]:
    """What makes the numbers of this plan ones of another experiment."""
    if grid.teacher_model != "bert_base":
        yield f"the teacher is {grid.teacher_model}, not BERT-base"
    if grid.student.model != "bert_l6_h768":
        layers = grid.student.from_teacher_layers
        start = f"layers {list(layers)} of the teacher's checkpoint" if layers else grid.student.model
        yield f"students start from {start}, not from a BERT of 6 layers and 768 dimensions"
    if not SOURCES[grid.source].real:
        yield "the data are made up"
    yield from (note for note in grid.notes if "(data." in note)


def _notes(grid: Grid, part: pd.DataFrame) -> Iterator[str]:
    yield (
        f"Points (×100). Reproduced: mean ± sd over n = {len(grid.seeds)} seeds ({spans(grid.seeds)}), ddof = 1; "
        "without ± a single run. Difference: reproduced − published."
    )
    yield "Published: single values as printed; over how many runs is not stated with them, so no test is made."
    for status in dict.fromkeys(part["status"]):
        yield f"Status of the published numbers: {status}."
    if departures := list(_departures(grid)):
        yield f"Not the published setting: {'; '.join(departures)}."
    yield selection_note(grid, "validation")
