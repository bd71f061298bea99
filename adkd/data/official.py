"""Whether a split has its official content: the number of rows, and a sha256 of its texts and labels in order.

A file that was edited, re-ordered, re-scaled or decoded wrongly often keeps its number of rows. The digest is taken
after parsing, so that a split has the same one as TSV, as parquet and from the hub.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data.records import Task
from adkd.data.tsv import Columns

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1000
"""Number of examples that are read at a time."""


@dataclass(frozen=True)
class Loaded:
    """One split as a source has it."""

    columns: Columns
    file: Path | str
    """Its file, or the package that it is from."""
    published: bool = False
    """Whether its file is the published one byte for byte, so that its content needs no check."""


def content(rows: "pa.Table", task: Task) -> str:
    """sha256 over the texts and labels of a split, in order: the same for the same content from any source.

    Labels are class numbers, or scores in float32; labels that are hidden are -1.
    """
    digest = hashlib.sha256()
    for start in range(0, len(rows), CHUNK):
        chunk = rows.slice(start, CHUNK).to_pydict()
        for example in zip(*(chunk[name] for name in (*task.text, "label")), strict=True):
            digest.update(json.dumps(example).encode() + b"\n")
    return digest.hexdigest()


def check_rows(rows: int, expected: int, task: Task, split: str) -> None:
    """Raises InputError unless a split has the expected number of rows."""
    if rows != expected:
        raise InputError(
            f"the number of rows of {task.name} {split}",
            value=rows,
            allowed=str(expected),
            remedy="a csv reader that treats quotes specially may have merged rows; for a subset on purpose, set "
            f"data.expected_rows.{task.name} to {{{split}: {rows}}}",
        )


def check_texts(loaded: Loaded, rows: "pa.Table", task: Task, split: str) -> None:
    """Raises InputError for the first text that contains a NUL, or is empty where the official one is not."""
    known = task.empty.get(split, frozenset())
    for row, name, text in _texts(rows, task):
        if "\0" in text:
            problem = "contains a NUL character"
        elif not text.strip() and row not in known:
            problem = "is empty"
        else:
            continue
        raise InputError(f"{loaded.file}, row {row}: {name} {problem}", remedy=_remedy(task, split))


def check_content(loaded: Loaded, rows: "pa.Table", known: str | None, task: Task, split: str) -> None:
    """Raises InputError if a split is not what was published, as far as this is known.

    Args:
        known: sha256 of the official texts and labels. Without it a parquet file has to be the published one.
    """
    if known is not None:
        what, actual, expected = f"sha256 of the texts and labels of {task.name} {split}", content(rows, task), known
    elif task.hub and isinstance(loaded.file, Path) and loaded.file.suffix == ".parquet":
        what, actual, expected = "sha256", sha256(loaded.file), task.hub.sha256[split]
    else:
        return
    if actual != expected:
        allowed = f"{expected}, that of the official data"
        raise InputError(f"{loaded.file}: {what}", value=actual, allowed=allowed, remedy=_remedy(task, split))


def check_variant(loaded: Loaded, rows: "pa.Table", known: str | None, task: Task, split: str, variant: str) -> None:
    """Raises InputError if a split that is named a variant is official: the tables would tell of it."""
    if loaded.published or content(rows, task) == known:
        raise InputError(
            f"data.variants.{task.name}.{split}",
            value=variant,
            allowed=f"absent: {loaded.file} has the official texts and labels",
        )


def _texts(rows: "pa.Table", task: Task) -> Iterator[tuple[int, str, str]]:
    """Row number in the file, column and text of every text."""
    for start in range(0, len(rows), CHUNK):
        chunk = rows.slice(start, CHUNK).to_pydict()
        for index, row in enumerate(chunk["idx"]):
            yield from ((row, name, chunk[name][index]) for name in task.text)


def _remedy(task: Task, split: str) -> str:
    return (
        "fetch the original file again; for a known variant, say in the config what it is: "
        f"data.variants.{task.name}: {{{split}: NAME}}"
    )
