"""A submission to the GLUE server, made from stored test predictions: it alone can score the hidden test labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adkd.analysis.glue_server import FILES, File, write_zip
from adkd.analysis.stats.predictions import Predictions, read_predictions
from adkd.analysis.tables.table import Cell, Row, Table, headings
from adkd.analysis.tables.text import markdown, plain
from adkd.base.errors import InputError, unknown
from adkd.base.files import new_file
from adkd.data.metrics import are_constant, official
from adkd.data.sources import SOURCES
from adkd.data.tasks import task
from adkd.plan.grid import TEACHER, Column, Grid, Run

SEEDS = ("best", "average")
"""Per task the seed with the best dev score, or the mean over all seeds of probabilities (of values for regression)."""


CONSTANT = ", constant predictions on dev"


@dataclass(frozen=True)
class Choice:
    """The runs of one method that answer for one task."""

    runs: tuple[Run, ...]
    source: str
    score: float
    """Main metric of the answers on the dev set, as a fraction; mean over the dev sets of a task that has two."""


def write(grid: Grid, method: str, out: Path, seeds: str = "best") -> str:
    """Write a submission of one method's stored test predictions, and beside it a note on where each file is from.

    Args:
        grid: of ``results/plan/grid.json``.
        method: a method of the grid, or ``teacher``.
        out: the zip; it holds the TSV files of ``FILES`` alone. The same predictions give the same bytes.
        seeds: one of ``SEEDS``.

    Returns:
        The note, for a terminal.

    Raises:
        InputError: the grid lacks the method or a task, a run or its test predictions are missing, or their rows are
            not those of GLUE's test set. Nothing is written then.
    """
    if seeds not in SEEDS:
        raise unknown("choice of seeds", seeds, SEEDS)
    if out.suffix != ".zip":
        raise InputError(f"{out} is not the name of a zip file; the server takes NAME.zip")
    runs = _runs(grid, method)
    _check_stored(grid, runs)
    choices = {name: _choice(grid, name, ours, seeds) for name, ours in runs.items()}
    contents = {file: _content(grid, file, choices.get(file.task or "")) for file in FILES}
    table = _table(grid, method, seeds, choices)
    note = out.with_suffix(".md")
    with new_file(out) as new_zip, new_file(note) as new_note:
        write_zip(new_zip, contents)
        new_note.write_text(markdown(table), encoding="utf-8")
    return f"{plain(table)}\nTo be handed in: {out}\nWhere each file is from: {note}"


def _runs(grid: Grid, method: str) -> dict[str, tuple[Run, ...]]:
    """Task -> the method's runs, for every task of GLUE that the grid has, in the order of the seeds."""
    if method not in (TEACHER, *grid.methods):
        raise unknown(f"method of {grid.file}", method, (*grid.methods, TEACHER))
    names = dict.fromkeys(file.task for file in FILES if file.task)
    runs_of = {name: tuple(run for run in grid.runs if (run.method, run.task) == (method, name)) for name in names}
    needed = dict.fromkeys(file.task for file in FILES if file.task and file.constant is None)
    if missing := [name for name, runs in runs_of.items() if name in needed and not runs]:
        reasons = {name: grid.skipped.get(method, {}).get(name) for name in missing}
        listed = ", ".join(f"{name} (skipped: {why})" if why else name for name, why in reasons.items())
        raise InputError(
            f"{grid.file} has no run of {method} on {listed}; a submission needs all of {', '.join(needed)} among the "
            "config's `tasks`, as in workflow/config/paper.yaml"
        )
    if not SOURCES[grid.source].official:
        official = [source.name for source in SOURCES.values() if source.official]
        where = f"{grid.file}: data.source"
        raise InputError(where, value=grid.source, allowed=f"{' or '.join(official)}: only these have GLUE's test rows")
    return {name: runs for name, runs in runs_of.items() if runs}


def _check_stored(grid: Grid, runs: dict[str, tuple[Run, ...]]) -> None:
    """Raises InputError unless every run is finished as planned and stored its test predictions."""
    for run in (run for ours in runs.values() for run in ours):
        grid.report(run)
    stored = [
        (run, grid.predictions(run, file.split)) for file in FILES if file.task for run in runs.get(file.task, ())
    ]
    if absent := [(run, path) for run, path in stored if not path.is_file()]:
        run, path = absent[0]
        raise InputError(
            f"{path} is missing ({len(absent)} of {len(stored)} files of test predictions are)",
            remedy=f"set `predict: [test]` in the config, run adkd plan, and make it with: {grid.command(run)}",
        )


