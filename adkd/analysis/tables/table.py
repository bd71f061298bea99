"""One table, three ways to read it: Markdown, LaTeX (booktabs) and plain text for a terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from textwrap import fill

from adkd.base.files import new_file

WIDTH = 110
"""Characters in a line of plain text."""
DASH = "–"


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    star: bool = False
    mark: str = ""
    """Letter of a footnote."""


@dataclass(frozen=True)
class Table:
    """A table with all that has to be said under it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    """The first cell of a row names it."""
    footnotes: dict[str, str] = field(default_factory=dict)
    """Letter -> text."""
    notes: Sequence[str] = ()


def cell(value: float, sd: float, digits: int = 1, **more: object) -> Cell:
    """``value ± sd``, or the value alone where there is no sd."""
    spread = f" ± {sd:.{digits}f}" if sd == sd else ""
    return Cell(f"{value:.{digits}f}{spread}", **more)


def write(out: Path, texts: Mapping[str, str]) -> None:
    """Write files into the directory ``out``, name -> text."""
    for name, text in texts.items():
        with new_file(out / name) as temporary:
            temporary.write_text(text)


def texts(name: str, heading: str, tables: Sequence[Table], nothing: str = "") -> dict[str, str]:
    """``NAME.md``, ``.tex`` and ``.txt`` of some tables, or with the line ``nothing`` where there are none."""
    return {
        f"{name}.md": f"# {heading}\n\n" + ("\n".join(map(markdown, tables)) or nothing),
        f"{name}.tex": "\n".join(map(latex, tables)) or f"% {nothing}",
        f"{name}.txt": "\n".join(map(plain, tables)) or nothing,
    }


def markdown(table: Table) -> str:
    """A pipe table that can be read as it is, footnotes and notes as a list below."""

    def shown(one: Cell) -> str:
        mark = f"<sup>{one.mark}</sup>" if one.mark else ""
        return one.text.replace("|", "\\|") + ("\\*" if one.star else "") + mark

    lines = _aligned(table, shown)
    body = ["| " + " | ".join(line) + " |" for line in lines]
    ruler = "|" + "|".join("-" * (len(part) + 1) + (":" if i else "-") for i, part in enumerate(lines[0])) + "|"
    notes = [f"- <sup>{letter}</sup> {text}" for letter, text in table.footnotes.items()]
    notes += [f"- {note}" for note in table.notes]
    return "\n".join([f"## {table.title}", "", body[0], ruler, *body[1:], "", *notes]).rstrip() + "\n"


def latex(table: Table) -> str:
    """A ``tabular`` with booktabs rules, and the notes as a small paragraph after it; to be ``\\input``."""

    def shown(one: Cell) -> str:
        raised = ("*" if one.star else "") + (f"\\mathrm{{{one.mark}}}" if one.mark else "")
        return escape(one.text) + (f"$^{{{raised}}}$" if raised else "")

    rows = [" & ".join(map(shown, row)) + r" \\" for row in table.rows]
    notes = [f"$^{{\\mathrm{{{letter}}}}}$~{escape(text)}" for letter, text in table.footnotes.items()]
    notes += list(map(escape, table.notes))
    return "\n".join(
        [
            f"% {table.title}. Needs \\usepackage{{booktabs}}.",
            r"\begin{tabular}{l" + "r" * (len(table.header) - 1) + "}",
            r"\toprule",
            " & ".join(map(escape, table.header)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip{\footnotesize",
            *(note + r"\par" for note in notes),
            "}",
            "",
        ]
    )


def plain(table: Table) -> str:
    """Aligned text; a table that is too wide for a terminal continues below with its first columns repeated."""
    lines = _aligned(table, lambda one: one.text + ("*" if one.star else "") + (f" ({one.mark})" if one.mark else ""))
    blocks = [_block(lines, part) for part in _parts([len(part) for part in lines[0]])]
    notes = [fill(f"({letter}) {text}", WIDTH, subsequent_indent="    ") for letter, text in table.footnotes.items()]
    notes += [fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ") for note in table.notes]
    return "\n".join([table.title, "", "\n\n".join(blocks), "", *notes]).rstrip() + "\n"


def _aligned(table: Table, shown: Callable[[Cell], str]) -> list[list[str]]:
    """All cells as text, padded to the width of their column; the header first."""
    lines = [list(table.header)] + [[shown(one) for one in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        [part.rjust(width) if number else part.ljust(width) for number, (part, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in lines)
    ]


def _parts(widths: list[int]) -> list[list[int]]:
    """Columns of each block: the name, then as many others as fit into a line."""
    room = WIDTH - widths[0]
    ends = list(accumulate(width + 2 for width in widths[1:]))
    parts, start, used = [], 1, 0
    for number, end in enumerate(ends, 1):
        if end - used > room and number > start:
            parts.append([0, *range(start, number)])
            start, used = number, ends[number - 2]
    return [*parts, [0, *range(start, len(widths))]]


def _block(lines: list[list[str]], columns: list[int]) -> str:
    texts = ["  ".join(line[number] for number in columns).rstrip() for line in lines]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])


_TEX = {
    "\\": r"\textbackslash{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "<": "$<$",
    ">": "$>$",
    "≥": r"$\geq$",
    "ρ": r"$\rho$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: "\\" + letter for letter in "_%&#${}"},
}


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(_TEX.get(letter, letter) for letter in text)
