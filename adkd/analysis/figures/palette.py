"""Colours and marks: a method looks the same in every figure and on the page."""

from dataclasses import dataclass

from adkd.plan.grid import Grid

BLACK, WHITE, BLUE, VERMILION, GREY, RULE = "#000000", "#ffffff", "#0072b2", "#d55e00", "#7f7f7f", "#e3e3e3"
GREEN, ORANGE, PINK, SKY = "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
OTHERS = (BLUE, GREEN, ORANGE, PINK, SKY)
"""Colours of the methods besides the reference, which is vermilion: the palette of Okabe and Ito (2008), which
colour-blind readers can tell apart, without the yellow that fades on white."""
VARIABLES = {
    BLACK: "ink",
    WHITE: "paper",
    GREY: "dim",
    RULE: "rule",
    BLUE: "blue",
    VERMILION: "vermilion",
    GREEN: "green",
    ORANGE: "orange",
    PINK: "pink",
    SKY: "sky",
}
"""Colour -> the CSS variable that replaces it on the page, where it follows the reader's light or dark theme."""
MARKERS = "s^vPd"
"""Matplotlib's letters: square, triangle up and down, plus, narrow diamond. Shapes tell apart what colours cannot."""


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    color: str
    marker: str
    turn: int = 0
    """How many methods before it have its colour."""


def looks(grid: Grid) -> dict[str, Look]:
    """Method -> its look; methods with the same colour have different markers."""
    by_method = {grid.reference: Look(VERMILION, "o")}
    for number, method in enumerate(grid.compared):
        turn, place = divmod(number, len(OTHERS))
        by_method[method] = Look(OTHERS[place], MARKERS[(place + turn) % len(MARKERS)], turn)
    return by_method
