"""Scatter plots: the score of methods against something else, a panel per task, names kept out of each other's way."""

from collections.abc import Callable
from math import cos, log10, pi, sin

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from adkd.analysis.figures.palette import BLACK, looks
from adkd.analysis.figures.stage import BLANK, STYLE, interval, panels_for, seeds, title
from adkd.analysis.grid import TEACHER, Column, Grid, seed_scores
from adkd.analysis.stats import over_seeds
from adkd.data.metrics import metric_title

ROWS = 8
"""Height of a panel, in rows of the other figures."""
DISTANCES = (7, 11, 16, 24, 34, 48)
"""Points from a mark to its label, the first without overlap is taken."""


SCATTER = STYLE | {"axes.spines.left": True, "ytick.major.size": 2.5, "ytick.major.width": 0.6}
"""The style of the other figures, with a vertical axis that is read."""

Against = Callable[[str, Column], pd.Series]
"""(method, column) -> [seeds] what its scores are drawn against; empty where it was not run."""


def draw(plan: Grid, table: pd.DataFrame, columns: list[Column], against: Against, about: str, *, log: bool) -> Figure:
    """One panel per column: small marks are seeds, large ones means, lines 95 % t intervals, dashed the teacher.

    Args:
        about: name of the horizontal axis.
        log: whether that axis is logarithmic.
    """
    figure, panels = panels_for(len(columns), ROWS, share_rows=False)
    labels = []
    for axes, column in zip(panels, columns, strict=True):
        axes.set_xscale("log" if log else "linear")
        axes.set_xlabel(about)
        labels.append(_panel(axes, plan, table, against, column))
    title(
        figure,
        f"{plan.title + ': score' if plan.title else 'Score'} on {plan.roles[0]} against {about} "
        f"({seeds(plan)}): large mark = mean, small = a seed; {interval(plan, 'lines =')}; dashed = teacher's score",
    )
    figure.canvas.draw()  # the layout has to be known before labels can be kept apart
    figure.set_layout_engine("none")
    for axes, of_panel in zip(panels, labels, strict=True):
        keep_apart(axes, of_panel)
    return figure


def _panel(axes: Axes, plan: Grid, table: pd.DataFrame, of_method: Against, column: Column) -> list[Annotation]:
    """The panel of a task; returns the labels, not yet in their places."""
    labels, look = [], looks(plan)
    for method in plan.methods:
        scores = 100 * seed_scores(table, method, column)
        pairs = pd.DataFrame({"x": of_method(method, column), "y": scores}).dropna()
        if not len(pairs):
            continue
        color, marker = look[method].color, look[method].marker
        axes.scatter(pairs["x"], pairs["y"], s=7, marker=marker, color=color, alpha=0.55, linewidths=0)
        x, y = pairs.mean()
        across, upright = (over_seeds.interval_over_seeds(pairs[name].to_numpy()) for name in ("x", "y"))
        axes.plot([across.low, across.high], [y, y], color=color, linewidth=0.9, alpha=0.7)
        axes.plot([x, x], [upright.low, upright.high], color=color, linewidth=0.9, alpha=0.7)
        axes.scatter(x, y, s=34, marker=marker, color=color, edgecolors="white", linewidths=0.6, zorder=3)
        leader = {"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4}
        text = plan.labels[method]
        label = axes.annotate(text, (x, y), (0, 0), textcoords="offset points", color=color, arrowprops=leader)
        label.set_path_effects([withStroke(linewidth=2, foreground="white")])  # to be read across lines
        labels.append(label)
    if not labels:
        axes.text(0.5, 0.5, "undefined", transform=axes.transAxes, **BLANK)
    teacher = 100 * seed_scores(table, TEACHER, column).mean()
    if teacher == teacher:
        axes.axhline(teacher, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.margins(0.08)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        _plain_ticks(axes)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_title(column.title, loc="left")
    axes.set_ylabel(f"{metric_title(column.metric)} (×100)")
    return labels


def _plain_ticks(axes: Axes) -> None:
    """Plain numbers on a logarithmic axis, as many to a decade as there is room for; most panels span less than one."""
    low, high = axes.get_xlim()
    decades = log10(high / low)
    numbers = (1, 1.5, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=numbers, numticks=12))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def keep_apart(axes: Axes, labels: list[Annotation]) -> None:
    """Move every label to the place near its mark where it hides least; the axes' layout has to be final.

    Two labels, or a label on a large mark, weigh most, then leaving the panel, then lines and dots, then distance.
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


def _move(label: Annotation, place: tuple[float, float], renderer: object) -> Bbox:
    """Put a label so many points from its mark, on the side away from it; returns the box of its text, in pixels."""
    across, up = (0 if abs(offset) < 1 else int(np.sign(offset)) for offset in place)
    label.set(position=place, ha=("center", "left", "right")[across], va=("center", "bottom", "top")[up])
    label.update_positions(renderer)
    return Text.get_window_extent(label, renderer)  # the annotation's own takes the line to the mark in
