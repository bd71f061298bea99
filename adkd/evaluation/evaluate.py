"""Scores of any sequence classifier on a task's dev sets: a published student, a model of this suite, one's own."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PretrainedConfig

from adkd.base.errors import InputError, unknown
from adkd.base.files import write_json
from adkd.data import metrics, sources
from adkd.data.batches import Examples
from adkd.data.prepare import tokenise
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.models.classifiers import location, read_classifier, read_config, read_tokenizer
from adkd.training import runtime
from adkd.training.run import predict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CLEARLY = 0.1
"""Another order of the classes is worth a warning from so much more on; two noisy models differ by less."""


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """What a classifier scores on every dev set of a task.

    Args:
        spec: ``model`` (a directory, or a name on the hub), ``tokenizer`` (the same, or a name of
            ``adkd.fetch.checkpoints``; None for the model's own), ``task``, ``source`` and ``exceptions`` (as for
            ``adkd.data.sources.load``), ``max_length`` in tokens, ``labels`` (the task's class names in the order of
            the model's outputs, or None), ``device``, and ``threads`` (None for torch's choice).

    Returns:
        The spec; ``scores`` and ``constant``, the best constant answer's (split -> metric -> fraction); ``rows``;
        ``classes`` in the order of the model's outputs and how that is known; ``warnings``; and provenance.

    Raises:
        InputError: no such task or model, a model that is no classifier with the task's number of outputs or that comes
            without its tokenizer, labels that are not the task's, or data that the source does not have.
    """
    task = task_named(spec["task"])
    sources.check(spec["source"], task)
    given = _given_order(task, spec["labels"])
    directory, revision = location(spec["model"])
    config = read_config(directory, task)
    tokenizer = read_tokenizer(spec["tokenizer"] or directory, config, spec["max_length"])
    device = runtime.start(spec | {"seed": 0, "threads": spec["threads"] or torch.get_num_threads()})
    model = read_classifier(directory, tokenizer).to(device)
    with TemporaryDirectory() as folder:
        dev = _dev_sets(spec, task, tokenizer, Path(folder))
        logits = {split: predict(model, examples, device) for split, examples in dev.items()}
        labels = {split: examples.labels.numpy() for split, examples in dev.items()}
    order, known = given or _named_order(task, config)
    columns = [order.index(name) for name in task.labels] or [0]
    return {
        "spec": spec,
        "revision": revision,
        "classes": list(order),
        "classes_known": known,
        "rows": {split: len(rows) for split, rows in labels.items()},
        "scores": {split: metrics.scores(task, logits[split][:, columns], labels[split]) for split in logits},
        "constant": {split: _constant(task, rows) for split, rows in labels.items()},
        "warnings": _better_order(task, order, logits, labels),
        **{key: value for key, value in runtime.provenance(device).items() if key in ("device", "versions")},
    }


def text(found: Mapping[str, Any]) -> str:
    """What ``evaluate`` has found, for a terminal."""
    rows = [("split", "metric", "rows", "score", "points", "best constant")]
    for split, scores in found["scores"].items():
        for name, value in scores.items():
            constant = found["constant"][split][name]
            shown = (f"{value:.4f}", f"{100 * value:.1f}", f"{100 * constant:.1f}")
            rows.append((split, name, str(found["rows"][split]), *shown))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<<>>>>"
    lines = ["  ".join(f"{part:{s}{w}}" for part, s, w in zip(row, sides, widths, strict=True)) for row in rows]
    at = f" at {found['revision']}" if found["revision"] else ""
    lines = [f"{found['spec']['model']}{at} on {task_named(found['spec']['task']).title}", "", *lines, ""]
    if found["classes"]:
        lines.append(f"classes in the order of the outputs: {', '.join(found['classes'])} ({found['classes_known']})")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in found["warnings"])]).rstrip()


def _dev_sets(
    spec: Mapping[str, Any], task: Task, tokenizer: "PreTrainedTokenizerBase", folder: Path
) -> dict[str, Examples]:
    """Split -> its examples, tokenised to ``folder``. No other split is loaded."""
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    wanted = task.splits("validation")
    absent = {split: None for split in task.rows if split not in wanted}
    splits = sources.load(spec["source"], task, {**spec["exceptions"], **absent})
    for split in wanted:
        tokenise(splits[split], task, tokenizer, spec["max_length"]).save_to_disk(folder / split)
    about = {
        "rows": {split: len(splits[split]) for split in wanted},
        "labelled": dict.fromkeys(wanted, True),
        "pad_token_id": tokenizer.pad_token_id,
        "label_names": list(task.labels),
    }
    write_json(folder / "data.json", about)
    return {split: Examples.load(folder, split) for split in wanted}


def _given_order(task: Task, labels: Sequence[str] | None) -> tuple[tuple[str, ...], str] | None:
    """The order of classes that the user names. Raises InputError unless it is one of the task's labels."""
    if labels is None:
        return None
    if task.regression:
        raise InputError(f"labels are {','.join(labels)}; {task.name} is a regression and has none")
    for label in labels:
        if label not in task.labels:
            raise unknown(f"label of {task.name}", label, task.labels)
    if sorted(labels) != sorted(task.labels):
        raise InputError(f"labels are {','.join(labels)}; expected each of {', '.join(task.labels)} once")
    return tuple(labels), "as given"


def _named_order(task: Task, config: PretrainedConfig) -> tuple[tuple[str, ...], str]:
    """The order of classes by the model's own names for them, or the task's if these are other names."""
    names = [str(config.id2label[number]) for number in range(task.outputs)]
    plain = tuple(name.lower().replace("-", "_").replace(" ", "_") for name in names)
    if sorted(plain) == sorted(task.labels):
        return plain, "by the model's names for them"
    return task.labels, f"taken for the task's order: the model calls them {', '.join(names)}"


def _constant(task: Task, labels: np.ndarray) -> dict[str, float]:
    """Metric -> the score of the best constant answer to it."""
    return {name: metrics.floor(replace(task, metrics=(name,)), labels) for name in task.metrics}


def _better_order(
    task: Task, order: Sequence[str], logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
) -> list[str]:
    """A warning if the model's outputs make clearly more sense in another order of the classes.

    It has to beat the best constant answer too: a model that gives one class alone says nothing about the order.
    """

    def score(candidate: Sequence[str]) -> float:
        numbers = np.array([task.labels.index(name) for name in candidate])
        found = [metrics.official(task, numbers[logits[split].argmax(1)], labels[split]) for split in logits]
        return float(np.mean([values[task.metrics[0]] for values in found]))

    if task.regression:
        return []
    best, now = max(permutations(task.labels), key=score), score(order)
    floor = np.mean([metrics.floor(task, rows) for rows in labels.values()])
    if not (score(best) > now + CLEARLY and score(best) > floor):
        return []
    return [
        f"with its outputs taken for {', '.join(best)} this model has {task.metrics[0]} {100 * score(best):.1f}, not "
        f"{100 * now:.1f}; if that is the order that it was trained with, say so: --labels {','.join(best)}"
    ]
