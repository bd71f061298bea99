"""The tasks whose data comes in packages: no hub, no account, and test labels that anyone can score against."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from adkd.data.tasks import Task
from adkd.data.tsv import Columns, label
from adkd.fetch import assets

STSB_FILES = {"train": "sts-train.csv", "validation": "sts-dev.csv", "test": "sts-test.csv"}


def read(task: Task) -> dict[str, Columns]:
    """Every split of an embedded task."""
    return READERS[task.name](assets.fetch(task.name), task)


def _stsb(directory: Path, task: Task) -> dict[str, Columns]:
    """Despite their name the files are split at tabs: score and sentences are fields 4 to 6; some rows have more."""
    found = {}
    for split, file in STSB_FILES.items():
        lines = (directory / file).read_text(encoding="utf-8").split("\n")
        rows = [line.split("\t") for line in lines if line]
        found[split] = {
            # GLUE's copy of the same rows has no blanks around its sentences.
            "sentence1": [fields[5].strip() for fields in rows],
            "sentence2": [fields[6].strip() for fields in rows],
            "label": [label(fields[4], task, f"{file}, line {n}", named=False) for n, fields in enumerate(rows, 1)],
            "idx": list(range(len(rows))),
        }
    return found


def _movies(directory: Path, task: Task) -> dict[str, Columns]:
    """Rating above 0 is positive, below 0 negative; exact ties and repeated sentences are left out."""
    content = (directory / "movieReviewSnippets_GroundTruth.txt").read_bytes().decode("utf-8")
    examples: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(line for line in content.split("\r\n") if line):
        _, rating, text = line.split("\t")
        if float(rating) != 0:
            examples.setdefault(text.strip(), (int(float(rating) > 0), number))
    rows = [(text, text, *rest) for text, rest in examples.items()]
    return _shared_out(rows, ("sentence",), {"test": 1000, "validation": 1000})


def _privacyqa(directory: Path, task: Task) -> dict[str, Columns]:
    """Split by question: rows of one question never meet across splits."""
    lines = (directory / "test.jsonl").read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(line for line in lines if line):
        row = json.loads(line)
        key = " ".join(row["question"].lower().split())
        rows.append((key, row["question"], row["context"], ("False", "True").index(row["answer"]), number))
    return _shared_out(rows, task.text, {"test": 1800, "validation": 1200})


def _shared_out(rows: Iterable[tuple], text: tuple[str, ...], sizes: dict[str, int]) -> dict[str, Columns]:
    """Share rows (key, texts..., label, idx) out among splits, all rows of a key to the same one.

    Keys are ordered by their sha256, which is a shuffle that no library version changes. A split takes keys until it
    has its size; train takes what is left.
    """
    groups: dict[str, list[tuple]] = {}
    for key, *row in rows:
        groups.setdefault(key, []).append(tuple(row))
    order = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    found = {}
    for split, size in sizes.items():
        taken: list[tuple] = []
        while len(taken) < size:
            taken += groups[order.pop(0)]
        found[split] = taken
    found["train"] = [row for key in order for row in groups[key]]
    names = (*text, "label", "idx")
    return {
        split: dict(zip(names, map(list, zip(*sorted(taken, key=lambda row: row[-1]), strict=True)), strict=True))
        for split, taken in found.items()
    }


READERS: dict[str, Callable[[Path, Task], dict[str, Columns]]] = {
    "stsb": _stsb,
    "movies": _movies,
    "privacyqa": _privacyqa,
}
