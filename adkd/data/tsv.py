"""Reads original TSV files. They are not csv files: fields are split at tabs, and quotes have no meaning."""

from math import isfinite
from pathlib import Path

from adkd.base.errors import InputError, unknown
from adkd.data.records import HIDDEN, Layout, Task

Columns = dict[str, list]
"""The examples of one split: the task's text columns, ``label`` and ``idx``, of equal length."""

FILES = {"train": "train", "validation": "dev", "test": "test"}


def file(root: Path, task: Task, split: str) -> Path:
    """The TSV file of a split: ``MNLI/dev_matched.tsv`` for ``validation_matched``."""
    role, _, part = split.partition("_")
    return root / _layout(task).directory / ("_".join(filter(None, (FILES[role], part))) + ".tsv")


def read(path: Path, task: Task, split: str) -> Columns:
    """The examples of one TSV file, unchanged; ``idx`` is the row number in the file, from 0.

    Raises:
        InputError: a line does not have the task's layout; names the file, the line and what was expected.
    """
    layout = _layout(task)
    lines = _lines(path)
    # A test file may have a gold column with placeholders; it is not read.
    wanted = layout.text if split in task.hidden else (*layout.text, layout.gold)
    columns, first = _columns(path, lines, wanted, layout.headless.get(split)), 0 if split in layout.headless else 1
    texts = [columns.index(name) for name in layout.text]
    gold = None if split in task.hidden else columns.index(layout.gold)
    rows: Columns = {name: [] for name in (*task.text, "label", "idx")}
    for number, line in enumerate(lines[first:]):
        fields = line.split("\t")
        where = f"{path}, line {first + number + 1}"
        if len(fields) != len(columns):
            if layout.skips:
                continue
            allowed = f"{len(columns)} ({', '.join(columns)})"
            raise InputError(f"{where}: the number of fields", value=len(fields), allowed=allowed)
        for name, position in zip(task.text, texts, strict=True):
            rows[name].append(fields[position])
        rows["label"].append(HIDDEN if gold is None else label(fields[gold], task, where, named=layout.named))
        rows["idx"].append(number)
    return rows


def _layout(task: Task) -> Layout:
    assert task.tsv is not None
    return task.tsv


def _lines(path: Path) -> list[str]:
    """Lines of a file, without its byte order mark. Only a line feed ends a line; other breaks are part of a text."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: byte {content[error.start]:#04x} is not valid UTF-8") from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()  # the last line is ended, or the file is empty
    return [line.removesuffix("\r") for line in lines]


def _columns(path: Path, lines: list[str], wanted: tuple[str, ...], known: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the columns: the ``known`` ones, or those in the first line. All ``wanted`` ones are among them."""
    columns = known or tuple(lines[0].split("\t") if lines else ())
    for name in wanted:
        if name not in columns:
            raise InputError(
                f"{path}, line 1: there is no column {name!r}",
                remedy=f"the first line must name the columns, {', '.join(wanted)} among them",
            )
    return columns


def label(word: str, task: Task, where: str, *, named: bool) -> int | float:
    """The label in a gold field: a class number, or a score within the task's scale.

    Raises:
        InputError: the field is empty, or not a label of the task.
    """
    if not word:
        raise InputError(f"{where}: the label of {task.name} is empty")
    if not task.regression:
        words = task.labels if named else tuple(str(number) for number in range(len(task.labels)))
        if word not in words:
            raise unknown(f"label of {task.name}", word, words).within(where)
        return words.index(word)
    try:
        score = float(word)
    except ValueError:
        score = float("nan")
    if not (isfinite(score) and task.lowest <= score <= task.highest):
        raise InputError(f"{where}: the score", value=word, allowed=scale(task))
    return score


def scale(task: Task) -> str:
    """The labels of a task in words: ``a number from 0 to 5``."""
    return f"a number from {task.lowest:g} to {task.highest:g}"
