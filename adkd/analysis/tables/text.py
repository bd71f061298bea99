"""A table as text: Markdown, LaTeX (booktabs) and plain text for a terminal."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from textwrap import fill

import pandas as pd

from adkd.analysis.tables.table import Cell, Heading, Table

WIDTH = 110
"""Characters in a line of plain text."""


def csv(table: pd.DataFrame) -> str:
    """The text of a CSV file."""
    return table.to_csv(index=False, lineterminator="\n")


def texts(name: str, heading: str, tables: Sequence[Table], nothing: str = "") -> dict[str, str]:
    """``NAME.md``, ``.tex`` and ``.txt`` of some tables, or with the line ``nothing`` where there are none."""
    return {
        f"{name}.md": f"# {heading}\n\n" + ("\n".join(map(markdown, tables)) or nothing),
        f"{name}.tex": "\n".join(map(latex, tables)) or f"% {nothing}",
        f"{name}.txt": "\n".join(map(plain, tables)) or nothing,
    }


def markdown(table: Table) -> str:
    """A pipe table that is readable as it is; footnotes and notes are a list below it."""

    def decorated(text: str, cell: Cell) -> str:
        mark = f"<sup>{cell.mark}</sup>" if cell.mark else ""
        return text.replace("|", "\\|") + ("\\*" if cell.star else "") + mark

    lines = _aligned(_lines(table, decorated))
    body = ["| " + " | ".join(line) + " |" for line in lines]
    ruler = "|" + "|".join("-" * (len(part) + 1) + (":" if i else "-") for i, part in enumerate(lines[0])) + "|"
    notes = [f"- <sup>{letter}</sup> {text}" for letter, text in table.footnotes.items()]
    notes += [f"- {note}" for note in table.notes]
    return "\n".join([f"## {table.title}", "", body[0], ruler, *body[1:], "", *notes]).rstrip() + "\n"


def latex(table: Table) -> str:
    """A ``tabular`` with booktabs rules, followed by the notes as a small paragraph; to be ``\\input``."""

    def decorated(text: str, cell: Cell) -> str:
        raised = ("*" if cell.star else "") + (f"\\mathrm{{{cell.mark}}}" if cell.mark else "")
        return escape(text) + (f"$^{{{raised}}}$" if raised else "")

    header, *rows = _lines(table, decorated)
    notes = [f"$^{{\\mathrm{{{letter}}}}}$~{escape(text)}" for letter, text in table.footnotes.items()]
    notes += list(map(escape, table.notes))
    return "\n".join(
        [
            f"% {table.title}. Needs \\usepackage{{booktabs}}.",
            r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
            r"\toprule",
            " & ".join(map(escape, header)) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip{\footnotesize",
            *(note + r"\par" for note in notes),
            "}",
            "",
        ]
    )


def plain(table: Table) -> str:
    """Aligned text; a table that is too wide for a terminal continues below with its first column repeated."""

    def decorated(text: str, cell: Cell) -> str:
        return text + ("*" if cell.star else "") + (f" ({cell.mark})" if cell.mark else "")

    lines = _aligned(_lines(table, decorated))
    blocks = [_block(lines, part) for part in _parts([len(part) for part in lines[0]])]
    notes = [fill(f"({letter}) {text}", WIDTH, subsequent_indent="    ") for letter, text in table.footnotes.items()]
    notes += [fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ") for note in table.notes]
    return "\n".join([table.title, "", "\n\n".join(blocks), "", *notes]).rstrip() + "\n"


def _lines(table: Table, decorated: Callable[[str, Cell], str]) -> list[list[str]]:
    """The header, then every row, as text; ``decorated`` adds star and footnote mark to the text of a cell."""
    columns = [heading for heading in table.header[1:] if not heading.page_only]
    names = [f"{heading.text} ({heading.beside})" if heading.beside else heading.text for heading in columns]
    lines = [[table.header[0].text, *names]]
    for row in table.rows:
        name = f"{row.name} (reference)" if row.kind == "reference" else row.name
        pairs = zip(row.cells, table.header[1:], strict=True)
        cells = [decorated(_text(cell, heading), cell) for cell, heading in pairs if not heading.page_only]
        lines.append([decorated(name, Cell()), *cells])
    return lines


def _text(cell: Cell, heading: Heading) -> str:
    """What a cell shows: ``83.1 ± 3.8``, ``+22.1 [-1.2, +45.4]``, ``1.40 (0.26)``."""
    interval = f" {cell.brackets}" if cell.is_difference and cell.brackets else ""
    beside = f" ({cell.below[1]:{cell.form}})" if heading.beside and cell.below else ""
    return cell.text + interval + beside


def _aligned(lines: list[list[str]]) -> list[list[str]]:
    """Cells padded to the width of their column: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        [part.rjust(width) if number else part.ljust(width) for number, (part, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in lines)
    ]


def _parts(widths: list[int]) -> list[list[int]]:
    """The columns of each block: the name, then as many others as fit into a line."""
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
