"""The main table: every method on every task, mean ± sd over seeds, and what has to be said under it."""

from collections.abc import Sequence
from itertools import groupby
from string import ascii_lowercase

import numpy as np
import pandas as pd

from adkd.analysis.grid import TEACHER, Column, Grid, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.data.metrics import metric_title

COLUMNS = ["method", "task", "metric", "mean", "sd", "n", "split"]


def measured(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method and column that was run, in the grid's order; fractions, sd with ddof=1."""
    rows = []
    for role in grid.roles:
        for method in (TEACHER, *grid.methods):
            for column in grid.columns(role):
                values = seed_scores(scores, method, column)
                if len(values):
                    mean, sd, n = over_seeds.mean_and_sd(values.to_numpy())
                    rows.append((method, column.name, column.metric, mean, sd, n, column.split))
    return pd.DataFrame(rows, columns=COLUMNS)


def averages(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """Mean over tasks per seed, then mean and sd over seeds, of the methods that have every task; one row each."""
    rows = []
    for role in grid.roles:
        columns = _scored(grid, scores, role)
        averaged = [column for column in columns if column.averaged]
        for method in (TEACHER, *grid.methods):
            values = pd.DataFrame({column.name: seed_scores(scores, method, column) for column in averaged})
            per_seed = values.dropna().mean(axis=1)
            if len(averaged) > 1 and len(per_seed):
                mean, sd, n = over_seeds.mean_and_sd(per_seed.to_numpy())
                rows.append((method, role, mean, sd, n, len(averaged)))
    return pd.DataFrame(rows, columns=["method", "split", "mean", "sd", "n", "tasks"])


def main_tables(grid: Grid, scores: pd.DataFrame, significance: pd.DataFrame) -> list[Table]:
    """One table per role that has scores; stars in the first alone, for only its splits are tested."""
    cells, average = measured(grid, scores), averages(grid, scores)
    seeds = significance[significance["level"] == "seed"]
    starred = {(row.method, row.task) for row in seeds.itertuples() if row.p_holm < over_seeds.ALPHA}
    tables = []
    for role in grid.roles:
        columns = _scored(grid, scores, role)
        if columns:
            here = average[average["split"] == role].set_index("method")
            stars = starred if role == grid.roles[0] else set()
            tables.append(_table(grid, role, columns, cells, here, stars, notes(grid, role, columns, seeds)))
    return tables


def _scored(grid: Grid, scores: pd.DataFrame, role: str) -> list[Column]:
    """The columns of a role whose labels are known."""
    there = set(zip(scores["task"], scores["split"], strict=True))
    return [column for column in grid.columns(role) if (column.task.name, column.split) in there]


def _table(
    grid: Grid,
    role: str,
    columns: list[Column],
    cells: pd.DataFrame,
    average: pd.DataFrame,
    starred: set[tuple[str, str]],
    under: list[str],
) -> Table:
    letters: dict[str, str] = {}

    def dash(reason: str) -> Cell:
        return Cell(DASH, mark=letters.setdefault(reason, ascii_lowercase[len(letters) % 26]))

    rows = []
    for method in (TEACHER, *grid.methods):
        of_method = cells[(cells["method"] == method) & cells["split"].isin([c.split for c in columns])]
        found = of_method.set_index("task")
        row = []
        for column in columns:
            if column.name not in found.index:
                reason = grid.reason(method, column.task.name)
                row.append(dash(f"{method}: {reason}"))
            elif np.isnan(found.loc[column.name, "mean"]):
                row.append(dash("undefined in at least one run"))
            else:
                one = found.loc[column.name]
                row.append(cell(100 * one["mean"], 100 * one["sd"], star=(method, column.name) in starred))
        if len(average):
            if method in average.index:
                row.append(cell(100 * average.loc[method, "mean"], 100 * average.loc[method, "sd"]))
            else:
                row.append(dash("no average: not every task has a score of the same seed"))
        numbers = sorted(set(of_method["n"]))
        rows.append([Cell(grid.row(method)), Cell("–".join(map(str, numbers[:1] + numbers[1:][-1:])) or DASH), *row])
    header = ["method", "n", *(f"{c.title} ({metric_title(c.metric)})" for c in columns)]
    about = f"{grid.title}: scores" if grid.title else "Scores"
    title = f"{about} on {role}, points (×100), mean ± sd over n seeds"
    footnotes = {letter: reason for reason, letter in letters.items()}
    return Table(title, header + ["average"] * bool(len(average)), rows, footnotes, under)


def notes(grid: Grid, role: str, columns: list[Column], seeds: pd.DataFrame) -> list[str]:
    """What a reader has to know: n, split, selection, the test and its limits, then the plan's own notes."""
    said = [
        f"Seeds: {spans(grid.seeds)} (n = {len(grid.seeds)}). "
        + ("One seed: no sd, no interval, no test." if len(grid.seeds) < 2 else "sd: over seeds, ddof = 1."),
        f"Data: {grid.source}; split: {', '.join(dict.fromkeys(column.split for column in columns))}.",
        selection_note(grid, role),
    ]
    if grid.teacher_is_shared:
        said.append(
            "One teacher per task serves all seeds (n = 1): how results vary between teachers is not in the ± of "
            "students."
        )
    averaged, left_out = ([c.title for c in columns if c.averaged is which] for which in (True, False))
    if len(averaged) > 1:
        without = f"; {', '.join(left_out)} is left out, as in the paper" if left_out else ""
        said.append(f"Average: mean over {len(averaged)} tasks per seed, then mean and sd over seeds{without}.")
    said += (
        star_note(grid, seeds) if role == grid.roles[0] else [f"Tests are made on {grid.roles[0]} only: no stars here."]
    )
    return said + list(grid.notes)


def selection_note(grid: Grid, role: str) -> str:
    """Which data chose the epoch of a run."""
    if grid.selection == "held_out":
        return "Epoch: selected on a part of the training split that was held out; the reported split chose nothing."
    if grid.selection == "last":
        return "Epoch: the last one; nothing was selected."
    if role == "validation":
        return (
            "Epoch: selected on validation, the split that is reported here, as in the paper. "
            "The scores are therefore optimistic."
        )
    return f"Epoch: selected on validation, not on {role}."


def spans(seeds: Sequence[str]) -> str:
    """Seeds, more than three in a row as first–last."""
    said = []
    for _, group in groupby(enumerate(map(int, seeds)), lambda pair: pair[1] - pair[0]):
        row = [str(seed) for _, seed in group]
        said += row if len(row) <= 3 else [f"{row[0]}–{row[-1]}"]
    return ", ".join(said)


def star_note(grid: Grid, seeds: pd.DataFrame, more: str = "significance.md") -> list[str]:
    """The test behind the stars, and whether any star was possible at all; ``more`` is where the tests are listed."""
    family = len(seeds)
    if not family or len(grid.seeds) < 2:
        return []
    n = int(seeds["n"].max())
    smallest = seeds["smallest_p"].min()
    smallest = over_seeds.smallest_sign_flip(n) if smallest != smallest else smallest
    reach = f"The smallest p that {n} seeds can reach is {smallest:.3g}, adjusted {min(1, family * smallest):.3g}"
    if family * smallest >= over_seeds.ALPHA:
        reach += f": no star can appear (from {over_seeds.seeds_for_a_star(family)} seeds on one could)"
    return [
        f"* differs from {grid.labels[grid.reference]}: paired sign-flip test over seeds, two-sided, "
        f"p < {over_seeds.ALPHA} after Holm's adjustment for {family} comparison{'s' * (family > 1)}. {reach}. "
        f"No star does not mean no difference: see {more}.",
    ]
