"""GLUE as the hub's parquet files: the same reader for a download and for a local copy."""

from pathlib import Path

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data import hub_files
from adkd.data.tasks import HIDDEN, Task
from adkd.data.tsv import Columns


def verify(path: Path, task: Task, split: str) -> None:
    """Raises InputError if a file is not, byte for byte, the published one."""
    expected, found = hub_files.SHA256[task.name, split], sha256(path)
    if found != expected:
        raise InputError(
            f"{path}: sha256 is {found}, expected {expected} as published in {hub_files.DATASET}; "
            f"if this subset of {task.name} {split} is meant, state its size under expected_rows"
        )


def read(path: Path, task: Task, split: str) -> Columns:
    """The examples of one parquet file.

    Raises:
        InputError: not a parquet file, a column that is not there, a text or label that is missing or wrong.
    """
    import pyarrow
    import pyarrow.parquet

    wanted = (*task.text, "label", "idx")
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: not a parquet file ({str(error).splitlines()[0]})") from error
    if missing := [column for column in wanted if column not in table.column_names]:
        raise InputError(f"{path}: no column {missing[0]!r}; expected {', '.join(wanted)}")
    found = table.select(wanted).to_pydict()
    if split in task.hidden:
        found["label"] = [HIDDEN] * len(table)
    kinds = {column: str for column in task.text} | {"label": float if task.regression else int, "idx": int}
    for column, kind in kinds.items():
        for row, value in enumerate(found[column]):
            if not (isinstance(value, kind) or (value == HIDDEN and column == "label")):
                raise InputError(f"{path}, row {row}: {column} is {value!r}, expected {kind.__name__}")
    top = 5 if task.regression else task.outputs - 1
    for row, value in enumerate(found["label"]):
        if split not in task.hidden and not 0 <= value <= top:
            raise InputError(f"{path}, row {row}: label of {task.name} is {value!r}, expected 0 to {top}")
    return found
