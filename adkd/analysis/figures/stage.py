"""Two figures: every score of every seed, and the differences to the reference with their intervals."""

from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")  # no screen is needed

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adkd.analysis.figures.palette import BLACK, BLUE, GREY, VERMILION
from adkd.analysis.grid import TEACHER, Column, Grid, read_grid, read_scores, seed_scores
from adkd.analysis.stats.significance import AVERAGE
from adkd.base.errors import InputError
from adkd.base.files import new_file
from adkd.data.metrics import metric_title

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.size": 0,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
}
_ACROSS = (3, 4)
"""Panels side by side that fit the width of a page; the one that leaves fewer gaps is taken."""
BLANK = {"color": GREY, "ha": "center", "va": "center"}


def write(grid: Path, scores: Path, tables: Path, out: Path) -> None:
    """Draw ``scores`` and ``differences`` as PDF and PNG into ``out``, on the main split.

    Raises:
        InputError: the scores or ``significance.csv`` are missing.
    """
    plan = read_grid(grid)
    table = read_scores(plan, scores)
    if not (tables / "significance.csv").is_file():
        raise InputError(f"{tables / 'significance.csv'} is missing; make it with: adkd tables {grid}")
    significance = pd.read_csv(tables / "significance.csv")
    with plt.rc_context(STYLE):
        save(_scores(plan, table), out, "scores")
        save(_differences(plan, significance), out, "differences")


def _scores(plan: Grid, table: pd.DataFrame) -> Figure:
    """One panel per column: a dot for every seed, a bar at the mean, a dashed line at the teacher."""
    role = plan.roles[0]
    there = set(zip(table["task"], table["split"], strict=True))
    columns = [column for column in plan.columns(role) if (column.task.name, column.split) in there]
    figure, panels = panels_for(len(columns), len(plan.methods))
    for axes, column in zip(panels, columns, strict=False):
        _score_panel(axes, plan, table, column)
        _name_rows(axes, plan.methods, plan)
    title(figure, f"Scores on {role} ({seeds(plan)}): dot = a seed, bar = mean, dashed = teacher")
    return figure


def _score_panel(axes: Axes, plan: Grid, table: pd.DataFrame, column: Column) -> None:
    for row, method in enumerate(plan.methods):
        values = 100 * seed_scores(table, method, column).to_numpy()
        color = VERMILION if method == plan.reference else BLUE
        if not len(values):
            axes.text(0.5, row, "not run", transform=axes.get_yaxis_transform(), **BLANK)
            continue
        spread = np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1)
        axes.scatter(values, row + spread, s=13, color=color, alpha=0.65, linewidths=0)
        axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=color, linewidth=1.6)
    teacher = 100 * seed_scores(table, TEACHER, column).mean()
    if teacher == teacher:
        axes.axvline(teacher, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_title(column.title, loc="left")
    axes.set_xlabel(f"{metric_title(column.metric)} (×100)")


def _differences(plan: Grid, significance: pd.DataFrame) -> Figure:
    """A forest plot: per column, each method's difference to the reference and its interval over seeds."""
    role = plan.roles[0]
    over_seeds, over_tasks = (significance[significance["level"] == level] for level in ("seed", "task"))
    columns = [column for column in plan.columns(role) if column.name in set(over_seeds["task"])]
    panels_of = [(column.title, over_seeds[over_seeds["task"] == column.name]) for column in columns]
    if over_tasks["difference"].notna().any():
        panels_of.append((f"{AVERAGE} over tasks", over_tasks))
    figure, panels = panels_for(len(panels_of), len(plan.compared))
    for axes, (name, rows) in zip(panels, panels_of, strict=False):
        axes.axvline(0, color=VERMILION, linewidth=1, zorder=0)
        by_method = rows.set_index("method")
        for row, method in enumerate(plan.compared):
            if method not in by_method.index or np.isnan(by_method.loc[method, "difference"]):
                why = "not run" if rows is not over_tasks else "not every task"
                axes.text(0.5, row, why, transform=axes.get_yaxis_transform(), **BLANK)
                continue
            one = 100 * by_method.loc[method, ["difference", "low", "high"]].astype(float)
            axes.plot(one[["low", "high"]], [row, row], color=BLUE, linewidth=1.4, solid_capstyle="butt")
            axes.scatter(one["difference"], row, s=22, marker="D", color=BLUE, linewidths=0, zorder=3)
        axes.set_title(name, loc="left")
        axes.set_xlabel(f"points above {plan.reference}")
        _name_rows(axes, plan.compared, plan)
    lines = interval(plan, "line =", "not adjusted for many comparisons")
    title(figure, f"Difference to {plan.reference} on {role} ({seeds(plan)}): diamond = mean; {lines}")
    return figure


def panels_for(count: int, rows: int, *, share_rows: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure with at least ``count`` panels high enough for so many rows, those that are too many hidden."""
    across = max(1, count if count < _ACROSS[0] else min(_ACROSS, key=lambda number: (-count % number, -number)))
    down = max(1, -(-count // across))
    size = (1.4 + 2.1 * across, 0.3 + down * (0.75 + 0.24 * rows))
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, sharey=share_rows, layout="constrained")
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]


def _name_rows(axes: Axes, methods: tuple[str, ...], plan: Grid) -> None:
    """Methods from top to bottom in the plan's order; faint lines lead the eye."""
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.4, -0.6)
    axes.hlines(range(len(methods)), 0, 1, transform=axes.get_yaxis_transform(), color="#E3E3E3", lw=0.6, zorder=-1)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    for label in axes.get_yticklabels():
        label.set_color(VERMILION if label.get_text() == plan.reference else BLACK)


def seeds(plan: Grid) -> str:
    """How many seeds a figure stands on, in words."""
    n = len(plan.seeds)
    return f"n = {n} seed{'s' * (n > 1)}"


def interval(plan: Grid, mark: str, more: str = "") -> str:
    """What the intervals of a figure are, ``mark`` being what draws them; or that there are none."""
    said = f"{mark} 95 % t interval over seeds" + f", {more}" * bool(more)
    return said if len(plan.seeds) > 1 else "one seed: no interval"


def title(figure: Figure, text: str) -> None:
    figure.suptitle(fill(text, int(15 * figure.get_figwidth())), x=0.01, ha="left", fontsize=8.5)


def save(figure: Figure, out: Path, name: str) -> None:
    """The same figure is the same bytes: no dates, no version of matplotlib."""
    nothing: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
        "png": {"Software": None},
    }
    for kind, metadata in nothing.items():
        with new_file(out / f"{name}.{kind}") as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
    plt.close(figure)
