"""The tuning table: what every method's search for settings cost, and its scores before and after."""

import numpy as np
import pandas as pd

from adkd.analysis.collect.scores import FILE, read_scores
from adkd.analysis.collect.studies import report_files, searched, selection, studies_of
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import remarks
from adkd.analysis.stats.over_seeds import Interval, defined_scores
from adkd.analysis.tables.table import Cell, Footnotes, Heading, Table
from adkd.analysis.tables.table import write as write_texts
from adkd.analysis.tables.text import csv, texts
from adkd.analysis.tables.wording import notes_on, row_of, selection_note, why_not_run
from adkd.base.errors import InputError
from adkd.data.metrics import metric_title
from adkd.plan.grid import UNTUNED, Column, Grid
from adkd.plan.reports import StudyReport
from adkd.sweeps.trials import COMPLETE, STATES

COLUMNS = [
    *("method", "task", "metric", "trials", *STATES, "seeds", "searched", "seconds", "selection", "best_held_out"),
    *("before", "before_sd", "after", "after_sd", "n", "difference", "low", "high", "note"),
]


def write(grid: Grid) -> None:
    """Write ``tables/tuning.{csv,md,tex,txt}``, on the main split.

    Args:
        grid: the main grid, of a config with ``settings_from: sweeps``; the untuned one lies beside it.

    Raises:
        InputError: there is no untuned grid, or scores or a study are missing or do not belong to the plan.
    """
    untuned = grid.results.plan_file(UNTUNED)
    if not untuned.is_file():
        remedy = "set settings_from: sweeps in the config; without it there are no tuned settings to compare"
        raise InputError(f"{untuned} is missing", remedy=remedy)
    before = Grid.load(untuned)
    studies = studies_of(grid)
    table = budgets(grid, read_scores(before), read_scores(grid), studies)
    tables = tuning_tables(grid, table)
    files = {"tuning.csv": csv(table)} | texts("tuning", "What tuning cost and bought", tables)
    made_from = [file for one in (before, grid) for file in (one.file, one.out / FILE)]
    write_texts(grid.out / "tables", files, [*made_from, *report_files(grid, studies)])


def budgets(
    grid: Grid, before: pd.DataFrame, after: pd.DataFrame, studies: dict[tuple[str, str], StudyReport]
) -> pd.DataFrame:
    """``COLUMNS``, one row per method and task, fractions and seconds; the difference is after minus before, paired by
    seed, with its 95 % t interval."""
    rows = []
    for column in _columns(grid):
        for method in grid.methods:
            if (method, column.task.name) not in studies:
                continue
            study = studies[method, column.task.name]
            old, new = (defined_scores(table, method, column) for table in (before, after))
            differences = (new - old).dropna().to_numpy()
            interval = over_seeds.interval_over_seeds(differences)
            counts = (study.counts[state] for state in STATES)
            about = (method, column.task.name, column.metric, study.spec.trials, *counts)
            cost = (len(study.spec.study.trials), " ".join(searched(study)), study.seconds)
            best = (selection(study), study.best.score)
            means = (*over_seeds.mean_and_sd(old.to_numpy())[:2], *over_seeds.mean_and_sd(new.to_numpy()))
            difference = (_mean(differences), interval.low, interval.high)
            notes = {"before": remarks(before, method, column), "after": remarks(after, method, column)}
            note = "; ".join(f"{when}: {words}" for when, words in notes.items() if words)
            rows.append((*about, *cost, *best, *means, *difference, note or None))
    return pd.DataFrame(rows, columns=COLUMNS)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _columns(grid: Grid) -> list[Column]:
    return [column for column in grid.columns(grid.roles[0]) if column.averaged]


def tuning_tables(grid: Grid, table: pd.DataFrame) -> list[Table]:
    """One table per task; ``table`` as from ``budgets``, or ``tuning.csv``."""
    return [_table(grid, table[table["task"] == column.task.name], column) for column in _columns(grid)]


def _table(grid: Grid, table: pd.DataFrame, column: Column) -> Table:
    by_method = table.set_index("method")
    header = [
        Heading("method"),
        Heading("settings", "settings searched"),
        Heading("trials"),
        Heading("s", "seconds"),
        Heading("best held-out"),
        Heading("before"),
        Heading("after"),
        Heading("after − before [95 %]"),
        Heading("n"),
    ]
    footnotes = Footnotes()
    rows = []
    for method in grid.methods:
        if method in by_method.index:
            cells = _cells(by_method.loc[method], footnotes)
        else:
            cells = [footnotes.dash(why_not_run(grid, method, column.task.name))] * (len(header) - 1)
        rows.append(row_of(grid, method, cells))
    title = f"Tuning on {column.title}, {metric_title(column.metric)} (×100)"
    return Table(title, header, rows, footnotes.texts, notes(grid, table) + notes_on(table["note"]))


def _cells(row: pd.Series, footnotes: Footnotes) -> list[Cell]:
    mark = "" if pd.isna(row["note"]) else footnotes.mark(row["note"])
    return [
        Cell(len(row["searched"].split()), ".0f"),
        Cell(row["trials"], words=_trials(row)),
        Cell(row["seconds"], ".0f"),
        Cell(100 * row["best_held_out"]),
        Cell(100 * row["before"], sd=100 * row["before_sd"]),
        Cell(100 * row["after"], sd=100 * row["after_sd"]),
        Cell(100 * row["difference"], "+.1f", interval=Interval(100 * row["low"], 100 * row["high"]), mark=mark),
        Cell(row["n"], ".0f"),
    ]


def _trials(row: pd.Series) -> str:
    """The budget, and how many of its trials have no score."""
    unscored = ", ".join(f"{row[state]} {state}" for state in STATES if state != COMPLETE and row[state])
    return f"{row['trials']} ({unscored})" if unscored else str(row["trials"])


def notes(grid: Grid, table: pd.DataFrame) -> list[str]:
    """The protocol, what is compared, and what the comparison cannot show; ``table``: the rows of one task."""
    protocols = dict.fromkeys(table["selection"])
    settings = [f"{row.method}: {', '.join(row.searched.split())}" for row in table.itertuples()]
    same = "the same" if len(set(zip(table["trials"], table["seeds"], strict=True))) == 1 else "NOT the same"
    return [
        f"Selection protocol of a study: {'; or '.join(protocols)}. Neither dev nor test took part.",
        f"Budget: trials, {same} for all methods; a trial has every seed once. s: seconds of all trials added up, on "
        "the machines they ran on; a method that costs more per step has had more of them.",
        f"Settings searched: {'; '.join(settings)}. The same number of trials covers fewer settings more closely.",
        f"Before, after: {grid.roles[0]}, mean ± sd over n seeds, with the config's settings and with the best of the "
        "study. Interval: paired t over seeds, one difference at a time, not adjusted for their number. It holds the "
        "settings fixed: another sweep would find others.",
        "Best held-out: the score that won, on the data that chose it, and therefore optimistic.",
        selection_note(grid, grid.roles[0]),
    ]
