"""A table as HTML: the page's script sorts it by the numbers of its cells; without a script it is still a table."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import isnan

from markupsafe import Markup

from adkd.analysis.tables.table import Cell, Row, Table
from adkd.analysis.tables.wording import minus, p_text

STAR = Markup('<span class="star" title="differs from the reference, p &lt; 0.05 after Holm&#39;s adjustment">*</span>')
TABLE = Markup("""\
<div class="scroll" tabindex="0" role="region" aria-label="{title}">
<table class="sortable">
<caption><span>{title}</span></caption>
<thead><tr>
{header}
</tr></thead>
{bodies}
</table>
</div>
{notes}""")


def html(table: Table, left_out: Collection[str] = ()) -> Markup:
    """The table and its notes; ``left_out`` are notes that stand elsewhere on the page."""
    columns = zip(*(row.cells for row in table.rows), strict=True)
    numeric = [any(not isnan(cell.value) for cell in column) for column in columns]
    header = [Markup('<th scope="col">{}</th>').format(table.header[0].text)]
    for heading, number in zip(table.header[1:], numeric, strict=True):
        kind = Markup(' class="number"') if number else ""
        header.append(Markup('<th scope="col"{}>{}</th>').format(kind, heading.long or heading.text))
    pinned = [row for row in table.rows if row.kind == "teacher"]
    others = [row for row in table.rows if row.kind != "teacher"]
    bodies = [_body(pinned, numeric, Markup(' class="pinned"'))] if pinned else []
    bodies.append(_body(others, numeric))
    footnotes = [Markup("<sup>{}</sup> {}").format(letter, text) for letter, text in table.footnotes.items()]
    notes = [note for note in table.notes if note not in left_out]
    return TABLE.format(
        title=table.title,
        header=Markup("\n").join(header),
        bodies=Markup("\n").join(bodies),
        notes=_notes([*footnotes, *notes]),
    )


def html_of_all(tables: Sequence[Table], left_out: Collection[str] = ()) -> Markup:
    """Tables of the same kind, one per task; a note that stands below every one of them is given once, at the end."""
    shared = [note for note in tables[0].notes if all(note in table.notes for table in tables)] if tables else []
    each = [html(replace(table, notes=[n for n in table.notes if n not in shared]), left_out) for table in tables]
    if len(tables) > 1:
        each.append(Markup('<p class="dim">For every task:</p>'))
    return Markup("\n").join([*each, _notes([note for note in shared if note not in left_out])])


def _notes(notes: Sequence[str]) -> Markup:
    items = Markup("\n").join(Markup("<li>{}</li>").format(note) for note in notes)
    return Markup('<ul class="notes">\n{}\n</ul>\n').format(items) if notes else Markup()


def _body(rows: Sequence[Row], numeric: Sequence[bool], attributes: str = "") -> Markup:
    return Markup("<tbody{}>\n{}\n</tbody>").format(attributes, Markup("\n").join(_row(row, numeric) for row in rows))


def _row(row: Row, numeric: Sequence[bool]) -> Markup:
    kind = Markup(' class="{}"').format(row.kind) if row.kind else ""
    tag = Markup(' <span class="tag">reference</span>') if row.kind == "reference" else ""
    cells = Markup("\n").join(_cell(cell, number) for cell, number in zip(row.cells, numeric, strict=True))
    return Markup('<tr{}>\n<th scope="row">{}{}</th>\n{}\n</tr>').format(kind, row.name, tag, cells)


def _cell(cell: Cell, number: bool) -> Markup:
    if not number:
        return Markup("<td>{}</td>").format(_content(cell))
    value = "" if isnan(cell.value) else Markup(' data-number="{}"').format(float(cell.value))
    return Markup('<td class="number"{}>{}</td>').format(value, _content(cell))


def _content(cell: Cell) -> Markup:
    """The text of a cell with its marks; below it what it is compared with, its interval and its p-value."""
    parts = [Markup("{}").format(minus(cell.text) if cell.words is None else cell.words)]
    parts += [STAR] if cell.star else []
    parts += [Markup("<sup>{}</sup>").format(cell.mark)] if cell.mark else []
    lines = []
    if cell.below:
        lines.append(("below", f"{cell.below[0]} {cell.below[1]:{cell.form}}"))
    if cell.brackets:
        lines.append(("below" if cell.is_difference else "interval", cell.brackets))
    if not isnan(cell.p):
        lines.append(("p", f"p {p_text(cell.p)}"))
    return Markup().join(
        parts + [Markup('<span class="{}">{}</span>').format(kind, minus(text)) for kind, text in lines]
    )
