"""Reads the hub's parquet files, from a download or a local copy."""

from pathlib import Path

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data.records import HIDDEN, Task
from adkd.data.tsv import Columns, scale


def is_published(path: Path, task: Task, split: str) -> bool:
    """Whether a file is, byte for byte, the published one."""
    assert task.hub is not None
    return sha256(path) == task.hub.sha256[split]


def read(path: Path, task: Task, split: str) -> Columns:
    """The examples of one parquet file.

    Raises:
        InputError: not a parquet file, a column is missing, or a text or label is missing or wrong.
    """
    columns = _columns(path, (*task.text, "label", "idx"))
    if split in task.hidden:
        columns["label"] = [HIDDEN] * len(columns["idx"])
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


def _columns(path: Path, wanted: tuple[str, ...]) -> Columns:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        names = table.column_names
        columns = {name: table[name].to_pylist() for name in wanted if names.count(name) == 1}
    except (pyarrow.ArrowException, ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
        # What pyarrow raises depends on the damaged byte.
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is not a parquet file, or is damaged ({first})", remedy="fetch it again") from error
    for name in wanted:
        if name not in columns:
            raise InputError(f"{path} has no column {name!r}, or several; it has {', '.join(names)}")
    return columns
