"""Reads the hub's parquet files, from a download or a local copy."""

from pathlib import Path
from typing import TYPE_CHECKING

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data.records import HIDDEN, Task
from adkd.data.tsv import Columns, scale

if TYPE_CHECKING:
    import pyarrow


def verify(path: Path, task: Task, split: str) -> None:
    """Raises InputError if a file is not, byte for byte, the published one."""
    assert task.hub is not None
    expected, actual = task.hub.sha256[split], sha256(path)
    if actual != expected:
        raise InputError(
            f"{path}: sha256",
            value=actual,
            allowed=f"{expected}, as published in {task.hub.dataset}",
            remedy=f"if this is a subset on purpose, give the size of {task.name} {split} in data.expected_rows",
        )


def read(path: Path, task: Task, split: str) -> Columns:
    """The examples of one parquet file.

    Raises:
        InputError: not a parquet file, a column is missing, or a text or label is missing or wrong.
    """
    table = _table(path, (*task.text, "label", "idx"))
    columns = table.to_pydict()
    if split in task.hidden:
        columns["label"] = [HIDDEN] * len(table)
    kinds = {column: str for column in task.text} | {"label": float if task.regression else int, "idx": int}
    for column, kind in kinds.items():
        for row, value in enumerate(columns[column]):
            if not (isinstance(value, kind) or (value == HIDDEN and column == "label")):
                raise InputError(f"{path}, row {row}: {column}", value=value, allowed=_KINDS[kind])
    for row, value in enumerate(columns["label"]):
        if split not in task.hidden and not task.lowest <= value <= task.highest:
            raise InputError(f"{path}, row {row}: the label of {task.name}", value=value, allowed=scale(task))
    return columns


_KINDS = {str: "text", int: "an integer", float: "a number"}


def _table(path: Path, wanted: tuple[str, ...]) -> "pyarrow.Table":
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise InputError(f"{path} is not a parquet file ({str(error).splitlines()[0]})") from error
    for column in wanted:
        if column not in table.column_names:
            raise InputError(f"{path} has no column {column!r}; it has {', '.join(table.column_names)}")
    return table.select(wanted)
