"""CSV files that one stage writes and others read."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from adkd.base.checked import checked_bytes, new_checked_file, reading
from adkd.base.errors import InputError


def write(path: Path, table: pd.DataFrame, made_from: Iterable[Path]) -> None:
    """Write a table, and beside it its sha256 and those of the files that it is made from."""
    with new_checked_file(path, made_from) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read(path: Path, command: str, columns: Iterable[str], **options: Any) -> pd.DataFrame:
    """The table in a file.

    Args:
        command: what makes the file.
        columns: that it has at least.
        options: of ``pandas.read_csv``.

    Raises:
        InputError: the file is missing, cannot be read, or was changed since it was written; an earlier version wrote
            it, without a column; or a file that it is made from was changed since.
    """
    content = checked_bytes(path, command)
    with reading(path, command):
        table = pd.read_csv(BytesIO(content), **options)
    if absent := [name for name in columns if name not in table]:
        raise InputError(f'{path} has no column "{absent[0]}"', remedy=f"rebuild it with: {command}")
    return table
