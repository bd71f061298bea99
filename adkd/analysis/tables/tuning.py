"""The tuning table: what every method's search for settings cost, and its scores before and after."""

from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd

from adkd.analysis.collect.studies import searched, selection, studies_of
from adkd.analysis.grid import Column, Grid, read_grid, read_scores, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.main import selection_note
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.base.errors import InputError
from adkd.data.metrics import metric_title
from adkd.plan.reports import StudyReport
from adkd.sweeps.trials import COMPLETE, STATES

COLUMNS = [
    *("method", "task", "metric", "trials", *STATES, "seeds", "searched", "seconds"),
    *("selection", "best_held_out", "before", "before_sd", "after", "after_sd", "n", "difference", "low", "high"),
]


def write(grid: Path, out: Path) -> None:
    """Write ``tuning.{csv,md,tex,txt}`` to ``out``, on the main split.

    Args:
        grid: the main grid, of a config with ``settings_from: sweeps``; the untuned one lies beside it.

    Raises:
        InputError: there is no untuned grid, or scores or a study are missing or do not belong to the plan.
    """
    after = read_grid(grid)
    path = grid.with_name("untuned.json")
    if not path.is_file():
        raise InputError(f"{path} is missing: what tuning bought is known with settings_from: sweeps in the config")
    before = read_grid(path)
    scores = [read_scores(plan, plan.out / "scores.csv") for plan in (before, after)]
    columns = [column for column in after.columns(after.roles[0]) if column.averaged]
    found = budgets(after, columns, *scores, studies_of(after))
    tables = [_table(after, found, column) for column in columns]
    csv = found.to_csv(index=False, lineterminator="\n")
    layout.write(out, {"tuning.csv": csv} | layout.texts("tuning", "What tuning cost and bought", tables))


def budgets(
    plan: Grid,
    columns: list[Column],
    before: pd.DataFrame,
    after: pd.DataFrame,
    studies: dict[tuple[str, str], StudyReport],
) -> pd.DataFrame:
    """``COLUMNS``, one row per method and task, fractions and seconds; the difference is after minus before, paired by
    seed, with its 95 % t interval."""
    rows = []
    for column in columns:
        for method in plan.methods:
            if (method, column.task.name) not in studies:
                continue
            one = studies[method, column.task.name]
            was, now = (seed_scores(table, method, column) for table in (before, after))
            differences = (now - was).dropna().to_numpy()
            interval = over_seeds.interval_over_seeds(differences)
            counts = (one.counts[state] for state in STATES)
            about = (method, column.task.name, column.metric, one.spec.trials, *counts)
            cost = (len(one.spec.study.trials), " ".join(searched(one)), one.seconds, selection(one))
            means = (*over_seeds.mean_and_sd(was.to_numpy())[:2], *over_seeds.mean_and_sd(now.to_numpy()))
            difference = (_mean(differences), interval.low, interval.high)
            rows.append((*about, *cost, one.best.score, *means, *difference))
    return pd.DataFrame(rows, columns=COLUMNS)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _table(plan: Grid, found: pd.DataFrame, column: Column) -> Table:
    here = found[found["task"] == column.task.name].set_index("method")
    letters: dict[str, str] = {}
    rows = []
    for method in plan.methods:
        if method not in here.index:
            reason = f"{method}: {plan.reason(method, column.task.name)}"
            mark = letters.setdefault(reason, ascii_lowercase[len(letters) % 26])
            rows.append([Cell(plan.row(method)), *[Cell(DASH, mark=mark)] * 8])
            continue
        one = here.loc[method]
        low, high = 100 * one["low"], 100 * one["high"]
        span = f" [{low:+.1f}, {high:+.1f}]" if low == low else ""
        rows.append(
            [
                Cell(plan.row(method)),
                Cell(str(len(one["searched"].split()))),
                Cell(trials(one)),
                Cell(f"{one['seconds']:.0f}"),
                Cell(f"{100 * one['best_held_out']:.1f}"),
                cell(100 * one["before"], 100 * one["before_sd"]),
                cell(100 * one["after"], 100 * one["after_sd"]),
                Cell(f"{100 * one['difference']:+.1f}{span}"),
                Cell(str(one["n"])),
            ]
        )
    metric = metric_title(column.metric)
    header = ["method", "settings", "trials", "s", "best held-out", "before", "after", "after − before [95 %]", "n"]
    footnotes = {letter: reason for reason, letter in letters.items()}
    return Table(f"Tuning on {column.title}, {metric} (×100)", header, rows, footnotes, notes(plan, here.reset_index()))


def trials(one: pd.Series) -> str:
    """The budget, and what of it gave no score."""
    lost = ", ".join(f"{one[state]} {state}" for state in STATES if state != COMPLETE and one[state])
    return f"{one['trials']} ({lost})" if lost else str(one["trials"])


def notes(plan: Grid, here: pd.DataFrame) -> list[str]:
    """The protocol, what is compared, and what the comparison cannot show; ``here``: the rows of one task."""
    protocols = dict.fromkeys(here["selection"])
    which = [f"{row.method}: {', '.join(row.searched.split())}" for row in here.itertuples()]
    same = "the same" if len(set(zip(here["trials"], here["seeds"], strict=True))) == 1 else "NOT the same"
    return [
        f"Selection protocol of a study: {'; or '.join(protocols)}. Neither dev nor test took part.",
        f"Budget: trials, {same} for all methods; a trial has every seed once. s: seconds of all trials added up, on "
        "the machines they ran on; a method that costs more per step has had more of them.",
        f"Settings searched: {'; '.join(which)}. The same number of trials covers fewer settings more closely.",
        f"Before, after: {plan.roles[0]}, mean ± sd over n seeds, with the config's settings and with the best of the "
        "study. Interval: paired t over seeds, one difference at a time, not adjusted for their number. It holds the "
        "settings fixed: another sweep would find others.",
        "Best held-out: the score that won, on the data that chose it, and therefore optimistic.",
        selection_note(plan, plan.roles[0]),
    ]
