"""What the page's drawings have in common: an axis, and how a method looks in all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from adkd.analysis.figures import palette
from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.page.sortable import minus

INK = "var(--ink)"
SHAPES = {
    "o": "M-4.4 0A4.4 4.4 0 1 1 4.4 0A4.4 4.4 0 1 1-4.4 0Z",
    "s": "M-4-4H4V4H-4Z",
    "^": "M0-5.2L5 3.6H-5Z",
    "v": "M0 5.2L5-3.6H-5Z",
    "P": "M-1.6-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",
    "d": "M0-5.4L3.4 0L0 5.4L-3.4 0Z",
    "D": "M0-5.6L5.6 0L0 5.6L-5.6 0Z",
}
"""Marker, by Matplotlib's letter -> its SVG path around the origin."""
DASHES = ("", "6 3", "2 2.5", "8 3 2 3")
LETTER, LINE, MARK = 6.8, 13.0, 6.0
"""Width of a letter, height of a line and half the width of a mark, pixels: near enough to keep names apart."""
STEPS = (0, -1, 1, -2, 2, -3, 3, -4, 4)

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Mark:
    """How one method is drawn, everywhere on the page."""

    color: str
    dash: str
    shape: str


def marks(grid: Grid) -> dict[str, Mark]:
    """A look for every method; with more methods than colours, the dashes tell them apart."""
    found = palette.looks(grid).items()
    drawn = {method: Mark(look.color, DASHES[look.turn % len(DASHES)], SHAPES[look.marker]) for method, look in found}
    return {TEACHER: Mark(INK, "", SHAPES["D"])} | drawn


def looks(grid: Grid) -> dict[str, dict[str, str]]:
    """``marks`` as JSON for the script of the page."""
    return {method: asdict(mark) for method, mark in marks(grid).items()}


@dataclass(frozen=True)
class Axis:
    """A linear axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """(place between 0 and 1, label)"""

    def place(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end."""
        return round((value - self.low) / (self.high - self.low), 4)


def axis(values: Iterable[float], signs: bool = False, most: int = 5) -> Axis:
    """An axis that holds all finite values with some room, and round ticks.

    Args:
        values: at least one of them finite.
        signs: whether positive labels show a plus.
        most: about so many ticks at most.
    """
    finite = [value for value in values if np.isfinite(value)]
    low, high = min(finite), max(finite)
    room = 0.08 * (high - low) or max(0.05, 0.05 * abs(high))
    low, high = low - room, high + room
    locator = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10])
    inside = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
    gap = inside[1] - inside[0] if len(inside) > 1 else 1.0
    digits = next((n for n in range(4) if abs(round(gap, n) - gap) < 1e-9 * max(1, gap)), 4)
    sign = "+" if signs else ""
    labels = [minus(f"{round(tick, digits) + 0.0:{sign if round(tick, digits) else ''}.{digits}f}") for tick in inside]
    spare = Axis(low, high, ())
    return Axis(low, high, tuple((spare.place(tick), label) for tick, label in zip(inside, labels, strict=True)))


@dataclass(frozen=True)
class Label:
    """Where the name of a point stands; pixels, ``y`` its middle."""

    x: float
    y: float
    anchor: str
    leader: bool
    """Whether it stands so far away that a line has to lead to it."""


def labels(points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float) -> list[Label]:
    """A place for every name, beside its point, where it covers least of the other points and names."""
    boxes = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    placed = []
    for (x, y), name in zip(points, names, strict=True):
        choices = [_label(x, y, name, side, step) for step in STEPS for side in (1, -1)]
        label, box = min(choices, key=lambda choice: _covered(choice[1], boxes, width, height))
        boxes.append(box)
        placed.append(label)
    return placed


def _label(x: float, y: float, name: str, side: int, step: int) -> tuple[Label, Box]:
    """A name to the right (side 1) or left (-1) of a point, so many lines up or down; and the box it fills."""
    start, middle, length = x + side * (MARK + 3), y + step * LINE, LETTER * len(name)
    label = Label(round(start, 1), round(middle, 1), "start" if side > 0 else "end", abs(step) > 1)
    ends = sorted((start, start + side * length))
    return label, (ends[0], middle - LINE / 2, ends[1], middle + LINE / 2)


def _covered(box: Box, others: Iterable[Box], width: float, height: float) -> float:
    """The area of the others that a box covers; what sticks out of the picture counts as well."""

    def common(a: Box, b: Box) -> float:
        return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))

    outside = (box[2] - box[0]) * (box[3] - box[1]) - common(box, (0.0, 0.0, width, height))
    return round(outside + sum(common(box, other) for other in others), 6)
