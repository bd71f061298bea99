"""A table of the page: what its cells say, and the numbers that its columns are sorted by."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adkd.analysis.grid import TEACHER, Grid
from adkd.analysis.tables.table import DASH


@dataclass(frozen=True)
class Value:
    """One cell."""

    text: str
    number: float | None = None
    """What the cell is sorted by; a numeric cell without one comes last, whichever the direction."""
    star: bool = False
    mark: str = ""
    """Letter of a footnote."""
    below: str = ""
    """A second line that is always there."""
    interval: str = ""
    p: str = ""
    """``interval`` and ``p`` are further lines that the reader turns on."""


@dataclass(frozen=True)
class Row:
    """One row; its first cell names it."""

    cells: Sequence[Value]
    kind: str = ""
    """``teacher`` stays on top however the table is sorted; ``reference`` is marked."""


@dataclass(frozen=True)
class Sortable:
    """A table with all that has to be said under it."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Row]
    footnotes: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def numeric(self) -> list[bool]:
        """Per column, whether it holds numbers: they are aligned to the right and sorted from the top down."""
        columns = zip(*(row.cells for row in self.rows), strict=True)
        return [any(cell.number is not None for cell in column) for column in columns]


@dataclass(frozen=True)
class Section:
    """Tables of the same kind, a task each, and what has to be said of all of them."""

    tables: Sequence[Sortable]
    notes: Sequence[str]


def section(tables: Sequence[Sortable]) -> Section:
    """The same tables; a note that stands under every one of them is said once."""
    common = [note for note in tables[0].notes if all(note in table.notes for table in tables)] if tables else []
    own = [replace(table, notes=[note for note in table.notes if note not in common]) for table in tables]
    return Section(own, common)


def kind_of(grid: Grid, method: str) -> str:
    """How a method's row is marked."""
    return {TEACHER: "teacher", grid.reference: "reference"}.get(method, "")


def number(value: float, text: str) -> Value:
    """A numeric cell; a dash where there is no value."""
    return Value(text, float(value)) if value == value else Value(DASH)


def mean_sd(mean: float, sd: float, digits: int = 1, scale: float = 1.0) -> Value:
    """``mean ± sd``, sorted by the mean; the mean alone where there is no sd."""
    spread = f" ± {scale * sd:.{digits}f}" if sd == sd else ""
    return number(scale * mean, minus(f"{scale * mean:.{digits}f}{spread}"))


def minus(text: str) -> str:
    """The same text with real minus signs, which are as wide as a plus."""
    return text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A number that shows its sign."""
    return minus(f"{value:+.{digits}f}")
