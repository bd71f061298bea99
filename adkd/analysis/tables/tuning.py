"""What tuning cost and what it bought: budgets of all methods, their scores before and after, best score per trial."""

from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.figures.palette import looks
from adkd.analysis.figures.scatter import SCATTER
from adkd.analysis.figures.stage import panels_for, save, title
from adkd.analysis.figures.study import expected_best
from adkd.analysis.grid import Column, Grid, read_grid, read_scores, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.main import selection_note
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.base.stale import refuse_stale
from adkd.data.metrics import metric_title
from adkd.sweeps.trials import COMPLETE, STATES

COLUMNS = [
    *("method", "task", "metric", "trials", *STATES, "seeds", "searched", "seconds"),
    *("selection", "best_held_out", "before", "before_sd", "after", "after_sd", "n", "difference", "low", "high"),
]


@dataclass(frozen=True)
class Found:
    """What is known of one study."""

    report: dict[str, Any]
    """Its ``sweep.json``."""

    @property
    def spec(self) -> dict[str, Any]:
        return self.report["spec"]

    @property
    def searched(self) -> list[str]:
        """The settings that had more than one value to choose from."""
        space = self.spec["study"]["space"]
        return [key for key, entry in space.items() if entry["type"] != "choice" or len(entry["choices"]) > 1]

    @property
    def selection(self) -> str:
        """How points were chosen and the best of them found."""
        study, mode = self.spec["study"], self.spec["mode"]
        samplers = {"tpe": f"TPE, {study['startup']} at random first", "random": "at random"}
        points = "a shuffled grid" if study["variant"] == "grid" else samplers[study["sampler"]]
        seeds = f"seed{'s' * (len(study['trials']) > 1)} {', '.join(study['trials'])}"
        return f"best held-out score, mean over {seeds}; points: {points}; mode: {mode}"


def write(grid: Path, out: Path, figures: Path) -> None:
    """Write ``tuning.{csv,md,tex,txt}`` to ``out`` and ``tuning.{pdf,png}`` to ``figures``, on the main split.

    Args:
        grid: the main grid, of a config with ``settings_from: sweeps``; the untuned one lies beside it.

    Raises:
        InputError: there is no untuned grid, or scores or a study are missing or do not belong to the plan.
    """
    after, studies = read_grid(grid), {}
    path = grid.with_name("untuned.json")
    if not path.is_file():
        raise InputError(f"{path} is missing: what tuning bought is known with settings_from: sweeps in the config")
    before = read_grid(path)
    scores = [read_scores(plan, plan.out / "scores.csv") for plan in (before, after)]
    for method in after.methods:
        for task in after.tasks:
            if (method, task) not in after.skipped:
                studies[method, task] = _study(after, method, task)
    columns = [column for column in after.columns(after.roles[0]) if column.averaged]
    found = budgets(after, columns, *scores, studies)
    tables = [_table(after, found, column) for column in columns]
    csv = found.to_csv(index=False, lineterminator="\n")
    layout.write(out, {"tuning.csv": csv} | layout.texts("tuning", "What tuning cost and bought", tables))
    with plt.rc_context(SCATTER):
        save(_figure(after, columns, studies), figures, "tuning")


def budgets(
    plan: Grid,
    columns: list[Column],
    before: pd.DataFrame,
    after: pd.DataFrame,
    studies: dict[tuple[str, str], Found],
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
            counts = (one.report["counts"][state] for state in STATES)
            about = (method, column.task.name, column.metric, one.spec["trials"], *counts)
            cost = (len(one.spec["study"]["trials"]), " ".join(one.searched), one.report["seconds"], one.selection)
            means = (*over_seeds.mean_and_sd(was.to_numpy())[:2], *over_seeds.mean_and_sd(now.to_numpy()))
            difference = (_mean(differences), interval.low, interval.high)
            rows.append((*about, *cost, one.report["best"]["score"], *means, *difference))
    return pd.DataFrame(rows, columns=COLUMNS)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _study(plan: Grid, method: str, task: str) -> Found:
    results, below = plan.plan.parent, f"sweeps/{method}/{task}"
    report, spec = results / below / "sweep.json", plan.plan / f"{below}.json"
    command = "snakemake sweep"
    if not report.is_file():
        raise InputError(f"{report} is missing; make it with: {command}")
    found = read_json(report)
    refuse_stale(report, found.get("spec"), read_json(spec), command)
    return Found(found)


def _table(plan: Grid, found: pd.DataFrame, column: Column) -> Table:
    here = found[found["task"] == column.task.name].set_index("method")
    letters: dict[str, str] = {}
    rows = []
    for method in plan.methods:
        if method not in here.index:
            reason = f"{method}: {plan.skipped.get((method, column.task.name), 'not in this plan')}"
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


def _figure(plan: Grid, columns: list[Column], studies: dict[tuple[str, str], Found]) -> Figure:
    """One panel per task: the best held-out score to expect of every method after n trials."""
    figure, panels = panels_for(len(columns), 8, share_rows=False)
    styles = looks(plan)
    for axes, column in zip(panels, columns, strict=True):
        for method in plan.methods:
            if (method, column.task.name) in studies:
                best = 100 * expected_best(studies[method, column.task.name].report["scores"])
                look = styles[method]
                line = {"color": look.color, "marker": look.marker, "markersize": 3.5, "linewidth": 1.2}
                axes.plot(range(1, len(best) + 1), best, label=method, **line)
        _dress(axes, column)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=6, frameon=False)
    title(
        figure,
        "Best held-out score to expect after n trials, had they come in another order. One n is one budget.",
    )
    return figure


def _dress(axes: Axes, column: Column) -> None:
    axes.set_title(column.title, loc="left")
    axes.set_xlabel("scored trials")
    axes.set_ylabel(f"held-out {metric_title(column.metric)} (×100)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
