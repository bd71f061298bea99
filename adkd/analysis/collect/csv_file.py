"""CSV files that one stage writes and others read."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from adkd.base.checked import checked_bytes, new_checked_file, reading


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a table, and its sha256 beside it."""
    with new_checked_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read(path: Path, command: str, **options: Any) -> pd.DataFrame:
    """The table in a file.

    Args:
        command: what makes the file.
        options: of ``pandas.read_csv``.

    Raises:
        InputError: the file is missing, cannot be read, or was changed since it was written.
    """
    content = checked_bytes(path, command)
    with reading(path, command):
        return pd.read_csv(BytesIO(content), **options)
