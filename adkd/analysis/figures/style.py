"""What all figures have in common: their style, their panels, their titles, and the files they are saved as."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adkd.analysis.figures.palette import BLACK, GREY, RULE, VERMILION
from adkd.analysis.stats.collapse import flagged
from adkd.analysis.stats.over_seeds import seed_scores
from adkd.base.checked import new_checked_file
from adkd.base.files import new_file
from adkd.data.metrics import metric_title
from adkd.plan.grid import TEACHER, Column, Grid

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.size": 0,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "adkd",
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
}
"""Panels whose rows have names: a vertical axis would say nothing."""
VERTICAL_AXIS = STYLE | {"axes.spines.left": True, "ytick.major.size": 2.5, "ytick.major.width": 0.6}
"""Panels with numbers on both axes."""
METADATA: dict[str, dict[str, str | None]] = {
    "pdf": dict.fromkeys(("CreationDate", "ModDate", "Producer", "Creator")),
    "png": {"Software": None},
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
}
"""Format -> the metadata that is left out, because it would differ between two runs of the same code."""
ACROSS = (3, 4)
"""Numbers of panels side by side that fit the width of a page; the one that leaves fewer gaps is taken."""
LETTER = 0.065
"""Width of a letter, inches: near enough to make room for names."""
BLANK = {"color": GREY, "ha": "center", "va": "center"}
"""Text in place of marks."""


def panels_for(count: int, rows: int, *, share_rows: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels, each high enough for ``rows`` named rows."""
    across = max(1, count if count < ACROSS[0] else min(ACROSS, key=lambda number: (-count % number, -number)))
    down = max(1, -(-count // across))
    size = (1.4 + 2.1 * across, 0.3 + down * (0.75 + 0.24 * rows))
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, sharey=share_rows, layout="constrained")
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]


def name_rows(axes: Axes, names: Sequence[str], marked: str | None = None) -> None:
    """Name the rows of a panel from top to bottom, the ``marked`` one in colour."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for label in axes.get_yticklabels():
        label.set_color(VERMILION if label.get_text() == marked else BLACK)


def guide_rows(axes: Axes, count: int) -> None:
    """Faint lines that lead the eye from the names of ``count`` rows to their marks."""
    axes.hlines(range(count), 0, 1, transform=axes.get_yaxis_transform(), color=RULE, linewidth=0.6, zorder=-1)


def mark_teacher(line: Callable[..., object], scores: pd.DataFrame, column: Column) -> None:
    """Draw the teacher's mean score, in points, as a dashed line; nothing if it has none.

    Args:
        line: ``axvline`` or ``axhline`` of a panel.
    """
    teacher = 100 * seed_scores(scores, TEACHER, column).mean()
    if teacher == teacher:
        line(teacher, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)


def blank(grid: Grid, method: str, column: Column) -> str:
    """What stands in place of the marks of a method without a score."""
    return "not run" if column.task.name in grid.skipped.get(method, {}) else "no score"


def cross_out(axes: Axes, x: Any, y: Any) -> None:
    """Mark seeds at ``x [n]``, ``y [n]`` that predict a constant or lie apart from the others."""
    if len(x):
        (crosses,) = axes.plot(x, y, "x", color=BLACK, markersize=6, markeredgewidth=1, zorder=4)
        describe(crosses, "seeds with constant predictions or an outlying score")


def crosses(grid: Grid, scores: pd.DataFrame, columns: Sequence[Column], intervals: bool = True) -> str:
    """The part of a heading that explains the crosses; empty without any.

    Args:
        intervals: whether the figure shows intervals, whose assumption is then said.
    """
    if not any(flagged(scores, method, column) for method in grid.methods for column in columns):
        return ""
    words = "; cross = constant predictions or outlying"
    return f"{words} (intervals assume roughly normal seeds)" if intervals else words


def points(metric: str) -> str:
    """The label of an axis that shows a metric."""
    return f"{metric_title(metric)} (×100)"


def seeds(grid: Grid) -> str:
    """How many seeds a figure shows, in words."""
    n = len(grid.seeds)
    return f"n = {n} seed{'s' * (n > 1)}"


def interval(grid: Grid, mark: str, more: str = "") -> str:
    """What the intervals of a figure are, in words; ``mark`` names what draws them."""
    words = f"{mark} 95 % t interval over seeds" + f", {more}" * bool(more)
    return words if len(grid.seeds) > 1 else "one seed: no interval"


def title(figure: Figure, text: str) -> None:
    """Put a heading above all panels, broken into lines of the figure's width, but not before "=" or "%"."""
    whole = text.replace(" = ", "\N{NO-BREAK SPACE}= ").replace(" %", "\N{NO-BREAK SPACE}%")
    figure.suptitle(fill(whole, int(15 * figure.get_figwidth())), x=0.01, ha="left", fontsize=8.5)


def describe(artist: Artist, words: str) -> None:
    """Give a mark the words that a reader of the SVG hears, or sees when pointing at it; hyphens are minus signs."""
    artist.set_gid(" " + re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", words))


def save(figure: Figure, out: Path, name: str, made_from: Sequence[Path] = ()) -> None:
    """Write ``NAME.pdf``, ``NAME.png`` and ``NAME.svg`` into ``out``; the same figure gives the same bytes.

    Args:
        made_from: the files that the figure shows.
    """
    for kind, metadata in METADATA.items():
        if kind == "svg":  # which the page reads
            with new_checked_file(out / f"{name}.svg", made_from) as temporary:
                temporary.write_text(_svg(figure, metadata), encoding="utf-8")
        else:
            with new_file(out / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, metadata=metadata)
    plt.close(figure)


def _svg(figure: Figure, metadata: dict[str, str | None]) -> str:
    """The figure for a screen: its heading is its ``title``, and every panel has the names of its rows, because a
    narrow screen shows one panel at a time."""
    heading = figure.get_suptitle().replace("\n", " ")
    figure.suptitle("")
    inner = [axes for axes in figure.axes if axes.axison and not axes.yaxis.get_tick_params().get("labelleft", True)]
    for axes in inner:
        axes.tick_params(labelleft=True)
        for label, first in zip(axes.get_yticklabels(), figure.axes[0].get_yticklabels(), strict=True):
            label.set_color(first.get_color())
    if inner:
        longest = max((len(label.get_text()) for label in inner[0].get_yticklabels()), default=0)
        figure.set_figwidth(figure.get_figwidth() + LETTER * longest * (inner[0].get_gridspec().ncols - 1))
    with StringIO() as buffer:
        figure.savefig(buffer, format="svg", metadata=metadata | {"Title": heading})
        # Matplotlib writes the words of `describe` as ids; as `title` elements they reach the reader.
        return re.sub(r'<g id=" ([^"]*)">', r"<g><title>\1</title>", buffer.getvalue())
