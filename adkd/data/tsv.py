"""GLUE as its original TSV files, which are no csv files: fields are split at tabs, and a quote is a letter."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from adkd.base.errors import InputError, unknown
from adkd.data.tasks import HIDDEN, Task

Columns = dict[str, list]
"""The examples of one split: the task's text columns, ``label`` and ``idx``, of equal length."""

FILES = {"train": "train", "validation": "dev", "test": "test"}


@dataclass(frozen=True)
class Layout:
    """Where the TSV files of a task keep what. Columns go by their names in the file's first line."""

    directory: str
    text: tuple[str, ...]
    gold: str
    named: bool = False
    """The gold column holds class names; otherwise class numbers, or scores for regression."""
    headless: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Split -> columns, for files without a first line of names."""
    skips: bool = False
    """Rows of another number of fields are left out, as in ``datasets``; the official counts are without them."""


_COLA = ("source", "label", "mark", "sentence")
_PAIR = ("sentence1", "sentence2")

LAYOUTS: dict[str, Layout] = {
    "cola": Layout("CoLA", ("sentence",), "label", headless={"train": _COLA, "validation": _COLA}),
    "sst2": Layout("SST-2", ("sentence",), "label"),
    "mrpc": Layout("MRPC", ("#1 String", "#2 String"), "Quality"),
    "stsb": Layout("STS-B", _PAIR, "score"),
    "qqp": Layout("QQP", ("question1", "question2"), "is_duplicate", skips=True),
    "mnli": Layout("MNLI", _PAIR, "gold_label", named=True),
    "qnli": Layout("QNLI", ("question", "sentence"), "label", named=True),
    "rte": Layout("RTE", _PAIR, "label", named=True),
    "wnli": Layout("WNLI", _PAIR, "label"),
}


def file(root: Path, task: Task, split: str) -> Path:
    """Where the TSV file of a split lies: ``validation_matched`` of MNLI is ``MNLI/dev_matched.tsv``."""
    role, _, part = split.partition("_")
    return root / LAYOUTS[task.name].directory / ("_".join(filter(None, (FILES[role], part))) + ".tsv")


def read(path: Path, task: Task, split: str) -> Columns:
    """The examples of one TSV file, word for word; ``idx`` is the row number in the file, from 0.

    Raises:
        InputError: a line that is not what the layout says; names the file, the line and what was expected.
    """
    layout = LAYOUTS[task.name]
    lines = _lines(path)
    # A test file may come with a made-up gold column. It is not read.
    wanted = layout.text if split in task.hidden else (*layout.text, layout.gold)
    columns, first = _columns(path, lines, wanted, layout.headless.get(split)), 0 if split in layout.headless else 1
    texts = [columns.index(name) for name in layout.text]
    gold = None if split in task.hidden else columns.index(layout.gold)
    found: Columns = {name: [] for name in (*task.text, "label", "idx")}
    for number, line in enumerate(lines[first:]):
        fields = line.split("\t")
        where = f"{path}, line {first + number + 1}"
        if len(fields) != len(columns):
            if layout.skips:
                continue
            raise InputError(f"{where}: {len(fields)} fields, expected {len(columns)} ({', '.join(columns)})")
        for name, position in zip(task.text, texts, strict=True):
            found[name].append(fields[position])
        found["label"].append(HIDDEN if gold is None else label(fields[gold], task, where, named=layout.named))
        found["idx"].append(number)
    return found


def _lines(path: Path) -> list[str]:
    """Lines of a file, without its byte order mark. Only a line feed ends a line: other breaks are part of a text."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: byte {content[error.start]:#04x} is not UTF-8 text") from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()  # the last line is ended, or the file is empty
    return [line.removesuffix("\r") for line in lines]


def _columns(path: Path, lines: list[str], wanted: tuple[str, ...], known: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the columns: those known beforehand, or those in the first line, with all that are wanted among them."""
    columns = known or tuple(lines[0].split("\t") if lines else ())
    for name in wanted:
        if name not in columns:
            raise InputError(
                f"{path}, line 1: no column named {name!r}; expected a line of names with {', '.join(wanted)}"
            )
    return columns


def label(word: str, task: Task, where: str, *, named: bool) -> int | float:
    """The label that a gold field stands for: a class number, or a score from 0 to 5.

    Raises:
        InputError: an empty field, or one that is no label of the task.
    """
    if not word:
        raise InputError(f"{where}: the label of {task.name} is empty")
    if not task.regression:
        words = task.labels if named else tuple(str(number) for number in range(len(task.labels)))
        if word not in words:
            raise InputError(f"{where}: {unknown(f'label of {task.name}', word, words)}")
        return words.index(word)
    try:
        score = float(word)
    except ValueError:
        score = float("nan")
    if not (isfinite(score) and 0 <= score <= 5):
        raise InputError(f"{where}: score of {task.name} {word!r}, expected a number from 0 to 5")
    return score
