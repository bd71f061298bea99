"""Where the data of a task comes from: one record for each kind of source. Checking one imports no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adkd.base.errors import InputError, unknown
from adkd.data import embedded, generated, parquet, tsv
from adkd.data.records import Hub
from adkd.data.tasks import TASKS, Task
from adkd.data.tsv import Columns

if TYPE_CHECKING:
    import pyarrow as pa

Spec = Mapping[str, Any]
"""``name`` of a source, and its ``path`` (a directory) or ``rows`` (number of examples in train, validation, test)."""
Exceptions = Mapping[str, int | None]
"""Split -> its number of rows if that is not the official one (a subset), or None if the split is absent."""


@dataclass(frozen=True)
class Source:
    """One kind of source."""

    name: str
    title: str
    """Its name in reports."""
    offers: Callable[[Task], bool]
    """Whether it has data for a task."""
    read: Callable[[Spec, Task, list[str], Exceptions], dict[str, Columns]]
    """At least the listed splits of a task."""
    option: str | None = None
    """The key of a config's ``data`` that it needs: ``path`` or ``rows``."""
    official: bool = False
    """Whether it is the benchmark's own release, whose test labels are hidden; the others have labels everywhere."""
    real: bool = True
    """Whether people wrote the texts."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it has data for."""
        return tuple(task.name for task in TASKS.values() if self.offers(task))


def named(name: object) -> Source:
    """The source of that name.

    Raises:
        InputError: no source has that name.
    """
    if name not in SOURCES:
        raise unknown("data source", name, SOURCES)
    return SOURCES[str(name)]


def check(spec: Spec, task: Task) -> None:
    """Check that a source has data for a task, without reading any.

    Raises:
        InputError: no such source, a task that it does not offer, or a directory without files for the task.
    """
    source = named(spec.get("name"))
    if not source.offers(task):
        raise unknown(f'task of the data source "{source.name}"', task.name, source.tasks)
    if source.option == "path":
        _local_files(spec, task)
    if source.option == "rows":
        for role in ("train", "validation", "test"):
            count = (spec.get("rows") or {}).get(role)
            if not isinstance(count, int) or count < 1:
                raise InputError(f"data.rows.{role}", value=count, allowed="an integer above 0")


def labelled(spec: Spec, task: Task, split: str) -> bool:
    """Whether a split has labels. The official test sets of GLUE do not."""
    return not SOURCES[spec["name"]].official or split not in task.hidden


def load(spec: Spec, task: Task, exceptions: Exceptions) -> dict[str, "pa.Table"]:
    """Every split of a task, checked.

    Returns:
        Split -> table with the task's text columns, ``label`` (int64, or float32 for regression; -1 where hidden) and
        ``idx`` (int64), in the order of ``task.rows``.

    Raises:
        InputError: the source does not have the task, a file is not what it should be, or a split has the wrong size.
    """
    check(spec, task)
    for split, rows in exceptions.items():
        if split not in task.rows:
            raise unknown(f"split of {task.name} in data.expected_rows", split, task.rows)
        if rows is not None and rows < 1:
            key = f"data.expected_rows.{task.name}.{split}"
            raise InputError(key, value=rows, allowed="an integer above 0, or null for no such split")
    wanted = [split for split in task.rows if exceptions.get(split, 0) is not None]
    columns = SOURCES[spec["name"]].read(spec, task, wanted, exceptions)
    for split in wanted:
        _check_rows(spec, task, split, len(columns[split]["idx"]), exceptions)
    return {split: _table(columns[split], task) for split in wanted}


def _check_rows(spec: Spec, task: Task, split: str, rows: int, exceptions: Exceptions) -> None:
    official = spec["rows"][_role(split)] if "rows" in spec else task.rows[split]
    expected = exceptions.get(split, official)
    if rows != expected:
        raise InputError(
            f"the number of rows of {task.name} {split}",
            value=rows,
            allowed=str(expected),
            remedy="a csv reader that treats quotes specially may have merged rows; for a subset on purpose, set "
            f"data.expected_rows.{task.name} to {{{split}: {rows}}}",
        )


def _table(columns: Columns, task: Task) -> "pa.Table":
    import pyarrow as pa

    label = pa.float32() if task.regression else pa.int64()
    kinds = {name: pa.string() for name in task.text} | {"label": label, "idx": pa.int64()}
    return pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})


def _role(split: str) -> str:
    return split.partition("_")[0]


def _hub(spec: Spec, task: Task, splits: list[str], exceptions: Exceptions) -> dict[str, Columns]:
    from adkd.fetch import hub

    assert task.hub is not None
    columns = {}
    for split in splits:
        path = hub.dataset_file(task.hub.dataset, task.hub.path(split), task.hub.revision)
        parquet.verify(path, task, split)
        columns[split] = parquet.read(path, task, split)
    return columns


def _directory(spec: Spec, task: Task, splits: list[str], exceptions: Exceptions) -> dict[str, Columns]:
    files = _local_files(spec, task)
    columns = {}
    for split in splits:
        path = files[split]
        if not path.is_file():
            remedy = (
                f"if {task.name} has no {split} on purpose, set data.expected_rows.{task.name} to {{{split}: null}}"
            )
            raise InputError(f"{path} is missing", remedy=remedy)
        if path.suffix == ".tsv":
            columns[split] = tsv.read(path, task, split)
            continue
        if split not in exceptions:
            parquet.verify(path, task, split)
        columns[split] = parquet.read(path, task, split)
    return columns


def _local_files(spec: Spec, task: Task) -> dict[str, Path]:
    """Split -> file, in the first layout that has any file: the hub's parquet files, then the original TSV files."""
    root = Path(spec.get("path") or "").expanduser()
    if not spec.get("path") or not root.is_dir():
        raise InputError("data.path", value=spec.get("path"), allowed="a directory with the files of the tasks")
    layouts: list[Callable[[str], Path]] = []
    if task.hub is not None:
        folders = (root, root / task.hub.dataset.rpartition("/")[2])
        layouts += [partial(_hub_file, folder, task.hub) for folder in folders]
    if task.tsv is not None:
        layouts.append(partial(tsv.file, root, task))
    for layout in layouts:
        files = {split: layout(split) for split in task.rows}
        if any(path.is_file() for path in files.values()):
            return files
    searched = ", ".join(str(layout("train")) for layout in layouts)
    present = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())) or "no directories"
    raise InputError(f"{root} has no files for {task.name}; searched for files like {searched}; it has {present}")


def _hub_file(folder: Path, hub: Hub, split: str) -> Path:
    return folder / hub.path(split)


def _embedded(spec: Spec, task: Task, splits: list[str], exceptions: Exceptions) -> dict[str, Columns]:
    return embedded.read(task)


def _generated(spec: Spec, task: Task, splits: list[str], exceptions: Exceptions) -> dict[str, Columns]:
    return {split: generated.read(task, split, spec["rows"][_role(split)]) for split in splits}


_ALL = (
    Source("hub", "GLUE, from the Hugging Face hub", lambda task: task.hub is not None, _hub, official=True),
    Source(
        "directory",
        "GLUE files in a directory",
        lambda task: task.hub is not None or task.tsv is not None,
        _directory,
        option="path",
        official=True,
    ),
    Source("embedded", "small real data from Python packages", lambda task: task.embedded is not None, _embedded),
    Source(
        "generated",
        "generated sentences, which only test the pipeline",
        lambda task: True,
        _generated,
        option="rows",
        real=False,
    ),
)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
