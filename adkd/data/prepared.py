"""Prepared data on disk: ``SPLIT.arrow`` for every split, and ``data.json`` about them.

Each file is an Arrow IPC stream; ``datasets.Dataset.from_file`` reads it too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adkd.data.spec import DataReport

if TYPE_CHECKING:
    import pyarrow as pa


def write_splits(directory: Path, splits: Mapping[str, "pa.Table"]) -> None:
    """Write one file for every split."""
    import pyarrow as pa

    for split, table in splits.items():
        with pa.ipc.new_stream(str(_file(directory, split)), table.schema) as writer:
            writer.write_table(table)


def read_split(directory: Path, split: str) -> "pa.Table":
    """One split, memory-mapped.

    Raises:
        InputError: its file is missing or damaged.
    """
    import pyarrow as pa

    file = DataReport.of(directory).file(directory, _file(directory, split).name)
    return pa.ipc.open_stream(pa.memory_map(str(file))).read_all()


def _file(directory: Path, split: str) -> Path:
    return directory / f"{split}.arrow"
