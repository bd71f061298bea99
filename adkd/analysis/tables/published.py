"""Published numbers beside ours.

What is published is in ``published_results.csv``, how it was trained in ``published_settings.yaml``, and nowhere else.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import remarks
from adkd.analysis.stats.over_seeds import seed_scores
from adkd.analysis.stats.significance import AVERAGE
from adkd.analysis.tables.table import Cell, Footnotes, Row, Table, headings
from adkd.analysis.tables.wording import NOT_PLANNED, notes_on, selection_note, spans
from adkd.data.metrics import metric_title
from adkd.data.sources import SOURCES
from adkd.data.tasks import TASKS
from adkd.plan.grid import Column, Grid, columns_of
from adkd.plan.specs import StudentSpec

FILE = Path(__file__).with_name("published_results.csv")
SETTINGS = Path(__file__).with_name("published_settings.yaml")
COLUMNS = [
    *("source", "method", "task", "metric", "published"),
    *("reproduced_mean", "reproduced_sd", "n", "difference", "status", "note"),
]
NOTHING = "No task of this plan has a published number to hold against ours.\n"


def read() -> pd.DataFrame:
    """``model,task,split,metric,value,source,status``; values in points (×100)."""
    return pd.read_csv(FILE)


def compared(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS`` in points (×100), one row per published number; ours are blank where nothing was run.

    A published average is compared with ours only where every task behind it was run.
    """
    ours_of = dict(iter(scores[scores["task"].isin(grid.tasks)].groupby(["method", "task"], sort=False)))
    rows = []
    for (source, method), of_method in read().groupby(["source", "model"], sort=False):
        tasks = of_method[of_method["task"] != AVERAGE]
        ours = {row.task: _ours(ours_of, method, row.task, row.metric) for row in tasks.itertuples()}
        ours[AVERAGE] = _mean([values for name, values in ours.items() if _columns()[name].averaged])
        for row in of_method.itertuples():
            mean, sd, n = over_seeds.mean_and_sd(100 * ours[row.task].to_numpy())
            about = (row.status, _remarks(ours_of, method, row.task, row.metric) or None)
            rows.append((source, method, row.task, row.metric, row.value, mean, sd, n, mean - row.value, *about))
    return pd.DataFrame(rows, columns=COLUMNS)


def tables(grid: Grid, compared: pd.DataFrame) -> list[Table]:
    """One table per source that has a task of the grid: published, reproduced and difference, line by line."""
    by_source = compared.groupby("source", sort=False)
    return [_table(grid, str(source), rows) for source, rows in by_source if _run(rows).any()]


def lists(grid: Grid, compared: pd.DataFrame) -> list[tuple[Table, Table]]:
    """Per source, every published number in a row of its own: first those beside one of ours, then the others.

    Args:
        compared: as from ``compared``, or ``published.csv``.
    """
    pairs = []
    for source, rows in compared.groupby("source", sort=False):
        footnotes = Footnotes()
        marks = {text: footnotes.mark(text) for text in [*rows["status"], *rows["note"].dropna()]}
        run = _run(rows)
        pairs.append((_list(grid, str(source), rows[run], marks, True), _list(grid, str(source), rows[~run], marks)))
    return pairs


@cache
def _columns() -> dict[str, Column]:
    """Name -> column of every task's dev sets."""
    return {column.name: column for task in TASKS.values() for column in columns_of(task, "validation")}


def _ours(scores: dict[Any, pd.DataFrame], method: str, name: str, metric: str) -> pd.Series:
    """[seeds] our scores for a published number that are defined, as fractions; empty if nothing was run for it.

    Args:
        scores: (method, task) -> rows of ``scores.csv``.
    """
    column = _columns()[name]
    run = scores.get((method, column.task.name))
    return pd.Series(dtype=float) if run is None else seed_scores(run, method, column, metric).dropna()


def _remarks(scores: dict[Any, pd.DataFrame], method: str, name: str, metric: str) -> str:
    """What a reader has to know of our seeds beside a published number; nothing of an average."""
    column = _columns().get(name)
    run = scores.get((method, column.task.name)) if column else None
    return "" if column is None or run is None else remarks(run, method, column, metric)


def _run(compared: pd.DataFrame) -> pd.Series:
    """Which published numbers have runs of ours beside them, failed ones included."""
    return (compared["n"] > 0) | compared["note"].notna()


def _mean(of_tasks: list[pd.Series]) -> pd.Series:
    """[seeds] mean over tasks, of the seeds that every task has."""
    if not of_tasks or any(values.empty for values in of_tasks):
        return pd.Series(dtype=float)
    return pd.concat(of_tasks, axis=1).dropna().mean(axis=1)


def _table(grid: Grid, source: str, compared: pd.DataFrame) -> Table:
    names = list(dict.fromkeys(compared["task"]))
    names.sort(key=lambda name: (name == AVERAGE, name not in set(compared.loc[_run(compared), "task"])))
    metrics = compared.drop_duplicates("task").set_index("task")["metric"]
    footnotes = Footnotes()
    rows = []
    for method, of_method in compared.groupby("method", sort=False):
        by_task = of_method.set_index("task").reindex(names)
        rows.append(Row(f"{method}: published", [Cell(value) for value in by_task["published"]]))
        if _run(of_method).any():
            reproduced = [_reproduced(name, row, footnotes) for name, row in by_task.iterrows()]
            rows.append(Row(f"{method}: reproduced", reproduced))
            rows.append(Row(f"{method}: difference", [Cell(value, "+.1f") for value in by_task["difference"]]))
    header = headings("", *(_title(name, metrics[name]) for name in names))
    scale = "not a reproduction, another scale: " if list(_other_models(grid, source)) else ""
    title = f"Published and reproduced ({scale}{source})"
    return Table(title, header, rows, footnotes.texts, list(_notes(grid, source, compared)))


