"""The main table: every method on every task, mean ± sd over seeds, and what has to be said below it."""

from dataclasses import replace

import pandas as pd

from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import remarks
from adkd.analysis.stats.over_seeds import defined_scores, interval_of_mean
from adkd.analysis.stats.significance import AVERAGE
from adkd.analysis.tables.table import Cell, Footnotes, Heading, Table, headings
from adkd.analysis.tables.wording import (
    notes_on,
    row_of,
    seeds_note,
    selection_note,
    star_note,
    titled,
    why_not_run,
)
from adkd.data.metrics import metric_title
from adkd.plan.grid import TEACHER, Column, Grid

COLUMNS = ["method", "task", "metric", "mean", "sd", "n", "split", "note"]
AVERAGE_COLUMNS = ["method", "split", "mean", "sd", "n", "tasks"]


def means(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method and column that was run, in the grid's order; fractions, sd with ddof=1.

    n counts the seeds that have a score; ``note`` names those that have none, predict a constant, or lie apart.
    """
    rows = []
    for role in grid.roles:
        for method in (TEACHER, *grid.methods):
            for column in grid.columns(role):
                mean, sd, n = over_seeds.mean_and_sd(defined_scores(scores, method, column).to_numpy())
                note = remarks(scores, method, column)
                if n or note:
                    rows.append((method, column.name, column.metric, mean, sd, n, column.split, note or None))
    return pd.DataFrame(rows, columns=COLUMNS)


def averages(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """Mean over tasks per seed, then mean and sd over seeds, one row per method that has every task."""
    rows = []
    scored = set(zip(scores["task"], scores["split"], strict=True))
    for role in grid.roles:
        averaged = [c for c in grid.columns(role) if c.averaged and (c.task.name, c.split) in scored]
        for method in (TEACHER, *grid.methods):
            values = pd.DataFrame({column.name: defined_scores(scores, method, column) for column in averaged})
            per_seed = values.dropna().mean(axis=1)
            if len(averaged) > 1 and len(per_seed):
                mean, sd, n = over_seeds.mean_and_sd(per_seed.to_numpy())
                rows.append((method, role, mean, sd, n, len(averaged)))
    return pd.DataFrame(rows, columns=AVERAGE_COLUMNS)


def main_tables(grid: Grid, main: pd.DataFrame, average: pd.DataFrame, significance: pd.DataFrame) -> list[Table]:
    """One table per role that has scores. Stars and p-values are in the first alone: only its splits are tested.

    Args:
        main: as from ``means``, or ``main.csv``.
        average: as from ``averages``, or ``average.csv``.
        significance: as from ``stats.significance.comparisons``, or ``significance.csv``.
    """
    scored = set(zip(main["task"], main["split"], strict=True))
    tests = significance[significance["level"] == "seed"]
    tables = []
    for role in grid.roles:
        if columns := [column for column in grid.columns(role) if (column.name, column.split) in scored]:
            averaged = average[average["split"] == role].set_index("method")
            tables.append(_table(grid, role, columns, main, averaged, tests))
    return tables


def _table(
    grid: Grid, role: str, columns: list[Column], main: pd.DataFrame, average: pd.DataFrame, tests: pd.DataFrame
) -> Table:
    header = headings("method", "n", *(f"{column.title} ({metric_title(column.metric)})" for column in columns))
    header += [Heading(AVERAGE)] * bool(len(average))
    main = main[main["split"].isin([column.split for column in columns])]
    p_values = tests.set_index(["method", "task"])["p_holm"].to_dict() if role == grid.roles[0] else {}
    footnotes = Footnotes()
    rows = []
    for method in (TEACHER, *grid.methods):
        cells = _cells(grid, method, columns, main[main["method"] == method].set_index("task"), p_values, footnotes)
        if len(average):
            cells.append(_average(method, average, footnotes))
        rows.append(row_of(grid, method, cells))
    title = f"{titled(grid, 'scores')} on {role}, points (×100), mean ± sd over n seeds"
    return Table(title, header, rows, footnotes.texts, notes(grid, role, columns, tests) + notes_on(main["note"]))


def _cells(
    grid: Grid,
    method: str,
    columns: list[Column],
    main: pd.DataFrame,
    p_values: dict[tuple[str, str], float],
    footnotes: Footnotes,
) -> list[Cell]:
    """The row of one method without its average; ``main``: its means, by column."""
    cells = [_seeds(sorted(set(main["n"])))]
    for column in columns:
        if column.name not in main.index:
            cells.append(footnotes.dash(why_not_run(grid, method, column.task.name)))
        else:
            row = main.loc[column.name]
            cell = _points(row, p_values.get((method, column.name), float("nan")))
            cells.append(cell if pd.isna(row["note"]) else replace(cell, mark=footnotes.mark(row["note"])))
    return cells


def _seeds(numbers: list[int]) -> Cell:
    """How many seeds a row has; the fewest and the most where that differs between tasks."""
    if not numbers:
        return Cell()
    return Cell(numbers[0], words="–".join(map(str, dict.fromkeys((numbers[0], numbers[-1])))))


def _average(method: str, average: pd.DataFrame, footnotes: Footnotes) -> Cell:
    if method in average.index:
        return _points(average.loc[method])
    return footnotes.dash("no average: not every task has a score of the same seed")


def _points(row: pd.Series, p: float = float("nan")) -> Cell:
    """A mean in points, with its interval and the adjusted p-value of its comparison with the reference."""
    mean, sd = 100 * row["mean"], 100 * row["sd"]
    return Cell(mean, sd=sd, interval=interval_of_mean(mean, sd, row["n"]), p=p, star=p < over_seeds.ALPHA)


def notes(grid: Grid, role: str, columns: list[Column], tests: pd.DataFrame) -> list[str]:
    """What a reader has to know: n, split, selection, the test and its limits, then the plan's own notes."""
    splits = dict.fromkeys(column.split for column in columns)
    lines = [
        seeds_note(grid, "One seed: no sd, no interval, no test.", "sd: over seeds, ddof = 1."),
        f"Data: {grid.source}; split: {', '.join(splits)}.",
        selection_note(grid, role),
    ]
    if grid.teacher_is_shared:
        lines.append(
            "One teacher per task serves all seeds (n = 1): how results vary between teachers is not in the ± of "
            "students."
        )
    averaged, left_out = ([c.title for c in columns if c.averaged is which] for which in (True, False))
    if len(averaged) > 1:
        without = f"; {', '.join(left_out)} is left out, as in the paper" if left_out else ""
        lines.append(f"Average: mean over {len(averaged)} tasks per seed, then mean and sd over seeds{without}.")
    if role == grid.roles[0]:
        lines += star_note(grid, tests)
    else:
        lines.append(f"Tests are made on {grid.roles[0]} only: no stars here.")
    return lines + list(grid.notes)
