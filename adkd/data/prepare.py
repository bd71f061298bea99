"""The stage ``data``: a task is loaded, checked, cut and tokenised once, for all runs that use it."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adkd.base.errors import InputError
from adkd.base.files import new_directory
from adkd.data import sources
from adkd.data.official import CHUNK, content
from adkd.data.prepared import write_splits
from adkd.data.spec import DataReport, DataSpec
from adkd.data.tasks import Task, task
from adkd.fetch import checkpoints

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedTokenizerBase

    from adkd.plan.results import Results


def prepare(spec: DataSpec, results: "Results") -> None:
    """The stage: write the tokenised splits of a task, and ``data.json`` about them.

    There is a file for every split (see ``adkd.data.prepared``), with the columns ``input_ids``, ``token_type_ids``,
    ``length``, ``label`` and ``idx``.

    Raises:
        InputError: a setting is out of range, or the data is not what it should be. Nothing is written then.
    """
    the_task, source = task(spec.task), spec.source
    splits = sources.load(source, the_task, spec.exceptions, spec.variants)
    if "train" not in splits:
        raise InputError(
            f"data.expected_rows.{the_task.name}.train", value=None, allowed="an integer: no run can do without"
        )
    splits = cut(splits, spec.train_rows, spec.held_out, spec.seed)
    tokenizer = checkpoints.tokenizer(spec.tokenizer)
    _check_length(spec.max_length, tokenizer)
    contents = {split: content(rows, the_task) for split, rows in splits.items()}
    tokenised = {split: tokenise(rows, the_task, tokenizer, spec.max_length) for split, rows in splits.items()}
    with new_directory(results.directory(spec.result)) as new:
        write_splits(new, tokenised)
        report = DataReport(
            spec=spec,
            fingerprint=fingerprint(contents, tokenised, tokenizer.get_vocab(), spec.max_length),
            content=contents,
            rows={split: len(rows) for split, rows in splits.items()},
            labelled={split: sources.labelled(source, the_task, split) for split in splits},
            pad_token_id=tokenizer.pad_token_id,
            label_names=the_task.labels,
        )
        report.write_last(new / "data.json")


def cut(splits: Mapping[str, "pa.Table"], train_rows: int | None, held_out: float, seed: int) -> dict[str, "pa.Table"]:
    """The splits with a smaller ``train``, and a part of it as the split ``held_out``.

    All random choices come from one seeded order of the whole train set: its first ``train_rows`` rows are used, and
    the last of these are held out. So ``train_rows`` counts every labelled row that a run may see, and a smaller
    ``train_rows`` uses a subset of the rows of a larger one. Both parts keep the order of ``train``.

    Args:
        train_rows: the largest number of rows; None for all.
        held_out: the share of the used rows that is held out, from 0 (no such split) to below 1.
        seed: of the order.
    """
    import numpy as np

    if not 0 <= held_out < 1:
        raise InputError("held_out", value=held_out, allowed="at least 0 and below 1")
    if train_rows is not None and train_rows < 1:
        raise InputError("train_rows", value=train_rows, allowed="an integer above 0")
    train = splits["train"]
    order = np.random.default_rng([seed, 0]).permutation(len(train))[:train_rows]
    kept = len(order) - round(held_out * len(order))
    if kept < 1 or (held_out and kept == len(order)):
        raise InputError("held_out", value=held_out, allowed=f"a share that leaves no split of {len(order)} rows empty")
    parts = {**splits, "train": train.take(sorted(order[:kept].tolist()))}
    if held_out:
        parts["held_out"] = train.take(sorted(order[kept:].tolist()))
    return parts


def tokenise(rows: "pa.Table", task: Task, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> "pa.Table":
    """Token numbers of every example, without padding. Of two texts the longer one is cut first."""
    import pyarrow as pa

    ids, types, lengths = [], [], []
    for start in range(0, len(rows), CHUNK):
        chunk = rows.slice(start, CHUNK).to_pydict()
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
    return pa.table(arrays | {name: rows[name] for name in ("label", "idx")})


def fingerprint(
    contents: Mapping[str, str], tokenised: Mapping[str, "pa.Table"], vocabulary: Mapping[str, int], max_length: int
) -> str:
    """sha256 over all that a run sees of the data: content, vocabulary, token numbers and the maximal length.

    A tokenizer's settings count by their effect on these texts, as their notation differs between versions.
    """
    digest = hashlib.sha256(json.dumps([max_length, sorted(contents.items()), sorted(vocabulary.items())]).encode())
    for split in sorted(tokenised):
        for name in ("length", "input_ids", "token_type_ids"):
            for array in tokenised[split].column(name).chunks:
                values = array if name == "length" else array.flatten()
                digest.update(values.to_numpy().astype("<i4").tobytes())
    return digest.hexdigest()


def _check_length(max_length: int, tokenizer: "PreTrainedTokenizerBase") -> None:
    longest = tokenizer.model_max_length
    if not 8 <= max_length <= longest:
        raise InputError("max_length", value=max_length, allowed=f"from 8 to {longest}, the tokenizer's limit")
