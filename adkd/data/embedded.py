"""Readers of the tasks that come in packages of the Python package index, one function for each format."""

import hashlib
import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from adkd.data.records import Task
from adkd.data.tsv import Columns, label
from adkd.fetch import assets

STS_FILES = {"train": "sts-train.csv", "validation": "sts-dev.csv", "test": "sts-test.csv"}


def read(task: Task) -> dict[str, Columns]:
    """Every split of an embedded task, downloaded if the cache does not have it."""
    assert task.embedded is not None
    module, _, name = task.embedded.reader.partition(":")
    reader = getattr(import_module(module), name)
    return reader(assets.fetched(task.name, task.embedded.asset), task)


def sts_benchmark(directory: Path, task: Task) -> dict[str, Columns]:
    """The files are called csv, but fields are split at tabs. Fields 4 to 6 are score and sentences; some rows have
    more fields."""
    splits: dict[str, Columns] = {}
    for split, file in STS_FILES.items():
        lines = (directory / file).read_text(encoding="utf-8").split("\n")
        rows = [line.split("\t") for line in lines if line]
        splits[split] = {
            # GLUE's copy of the same rows has no blanks around its sentences.
            "sentence1": [fields[5].strip() for fields in rows],
            "sentence2": [fields[6].strip() for fields in rows],
            "label": [label(fields[4], task, f"{file}, line {n}", named=False) for n, fields in enumerate(rows, 1)],
            "idx": list(range(len(rows))),
        }
    return splits


def movie_reviews(directory: Path, task: Task) -> dict[str, Columns]:
    """A rating above 0 is positive, one below 0 negative. Ratings of 0 and repeated sentences are left out."""
    content = (directory / "movieReviewSnippets_GroundTruth.txt").read_bytes().decode("utf-8")
    examples: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(line for line in content.split("\r\n") if line):
        _, rating, text = line.split("\t")
        if float(rating) != 0:
            examples.setdefault(text.strip(), (int(float(rating) > 0), number))
    rows = [(text, text, *rest) for text, rest in examples.items()]
    return _divided(rows, ("sentence",), {"test": 1000, "validation": 1000})


def privacy_questions(directory: Path, task: Task) -> dict[str, Columns]:
    """Split by question: all rows of a question are in the same split."""
    lines = (directory / "test.jsonl").read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(line for line in lines if line):
        row = json.loads(line)
        key = " ".join(row["question"].lower().split())
        rows.append((key, row["question"], row["context"], ("False", "True").index(row["answer"]), number))
    return _divided(rows, task.text, {"test": 1800, "validation": 1200})


def _divided(rows: Iterable[tuple], text: tuple[str, ...], sizes: dict[str, int]) -> dict[str, Columns]:
    """Rows (key, texts..., label, idx) divided among splits; all rows of a key go to the same split.

    Keys are ordered by their sha256, a shuffle that does not depend on a library's version. Each split takes keys until
    it has its size; train takes the rest.
    """
    groups: dict[str, list[tuple]] = {}
    for key, *row in rows:
        groups.setdefault(key, []).append(tuple(row))
    order = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    splits = {}
    for split, size in sizes.items():
        taken: list[tuple] = []
        while len(taken) < size:
            taken += groups[order.pop(0)]
        splits[split] = taken
    splits["train"] = [row for key in order for row in groups[key]]
    names = (*text, "label", "idx")
    return {
        split: dict(zip(names, map(list, zip(*sorted(taken, key=lambda row: row[-1]), strict=True)), strict=True))
        for split, taken in splits.items()
    }
