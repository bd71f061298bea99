"""A storage of trials is checked before Optuna reads it: Optuna passes over some damage in silence, or mends it.

A journal is checked line by line, and a database for its tables.
"""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.storages import JournalStorage
from optuna.storages._rdb.models import BaseModel, VersionInfoModel
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.orm import Session

from adkd.base.errors import InputError

CREATE_STUDY, CREATE_TRIAL = 0, 4
"""Numbers of Optuna's operations that give the next study and the next trial its number."""
RESTORE = "restore the file from a copy, or move it away to search again"


class WholeLines(JournalFileBackend):
    """Optuna's backend, which never appends to the rest of a line that a writer did not finish."""

    def __init__(self, path: Path):
        self._path, self._own_lock = path, JournalFileSymlinkLock(str(path))
        super().__init__(str(path), lock_obj=self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._own_lock.acquire()
        try:
            _cut_rest(self._path)
        finally:
            self._own_lock.release()
        super().append_logs(logs)


class _Lines(BaseJournalBackend):
    """The operations of a journal's finished lines; counts those that were read."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        self.lines = content[: content.rfind(b"\n") + 1].splitlines()
        self.number = 0

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        studies = trials = 0
        for line in self.lines[log_number_from:]:
            self.number += 1
            operation = json.loads(line)
            for name, count in (("study", studies), ("trial", trials)):
                number = operation.get(f"{name}_id")
                if number is not None and not 0 <= number < count:
                    raise ValueError(f"no line before it creates {name} {number}")
            yield operation
            studies += operation["op_code"] == CREATE_STUDY
            trials += operation["op_code"] == CREATE_TRIAL

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        raise AssertionError("a journal is not changed while it is checked")


def check(path: Path) -> None:
    """Read a journal as Optuna does, without changing it; the rest of an unfinished last line does not count.

    Raises:
        InputError: a line cannot be applied, or names a trial that no line before it creates.
    """
    lines = _Lines(path)
    try:
        JournalStorage(lines)
    except Exception as error:  # whatever Optuna makes of it
        reason = " ".join(str(error).split()) or type(error).__name__
        start = lines.lines[lines.number - 1][:40].decode(errors="replace")
        raise InputError(
            f"{path}, line {lines.number}, is damaged, or not of an Optuna journal (starts with {start!r}): "
            f"{reason[:200]}",
            remedy=RESTORE,
        ) from None


def is_set_up(url: str) -> bool:
    """Whether Optuna has set up a database, which it ends by recording its version.

    Raises:
        InputError: it has, but a table of it is gone.
    """
    engine = sqlalchemy.create_engine(url)
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
        with Session(engine) as session:
            if VersionInfoModel.__tablename__ not in tables or not VersionInfoModel.find(session):
                return False
    finally:
        engine.dispose()
    if lost := sorted(BaseModel.metadata.tables.keys() - tables):
        place = engine.url.render_as_string(hide_password=True)
        raise InputError(f"{place} is damaged: it lacks the table {lost[0]}", remedy=RESTORE)
    return True


def _cut_rest(path: Path) -> None:
    """Remove an unfinished last line: the lock is held, so whoever began it has died or had no room left."""
    with path.open("r+b") as file:
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