def _choice(grid: Grid, name: str, runs: tuple[Run, ...], seeds: str) -> Choice:
    """Which runs answer for a task. A tie goes to the first seed."""
    columns = [column for column in grid.columns(grid.roles[0]) if column.task.name == name]
    dev = [(column, read_predictions(grid, runs, column, _recorded(grid, runs, column))) for column in columns]
    if seeds == "average":
        source = f"mean of {len(runs)} seeds" if len(runs) > 1 else f"seed {runs[0].seed}"
        source += CONSTANT * any(are_constant(c.task, p.averaged) for c, p in dev)
        return Choice(runs, source, float(np.mean([_score(c, p, p.averaged) for c, p in dev])))
    each = [np.mean([_score(c, p, p.each[seed]) for c, p in dev]) for seed in range(len(runs))]
    best = int(np.argmax(each))
    source = f"seed {runs[best].seed}" + (f", best of {len(runs)}" if len(runs) > 1 else "")
    source += f", the first of {tied} equal ones" if (tied := each.count(each[best])) > 1 else ""
    source += CONSTANT * any(are_constant(c.task, p.each[best]) for c, p in dev)
    return Choice((runs[best],), source, float(each[best]))


def _recorded(grid: Grid, runs: Sequence[Run], column: Column) -> pd.Series:
    """[seeds] what the runs have recorded as their score."""
    scores = {run.seed: grid.report(run).scores for run in runs}
    return pd.Series(
        {seed: by_split.get(column.split, {}).get(column.metric) for seed, by_split in scores.items()}, dtype=float
    )


def _score(column: Column, stored: Predictions, predicted: np.ndarray) -> float:
    return official(column.task, predicted, stored.labels)[column.metric]


def _content(grid: Grid, file: File, choice: Choice | None) -> str:
    """The text of one TSV file, its rows in the order of ``idx``.

    Raises:
        InputError: the rows are not those of the official test set.
    """
    answers = [file.constant] * file.rows if choice is None else _answers(grid, file, choice)
    return "index\tprediction\n" + "".join(f"{index}\t{answer}\n" for index, answer in enumerate(answers))


def _answers(grid: Grid, file: File, choice: Choice) -> list[str]:
    column = next(c for c in grid.columns("test") if (c.task.name, c.split) == (file.task, file.split))
    stored = read_predictions(
        grid, choice.runs, column, pd.Series(dtype=float)
    )  # the labels are hidden: no score to check
    path = grid.predictions(choice.runs[0], file.split)
    if len(stored.idx) != file.rows:
        raise InputError(
            f"{path} has {len(stored.idx)} rows, expected the official {file.rows}; a subset cannot be submitted"
        )
    if len(absent := np.setdiff1d(np.arange(file.rows), stored.idx)):
        raise InputError(
            f"{path}: every idx from 0 to {file.rows - 1} is expected once; {len(absent)} of them are not there, "
            f"first {absent[0]}, so others are there twice or are no rows of the test set"
        )
    predicted = stored.averaged[np.argsort(stored.idx)]
    if column.task.regression:
        return [f"{value:.3f}" for value in np.clip(predicted, *column.task.scale)]
    return [column.task.labels[number] for number in predicted] if file.words else [str(number) for number in predicted]


def _table(grid: Grid, method: str, seeds: str, choices: dict[str, Choice]) -> Table:
    """Where each file is from, and what a reader of the server's scores has to know."""
    rows, notes = [], []
    for file in FILES:
        choice = choices.get(file.task or "")
        if choice is None or file.task is None:
            source, metric, score = f"constant: {file.constant}", "", ""
            notes.append(f'{file.name}.tsv is constant: every row says "{file.constant}" ({file.why_constant}).')
        else:
            source, metric, score = choice.source, task(file.task).metrics[0], f"{100 * choice.score:.1f}"
        rows.append(Row(f"{file.name}.tsv", [Cell(words=text) for text in (str(file.rows), source, metric, score)]))
    notes.append(f"Dev scores are in points (×100), for a task with two dev sets their mean ({grid.roles[0]}).")
    if seeds == "best" and any("best of" in choice.source for choice in choices.values()):
        notes.append(
            "The best of several seeds was chosen by the dev score shown, which is an optimistic one for that reason."
        )
    header = headings("file", "rows", "predictions", "dev metric", "dev score")
    return Table(f"GLUE submission of {method}", header, rows, notes=(*notes, *grid.notes))