def _title(name: str, metric: str) -> str:
    return AVERAGE if name == AVERAGE else f"{_columns()[name].title} ({metric_title(metric)})"


def _reproduced(name: object, row: pd.Series, footnotes: Footnotes) -> Cell:
    """Our mean of one column; ``row`` is blank where nothing was published."""
    if pd.isna(row["n"]):
        return Cell()
    if pd.notna(row["note"]):
        return Cell(row["reproduced_mean"], sd=row["reproduced_sd"], mark=footnotes.mark(row["note"]))
    if not row["n"]:
        return footnotes.dash("not every task of it has a score of the same seed" if name == AVERAGE else NOT_PLANNED)
    return Cell(row["reproduced_mean"], sd=row["reproduced_sd"])


def _list(grid: Grid, source: str, compared: pd.DataFrame, marks: dict[str, str], ours: bool = False) -> Table:
    """``marks``: a status or a note on our seeds -> the letter of its footnote; ``ours``: whether to list our means."""
    columns = _columns()
    rows = []
    for row in compared.itertuples():
        title = columns[row.task].title if row.task in columns else row.task
        cells = [Cell(words=title), Cell(words=metric_title(row.metric)), Cell(row.published, mark=marks[row.status])]
        if ours:
            here = Cell(row.reproduced_mean, sd=row.reproduced_sd, mark=marks.get(row.note, ""))
            cells += [here, Cell(row.n, ".0f"), Cell(row.difference, "+.1f")]
        rows.append(Row(row.method, cells, "reference" * (row.method == grid.reference)))
    header = headings("method", "task", "metric", "published")
    header += headings("here", "n", "here − published") if ours else []
    footnotes = {marks[text]: text for text in [*compared["status"], *compared["note"].dropna()]}
    notes = [*_departures(grid, source), *notes_on(compared["note"])] if ours else []
    return Table(source, header, rows, footnotes, notes)


@cache
def _settings() -> dict[str, dict[str, Any]]:
    """What the name of a source begins with -> how its models were trained."""
    return yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))


def _setting(source: str) -> dict[str, Any]:
    return next(setting for name, setting in _settings().items() if source.startswith(name))


def _other_models(grid: Grid, source: str) -> Iterator[str]:
    """Models and data of this plan that are not those of a source."""
    setting = _setting(source)
    if grid.teacher_model != "bert_base":
        yield f"the teacher is {grid.teacher_model}, not BERT-base"
    if grid.student.given != setting["student"]:
        layers = grid.student.from_teacher_layers
        start = f"layers {list(layers)} of the teacher's checkpoint" if layers else grid.student.model
        yield f"students start from {start}, not from {setting['start']}"
    if not SOURCES[grid.source].real:
        yield "the data are made up"
    yield from (note for note in grid.notes if "(data." in note)


def _other_settings(grid: Grid, source: str) -> Iterator[str]:
    """Settings of this plan's methods that are not those of a source."""
    planned = {(run.method, run.task): run for run in reversed(grid.runs)}
    others: dict[str, dict[str, list[str]]] = {}
    for method, published in _setting(source)["settings"].items():
        for run in (run for (name, _), run in planned.items() if name == method):
            spec = grid.spec(run)
            given = asdict(spec.training) | (spec.settings if isinstance(spec, StudentSpec) else {})
            for name, value in published.items():
                if given.get(name) != value:
                    ours, theirs = (json.dumps(one).strip('"') for one in (given.get(name), value))
                    words = f"{name} is {ours}, not {theirs}"
                    others.setdefault(words, {}).setdefault(method, []).append(run.task)
    for words, by_method in others.items():
        where = [
            method if set(on) == {task for name, task in planned if name == method} else f"{method} on {', '.join(on)}"
            for method, on in by_method.items()
        ]
        yield f"{words} ({', '.join(where)})"


def _departures(grid: Grid, source: str) -> Iterator[str]:
    """What is not as in a source, and what cannot be told."""
    if found := [*_other_models(grid, source), *_other_settings(grid, source)]:
        yield f"Not the setting of this source: {'; '.join(found)}."
    yield _setting(source)["beyond"]


def _notes(grid: Grid, source: str, compared: pd.DataFrame) -> Iterator[str]:
    yield (
        f"Points (×100). Reproduced: mean ± sd over n = {len(grid.seeds)} seeds ({spans(grid.seeds)}), ddof = 1; "
        "without ± a single run. Difference: reproduced − published."
    )
    yield "Published: single values as printed; over how many runs is not stated with them, so no test is made."
    for status in dict.fromkeys(compared["status"]):
        yield f"Status of the published numbers: {status}."
    yield from _departures(grid, source)
    yield selection_note(grid, "validation")
    yield from notes_on(compared["note"])
