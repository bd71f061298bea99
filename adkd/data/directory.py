"""GLUE files in a directory of the user: the hub's parquet files, or the original TSV files."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError
from adkd.data import parquet, tsv
from adkd.data.official import Loaded
from adkd.data.records import Hub
from adkd.data.tasks import Task


def read(spec: Mapping[str, Any], task: Task, splits: list[str]) -> dict[str, Loaded]:
    """The listed splits of a task.

    Raises:
        InputError: a file is missing, or is not what it should be.
    """
    found = files(spec, task)
    loaded = {}
    for split in splits:
        path = found[split]
        if not path.is_file():
            remedy = (
                f"if {task.name} has no {split} on purpose, set data.expected_rows.{task.name} to {{{split}: null}}"
            )
            raise InputError(f"{path} is missing", remedy=remedy)
        if path.suffix == ".tsv":
            loaded[split] = Loaded(tsv.read(path, task, split), path)
        else:
            published = parquet.is_published(path, task, split)
            loaded[split] = Loaded(parquet.read(path, task, split), path, published)
    return loaded


def files(spec: Mapping[str, Any], task: Task) -> dict[str, Path]:
    """Split -> file, in the first layout that has any file: the hub's parquet files, then the original TSV files.

    Raises:
        InputError: there is no such directory, or it has no file for the task.
    """
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
        found = {split: layout(split) for split in task.rows}
        if any(path.is_file() for path in found.values()):
            return found
    searched = ", ".join(str(layout("train")) for layout in layouts)
    present = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())) or "no directories"
    raise InputError(f"{root} has no files for {task.name}; searched for files like {searched}; it has {present}")


def _hub_file(folder: Path, hub: Hub, split: str) -> Path:
    return folder / hub.path(split)
