"""Where the data of a task comes from: one record for each kind of source. Checking one imports no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adkd.base.checked import digests
from adkd.base.errors import InputError, unknown
from adkd.data import directory, embedded, generated, official, parquet
from adkd.data.official import Loaded
from adkd.data.tasks import TASKS, Task
from adkd.data.tsv import Columns

if TYPE_CHECKING:
    import pyarrow as pa

Spec = Mapping[str, Any]
"""``name`` of a source, and its ``path`` (a directory) or ``rows`` (number of examples in train, validation, test)."""
Exceptions = Mapping[str, int | None]
"""Split -> its number of rows if that is not the official one (a subset), or None if the split is absent."""
Variants = Mapping[str, str]
"""Split -> what the user calls its content, where this is not the official one on purpose."""


@dataclass(frozen=True)
class Source:
    """One kind of source."""

    name: str
    title: str
    """Its name in reports."""
    offers: Callable[[Task], bool]
    """Whether it has data for a task."""
    read: Callable[[Spec, Task, list[str]], dict[str, Loaded]]
    """At least the listed splits of a task."""
    content: Callable[[Task], Mapping[str, str]] = lambda task: {}
    """Split -> sha256 of its texts and labels, see ``adkd.data.official``; without the splits where it is not known."""
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
        raise unknown(f'task of the data source "{source.name}"', task.name, source.tasks, key="tasks")
    if source.option == "path":
        directory.files(spec, task)
    if source.option == "rows":
        for role in ("train", "validation", "test"):
            count = (spec.get("rows") or {}).get(role)
            if not isinstance(count, int) or count < 1:
                raise InputError(f"data.rows.{role}", value=count, allowed="an integer above 0")


def labelled(spec: Spec, task: Task, split: str) -> bool:
    """Whether a split has labels. The official test sets of GLUE do not."""
    return not SOURCES[spec["name"]].official or split not in task.hidden


def local_files(spec: Spec, task: Task, exceptions: Exceptions) -> dict[str, str]:
    """Path -> sha256 of the files in a directory that a task's data is read from; none for another source.

    Raises:
        InputError: as for ``check``, or a file cannot be read.
    """
    if named(spec["name"]).option != "path":
        return {}
    files = directory.files(spec, task)
    return digests(files[split] for split in _wanted(task, exceptions) if files[split].is_file())


def load(spec: Spec, task: Task, exceptions: Exceptions, variants: Variants) -> dict[str, "pa.Table"]:
    """Every split of a task, checked.

    Returns:
        Split -> table with the task's text columns, ``label`` (int64, or float32 for regression; -1 where hidden) and
        ``idx`` (int64), in the order of ``task.rows``.

    Raises:
        InputError: the source does not have the task, a file is not what it should be, or a split has the wrong size
            or content.
    """
    check(spec, task)
    for split in (*exceptions, *variants):
        if split not in task.rows:
            raise unknown(f"split of {task.name} in data.expected_rows or data.variants", split, task.rows)
    for split, rows in exceptions.items():
        if rows is not None and rows < 1:
            key = f"data.expected_rows.{task.name}.{split}"
            raise InputError(key, value=rows, allowed="an integer above 0, or null for no such split")
    wanted = _wanted(task, exceptions)
    source = SOURCES[spec["name"]]
    loaded, known = source.read(spec, task, wanted), source.content(task)
    tables = {}
    for split in wanted:
        all_rows = spec["rows"][_role(split)] if "rows" in spec else task.rows[split]
        rows = tables[split] = _table(loaded[split].columns, task)
        official.check_rows(len(rows), exceptions.get(split) or all_rows, task, split)
        if split in variants:
            official.check_variant(loaded[split], rows, known.get(split), task, split, variants[split])
        elif not loaded[split].published:
            official.check_texts(loaded[split], rows, task, split)
            if len(rows) == all_rows:
                official.check_content(loaded[split], rows, known.get(split), task, split)
    return tables


def _table(columns: Columns, task: Task) -> "pa.Table":
    import pyarrow as pa

    label = pa.float32() if task.regression else pa.int64()
    kinds = {name: pa.string() for name in task.text} | {"label": label, "idx": pa.int64()}
    return pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})


def _wanted(task: Task, exceptions: Exceptions) -> list[str]:
    """The splits that the source has."""
    return [split for split in task.rows if exceptions.get(split, 0) is not None]


def _role(split: str) -> str:
    return split.partition("_")[0]


def _hub(spec: Spec, task: Task, splits: list[str]) -> dict[str, Loaded]:
    from adkd.fetch import hub

    assert task.hub is not None
    loaded = {}
    for split in splits:
        path = hub.dataset_file(task.hub.dataset, task.hub.path(split), task.hub.revision, task.hub.sha256[split])
        loaded[split] = Loaded(parquet.read(path, task, split), path, published=True)
    return loaded


def _embedded(spec: Spec, task: Task, splits: list[str]) -> dict[str, Loaded]:
    assert task.embedded is not None
    what = task.embedded.asset.requirement
    return {split: Loaded(columns, what) for split, columns in embedded.read(task).items()}


def _generated(spec: Spec, task: Task, splits: list[str]) -> dict[str, Loaded]:
    return {
        split: Loaded(generated.read(task, split, spec["rows"][_role(split)]), "generated data") for split in splits
    }


_ALL = (
    Source(
        "hub",
        "GLUE, from the Hugging Face hub",
        lambda task: task.hub is not None,
        _hub,
        lambda task: task.content,
        official=True,
    ),
    Source(
        "directory",
        "GLUE files in a directory",
        lambda task: task.hub is not None or task.tsv is not None,
        directory.read,
        lambda task: task.content,
        option="path",
        official=True,
    ),
    Source(
        "embedded",
        "small real data from Python packages",
        lambda task: task.embedded is not None,
        _embedded,
        lambda task: task.embedded.content if task.embedded else {},
    ),
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
