"""Where the data of a task comes from. Checking a source imports neither torch nor ``datasets``; loading it does."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adkd.base.errors import InputError, unknown
from adkd.data import embedded, generated, hub_files, parquet, tsv
from adkd.data.tasks import TASKS, Task
from adkd.data.tsv import Columns

if TYPE_CHECKING:
    from datasets import Dataset

GLUE = tuple(task.name for task in TASKS.values() if task.glue)

OFFERS: dict[str, tuple[str, ...]] = {
    "hub": GLUE,
    "directory": GLUE,
    "embedded": tuple(embedded.READERS),
    "generated": tuple(TASKS),
}
"""Source -> the tasks it has data for."""

SOURCES = tuple(OFFERS)


def check(source: Mapping[str, Any], task: Task) -> None:
    """Find out, without reading any data, whether a source can give a task.

    Raises:
        InputError: no such source, a task that it does not offer, or a directory without files for the task.
    """
    name = source.get("name")
    if name not in OFFERS:
        raise unknown("data source", name, SOURCES)
    if task.name not in OFFERS[name]:
        raise unknown(f'task of the data source "{name}"', task.name, OFFERS[name])
    if name == "directory":
        _local_files(source, task)
    if name == "generated":
        for role in ("train", "validation", "test"):
            count = (source.get("rows") or {}).get(role)
            if not isinstance(count, int) or count < 1:
                raise InputError(f"generated data: rows.{role} is {count!r}, expected a whole number above 0")


def labelled(source: Mapping[str, Any], task: Task, split: str) -> bool:
    """Whether a split comes with labels; the test labels of GLUE do so only in embedded and generated data."""
    return source["name"] in ("embedded", "generated") or split not in task.hidden


def load(source: Mapping[str, Any], task: Task, exceptions: Mapping[str, int | None]) -> dict[str, "Dataset"]:
    """Every split of a task, checked.

    Args:
        source: ``name`` of a source, and its ``path`` (directory) or ``rows`` (generated).
        task: the task.
        exceptions: split -> number of rows that differs from the official one (a subset), or None (split absent).

    Returns:
        Split -> dataset with the task's text columns, ``label`` (int64, or float32 for regression; -1 where hidden) and
        ``idx`` (int64), in the order of ``task.rows``.

    Raises:
        InputError: the source cannot give the task, a file is not what it should be, or a split has the wrong size.
    """
    check(source, task)
    for split, rows in exceptions.items():
        if split not in task.rows:
            raise unknown(f"split of {task.name} in expected_rows", split, task.rows)
        if rows is not None and rows < 1:
            raise InputError(
                f"expected_rows of {task.name} {split} is {rows}, expected a number above 0, or null for none"
            )
    wanted = [split for split in task.rows if exceptions.get(split, 0) is not None]
    found = _READERS[source["name"]](source, task, wanted, exceptions)
    for split in wanted:
        _check_rows(source, task, split, len(found[split]["idx"]), exceptions)
    return {split: _dataset(found[split], task) for split in wanted}


def _check_rows(source: Mapping, task: Task, split: str, found: int, exceptions: Mapping[str, int | None]) -> None:
    official = source["rows"][split.split("_")[0]] if source["name"] == "generated" else task.rows[split]
    expected = exceptions.get(split, official)
    if found != expected:
        raise InputError(
            f"{task.name} {split} has {found} rows, expected {expected}; fewer rows often mean that quotes merged some "
            f"(a csv reader did it); if this subset is meant, set expected_rows of {task.name} to {{{split}: {found}}}"
        )


def _dataset(columns: Columns, task: Task) -> "Dataset":
    from datasets import Dataset, Features, Value

    text = {name: Value("string") for name in task.text}
    label = Value("float32" if task.regression else "int64")
    return Dataset.from_dict(columns, features=Features(text | {"label": label, "idx": Value("int64")}))


def _hub(source: Mapping, task: Task, splits: list[str], exceptions: Mapping) -> dict[str, Columns]:
    from adkd.fetch import hub

    found = {}
    for split in splits:
        path = hub.dataset_file(hub_files.DATASET, hub_files.path(task.name, split), hub_files.REVISION)
        parquet.verify(path, task, split)
        found[split] = parquet.read(path, task, split)
    return found


def _directory(source: Mapping, task: Task, splits: list[str], exceptions: Mapping) -> dict[str, Columns]:
    files = _local_files(source, task)
    found = {}
    for split in splits:
        path = files[split]
        if not path.is_file():
            raise InputError(
                f"{path} is missing; if {task.name} is meant to go without it, set expected_rows of {task.name} to "
                f"{{{split}: null}}"
            )
        if path.suffix == ".tsv":
            found[split] = tsv.read(path, task, split)
            continue
        if split not in exceptions:
            parquet.verify(path, task, split)
        found[split] = parquet.read(path, task, split)
    return found


def _local_files(source: Mapping, task: Task) -> dict[str, Path]:
    """Split -> file, in the first layout of which any file is there: the hub's parquet files, then the TSV files."""
    root = Path(source.get("path") or "").expanduser()
    if not source.get("path") or not root.is_dir():
        raise InputError(f"data.path is {source.get('path')!r}, expected a directory with the GLUE tasks")
    layouts: list[Callable[[str], Path]] = [
        lambda split: root / hub_files.path(task.name, split),
        lambda split: root / "glue" / hub_files.path(task.name, split),
        lambda split: tsv.file(root, task, split),
    ]
    for layout in layouts:
        files = {split: layout(split) for split in task.rows}
        if any(path.is_file() for path in files.values()):
            return files
    looked = ", ".join(str(layout("train")) for layout in layouts)
    here = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())) or "nothing"
    raise InputError(f"{root} has no files for {task.name}; looked for {looked} and the like, and found {here}")


def _embedded(source: Mapping, task: Task, splits: list[str], exceptions: Mapping) -> dict[str, Columns]:
    return embedded.read(task)


def _generated(source: Mapping, task: Task, splits: list[str], exceptions: Mapping) -> dict[str, Columns]:
    return {split: generated.read(task, split, source["rows"][split.split("_")[0]]) for split in splits}


_READERS: dict[str, Callable[[Mapping, Task, list[str], Mapping], dict[str, Columns]]] = {
    "hub": _hub,
    "directory": _directory,
    "embedded": _embedded,
    "generated": _generated,
}
