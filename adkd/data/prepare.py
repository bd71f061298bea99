"""The data stage: a task loaded, checked, cut and tokenised once, for every run that learns from it."""

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adkd.base.errors import InputError
from adkd.base.files import new_directory
from adkd.data import sources
from adkd.data.records import DataReport, DataSpec
from adkd.data.tasks import Task, task
from adkd.fetch import checkpoints

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from adkd.plan.results import Results

CHUNK = 1000
"""Examples that are tokenised at a time."""


def prepare(spec: DataSpec, results: "Results") -> None:
    """The stage: write the tokenised splits of a task, and ``data.json`` about them.

    They are a ``datasets.DatasetDict`` on disk, with the columns ``input_ids``, ``token_type_ids``, ``label``, ``idx``
    and ``length``.

    Raises:
        InputError: a setting is out of range, or the data is not what it should be. Nothing is written then.
    """
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    the_task, source = task(spec.task), spec.source
    splits = sources.load(source, the_task, spec.exceptions)
    if "train" not in splits:
        raise InputError(f"expected_rows of {the_task.name}: train cannot be absent")
    splits = cut(splits, spec.train_rows, spec.held_out, spec.seed)
    tokenizer = checkpoints.tokenizer(spec.tokenizer)
    _check_length(spec.max_length, tokenizer)
    contents = {split: content(rows, the_task) for split, rows in splits.items()}
    tokenised = {split: tokenise(rows, the_task, tokenizer, spec.max_length) for split, rows in splits.items()}
    with new_directory(results.directory(spec.result)) as new:
        datasets.DatasetDict(tokenised).save_to_disk(new)
        report = DataReport(
            spec=spec,
            fingerprint=fingerprint(contents, tokenised, tokenizer.get_vocab(), spec.max_length),
            content=contents,
            rows={split: len(rows) for split, rows in splits.items()},
            labelled={split: sources.labelled(source, the_task, split) for split in splits},
            pad_token_id=tokenizer.pad_token_id,
            label_names=the_task.labels,
        )
        report.write(new / "data.json")


def cut(splits: Mapping[str, "Dataset"], train_rows: int | None, held_out: float, seed: int) -> dict[str, "Dataset"]:
    """Cut train down, and carve ``held_out`` out of what is left of it.

    All random choices come from one seeded order of the whole train set: its first ``train_rows`` rows are used, and of
    these the last share is held out. So ``train_rows`` counts every labelled row that a run may see, and the rows of a
    smaller ``train_rows`` are among those of a larger one. Both parts keep the order of ``train``.

    Args:
        train_rows: at most so many; None for all.
        held_out: share of the used rows, from 0 (no such split) to below 1.
        seed: of the choice.
    """
    import numpy as np

    if not 0 <= held_out < 1:
        raise InputError(f"held_out is {held_out}, expected a share from 0 to below 1")
    if train_rows is not None and train_rows < 1:
        raise InputError(f"train_rows is {train_rows}, expected a whole number above 0")
    train = splits["train"]
    order = np.random.default_rng([seed, 0]).permutation(len(train))[:train_rows]
    kept = len(order) - round(held_out * len(order))
    if kept < 1 or (held_out and kept == len(order)):
        raise InputError(f"held_out is {held_out}: of {len(order)} train rows, that leaves a split empty")
    found = {**splits, "train": train.select(np.sort(order[:kept]))}
    if held_out:
        found["held_out"] = train.select(np.sort(order[kept:]))
    return found


def tokenise(rows: "Dataset", task: Task, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> "Dataset":
    """Token numbers of every example; nothing is padded, and of two texts the longer one is cut first.

    It is built in memory, past the cache of ``datasets``, whose keys cannot see into a tokenizer.
    """
    import datasets
    import pyarrow as pa

    ids, types, lengths = [], [], []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        encoded = tokenizer(
            *(chunk[name] for name in task.text),
            truncation="longest_first",
            max_length=max_length,
            padding=False,
            return_token_type_ids=True,
        )
        ids.append(pa.array(encoded["input_ids"], pa.list_(pa.int32())))
        types.append(pa.array(encoded["token_type_ids"], pa.list_(pa.int8())))
        lengths.append(pa.array([len(tokens) for tokens in encoded["input_ids"]], pa.int32()))
    columns = {"input_ids": ids, "token_type_ids": types, "length": lengths}
    arrays = {name: pa.chunked_array(chunks) for name, chunks in columns.items()}
    kept = {name: rows.with_format("arrow")[:][name] for name in ("label", "idx")}
    return datasets.Dataset(datasets.table.InMemoryTable(pa.table(arrays | kept)))


def content(rows: "Dataset", task: Task) -> str:
    """sha256 over the texts and labels of a split, in order; equal for equal content wherever it came from."""
    digest = hashlib.sha256()
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        for example in zip(*(chunk[name] for name in (*task.text, "label")), strict=True):
            digest.update(json.dumps(example).encode() + b"\n")
    return digest.hexdigest()


def fingerprint(
    contents: Mapping[str, str], tokenised: Mapping[str, "Dataset"], vocabulary: Mapping[str, int], max_length: int
) -> str:
    """sha256 over all that a run sees of the data: content, vocabulary, token numbers and the length they are cut at.

    A tokenizer's settings count by what they do to these texts: how they are written down differs between versions.
    """
    digest = hashlib.sha256(json.dumps([max_length, sorted(contents.items()), sorted(vocabulary.items())]).encode())
    for split in sorted(tokenised):
        for name in ("length", "input_ids", "token_type_ids"):
            for array in tokenised[split].data.column(name).chunks:
                values = array if name == "length" else array.flatten()
                digest.update(values.to_numpy().astype("<i4").tobytes())
    return digest.hexdigest()


def _check_length(max_length: int, tokenizer: "PreTrainedTokenizerBase") -> None:
    longest = tokenizer.model_max_length
    if not 8 <= max_length <= longest:
        raise InputError(f"max_length is {max_length}, expected 8 to {longest}, the most that the tokenizer allows")
