"""Colours and marks: a method looks the same in every figure and on the page."""

from dataclasses import dataclass

from adkd.analysis.grid import Grid

BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#7F7F7F"
OTHERS = (BLUE, "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
"""With vermilion for the reference: the palette of Okabe and Ito (2008), which colour-blind readers can tell apart,
without the yellow that fades on white."""
MARKERS = "s^vPd"
"""Matplotlib's letters: square, triangle up and down, plus, narrow diamond. Shape tells what colour may not."""


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    color: str
    marker: str
    turn: int = 0
    """How often its colour was given to a method before it."""


def looks(grid: Grid) -> dict[str, Look]:
    """Method -> its look; where colours come again, other markers go with them."""
    found = {grid.reference: Look(VERMILION, "o")}
    for number, method in enumerate(grid.compared):
        turn, place = divmod(number, len(OTHERS))
        found[method] = Look(OTHERS[place], MARKERS[(place + turn) % len(MARKERS)], turn)
    return found
