"""Scatter plots: the scores of methods against another quantity, a panel per task, names kept apart."""

from collections.abc import Callable
from math import cos, log10, pi, sin

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from adkd.analysis.figures.palette import WHITE, Look, looks
from adkd.analysis.figures.style import (
    BLANK,
    cross_out,
    crosses,
    describe,
    interval,
    mark_teacher,
    panels_for,
    points,
    seeds,
    title,
)
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import flagged
from adkd.analysis.stats.over_seeds import defined_scores
from adkd.plan.grid import Column, Grid

ROWS = 8
"""Height of a panel, in rows of the other figures."""
DISTANCES = (7, 11, 16, 24, 34, 48)
"""Points from a mark to its label; the first without overlap is taken."""

Against = Callable[[str, Column], pd.Series]
"""(method, column) -> [seeds] the values on the horizontal axis; empty if the method was not run."""


def draw(grid: Grid, scores: pd.DataFrame, columns: list[Column], against: Against, label: str, *, log: bool) -> Figure:
    """One panel per column: small marks are seeds, large ones means, lines 95 % t intervals, dashed the teacher.

    Args:
        label: of the horizontal axis.
        log: whether that axis is logarithmic.
    """
    figure, panels = panels_for(len(columns), ROWS, share_rows=False)
    names = []
    for axes, column in zip(panels, columns, strict=True):
        axes.set_xscale("log" if log else "linear")
        axes.set_xlabel(label)
        names.append(_panel(axes, grid, scores, against, column))
    title(
        figure,
        f"{grid.title + ': score' if grid.title else 'Score'} on {grid.roles[0]} against {label} "
        f"({seeds(grid)}): large mark = mean, small = a seed; {interval(grid, 'lines =')}; dashed = teacher's score"
        f"{crosses(grid, scores, columns)}",
    )
    figure.canvas.draw()  # the layout has to be known before labels can be kept apart
    figure.set_layout_engine("none")
    for axes, of_panel in zip(panels, names, strict=True):
        keep_apart(axes, of_panel)
    return figure


def _panel(axes: Axes, grid: Grid, scores: pd.DataFrame, against: Against, column: Column) -> list[Annotation]:
    """Draw the panel of a task; returns the names of its methods, not yet in their places."""
    names, styles = [], looks(grid)
    for method in grid.methods:
        pairs = pd.DataFrame({"x": against(method, column), "y": 100 * defined_scores(scores, method, column)}).dropna()
        if len(pairs):
            label = grid.labels[method]
            names.append(_method(axes, pairs, label, f"{column.title}, {label}", styles[method]))
            crossed = pairs[pairs.index.isin(flagged(scores, method, column))]
            cross_out(axes, crossed["x"], crossed["y"])
    if not names:
        axes.text(0.5, 0.5, "undefined", transform=axes.transAxes, **BLANK)
    mark_teacher(axes.axhline, scores, column)
    axes.margins(0.08)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        _plain_ticks(axes)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_title(column.title, loc="left")
    axes.set_ylabel(points(column.metric))
    return names


def _method(axes: Axes, pairs: pd.DataFrame, label: str, where: str, look: Look) -> Annotation:
    """Draw the marks of one method, ``pairs`` of x and y by seed; returns its name."""
    axes.scatter(pairs["x"], pairs["y"], s=7, marker=look.marker, color=look.color, alpha=0.55, linewidths=0)
    x, y = pairs.mean()
    across, upright = (over_seeds.interval_over_seeds(pairs[name].to_numpy()) for name in ("x", "y"))
    axes.plot([across.low, across.high], [y, y], color=look.color, linewidth=0.9, alpha=0.7)
    axes.plot([x, x], [upright.low, upright.high], color=look.color, linewidth=0.9, alpha=0.7)
    mark = {"s": 34, "marker": look.marker, "color": look.color, "edgecolors": WHITE, "linewidths": 0.6, "zorder": 3}
    describe(axes.scatter(x, y, **mark), f"{where}: {axes.get_xlabel()} {x:.3g}, score {y:.1f}")
    leader = {"arrowstyle": "-", "color": look.color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4}
    name = axes.annotate(label, (x, y), (0, 0), textcoords="offset points", color=look.color, arrowprops=leader)
    name.set_bbox({"facecolor": WHITE, "alpha": 0.75, "pad": 0.4, "linewidth": 0})  # to be read across lines
    return name


def _plain_ticks(axes: Axes) -> None:
    """Plain numbers on a logarithmic axis, as many to a decade as fit; most panels span less than one decade."""
    low, high = axes.get_xlim()
    decades = log10(high / low)
    numbers = (1, 1.5, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=numbers, numticks=12))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def keep_apart(axes: Axes, labels: list[Annotation]) -> None:
    """Move every label to the place near its mark where it hides least; the axes' layout has to be final.

    Overlap with another label or a large mark weighs most, then leaving the panel, then lines and dots, then distance.
    """
    if not labels:
        return
    renderer = axes.figure.canvas.get_renderer()
    point = axes.figure.dpi / 72  # pixels
    lines = [line.get_window_extent(renderer).padded(0.5 * point) for line in axes.get_lines()]
    dots = axes.transData.transform(np.concatenate([marks.get_offsets() for marks in axes.collections]))
    means = axes.transData.transform([label.xy for label in labels])
    taken = [Bbox([at - 4 * point, at + 4 * point]) for at in means]
    for label in labels:

        def cost(place: tuple[float, float], label: Annotation = label) -> float:
            box = _move(label, place, renderer)
            outside = not (axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max))
            small = sum(box.overlaps(line) for line in lines) + sum(box.contains(*dot) for dot in dots)
            return 100 * sum(box.overlaps(other) for other in taken) + 50 * outside + small + max(map(abs, place)) / 20

        places = [(d * cos(k * pi / 4), d * sin(k * pi / 4)) for d in DISTANCES for k in range(8)]
        taken.append(_move(label, min(places, key=cost), renderer))


def _move(label: Annotation, place: tuple[float, float], renderer: RendererBase) -> Bbox:
    """Put a label ``place`` points from its mark, on the side away from it; returns the box of its text, in pixels."""
    across, up = (0 if abs(offset) < 1 else int(np.sign(offset)) for offset in place)
    label.set(position=place, ha=("center", "left", "right")[across], va=("center", "bottom", "top")[up])
    label.update_positions(renderer)
    return Text.get_window_extent(label, renderer)  # the annotation's own box includes the line to the mark
