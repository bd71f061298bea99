"""What a table is, however it is written: cells that carry their numbers, rows, headings, footnotes and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from string import ascii_lowercase

from adkd.analysis.stats.over_seeds import Interval
from adkd.base.checked import new_checked_file

DASH = "–"
NO_INTERVAL = Interval()


@dataclass(frozen=True)
class Cell:
    """A number with everything that is known about it, or words. ``Cell()`` is a dash."""

    value: float = nan
    """NaN where there is no number. The page sorts by it."""
    form: str = ".1f"
    """Format of the number. A leading plus marks a difference, which is always shown with its interval."""
    sd: float = nan
    interval: Interval = NO_INTERVAL
    p: float = nan
    """After Holm's adjustment."""
    words: str | None = None
    """Shown in place of the number."""
    below: tuple[str, float] | None = None
    """What the number is compared with: ``("random order", 0.26)``."""
    star: bool = False
    mark: str = ""
    """Letter of a footnote."""

    @property
    def is_difference(self) -> bool:
        return self.form.startswith("+")

    @property
    def text(self) -> str:
        """The words, or the number with its sd; a dash where there is neither."""
        if self.words is not None:
            return self.words
        if isnan(self.value):
            return DASH
        spread = "" if isnan(self.sd) else f" ± {self.sd:{self.form.lstrip('+')}}"
        return f"{self.value:{self.form}}{spread}"

    @property
    def brackets(self) -> str:
        """The interval; empty where there is none."""
        low, high = self.interval.low, self.interval.high
        return "" if isnan(self.value) or isnan(low) else f"[{low:{self.form}}, {high:{self.form}}]"


@dataclass(frozen=True)
class Heading:
    """The heading of a column."""

    text: str
    long: str = ""
    """The same for the page, which has more room: ``training time (s)`` for ``training s``."""
    beside: str = ""
    """What stands in parentheses beside the numbers in text, where ``Cell.below`` has it: ``random``."""
    page_only: bool = False
    """Whether text leaves the column out."""


@dataclass(frozen=True)
class Row:
    """One row."""

    name: str
    cells: Sequence[Cell]
    kind: str = ""
    """``teacher``: stays at the top of the page's table however it is sorted. ``reference``: is marked as such."""


@dataclass(frozen=True)
class Table:
    """A table with everything that has to be said below it."""

    title: str
    header: Sequence[Heading]
    """One more than a row has cells: the first stands above the names of the rows."""
    rows: Sequence[Row]
    footnotes: Mapping[str, str] = field(default_factory=dict)
    """Letter -> text."""
    notes: Sequence[str] = ()


def headings(*texts: str) -> list[Heading]:
    """Headings that are the same everywhere."""
    return [Heading(text) for text in texts]


class Footnotes:
    """The reasons why cells are empty, with their letters in the order of their first use."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def dash(self, reason: str, letter: str = "") -> Cell:
        """An empty cell whose footnote gives the reason; ``letter`` if not the next one of the alphabet."""
        return Cell(mark=self.mark(reason, letter))

    def mark(self, reason: str, letter: str = "") -> str:
        """The letter of a footnote."""
        return self._letters.setdefault(reason, letter or ascii_lowercase[len(self._letters) % 26])

    @property
    def texts(self) -> dict[str, str]:
        """Letter -> reason."""
        return {letter: reason for reason, letter in self._letters.items()}


def write(out: Path, texts: Mapping[str, str], made_from: Sequence[Path] = ()) -> None:
    """Write files into the directory ``out``, name -> text; beside each its sha256 and those of ``made_from``."""
    for name, text in texts.items():
        with new_checked_file(out / name, made_from) as temporary:
            temporary.write_text(text, encoding="utf-8")
