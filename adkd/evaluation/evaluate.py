"""Scores of any sequence classifier on a task's dev sets, whether this suite trained it or not."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PretrainedConfig

from adkd.base.errors import InputError, unknown
from adkd.data import metrics, sources
from adkd.data.batches import Examples
from adkd.data.prepare import tokenise
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.fetch import origins
from adkd.models.classifiers import location, read_classifier, read_config, read_tokenizer
from adkd.training import runtime
from adkd.training.run import predict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CLEARLY = 0.1
"""The improvement (a fraction) from which another order of the classes is worth a warning: more than noise explains."""


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """The scores of a classifier on every dev set of a task, by ``evaluate`` with scikit-learn and scipy.

    Args:
        spec: ``model`` (a directory, or a name on the hub), ``tokenizer`` (the same, or a name of
            ``adkd.fetch.checkpoints``; None for the model's own), ``task``, ``source``, ``exceptions`` and ``variants``
            (as for ``adkd.data.sources.load``), ``max_length`` in tokens, ``labels`` (the task's class names in the
            order of the model's outputs, or None), ``device``, and ``threads`` (None for torch's default).

    Returns:
        The spec; ``revision``, the commit on the hub, and ``weights`` (file -> sha256); ``scores`` and ``constant``,
        the scores of the best constant prediction (split -> metric -> fraction);
        ``rows``; ``classes`` in the order of the model's outputs, and where this order is from; ``warnings``;
        provenance.

    Raises:
        InputError: the task, the model or its tokenizer does not exist, the model is not a classifier with the task's
            number of outputs, the labels are not those of the task, or the source does not provide the task.
    """
    task = task_named(spec["task"])
    sources.check(spec["source"], task)
    given = _given_order(task, spec["labels"])
    directory, revision = location(spec["model"])
    config = read_config(directory, task)
    tokenizer = read_tokenizer(spec["tokenizer"] or directory, config, spec["max_length"])
    device = runtime.start(spec["device"], spec["threads"] or torch.get_num_threads(), seed=0)
    model = read_classifier(directory, tokenizer, spec["max_length"]).to(device)
    dev = _dev_sets(spec, task, tokenizer)
    logits = {split: predict(model, examples, device) for split, examples in dev.items()}
    labels = {split: examples.labels.numpy() for split, examples in dev.items()}
    order, known = given or _named_order(task, config)
    columns = [order.index(name) for name in task.labels] or [0]
    from adkd.data.glue_metric import glue_scores  # takes seconds to import; errors in the arguments come first

    return {
        "spec": spec,
        "revision": revision,
        "weights": origins.weight_digests(Path(directory)),
        "classes": list(order),
        "classes_known": known,
        "rows": {split: len(rows) for split, rows in labels.items()},
        "scores": {split: glue_scores(task, logits[split][:, columns], labels[split]) for split in logits},
        "constant": {split: metrics.floors(task, rows) for split, rows in labels.items()},
        "warnings": [
            *_better_order(task, order, logits, labels),
            *(f"{split} is a variant: {spec['variants'][split]}" for split in dev if split in spec["variants"]),
        ],
        **{key: value for key, value in runtime.provenance(device).items() if key in ("device", "versions")},
    }


def text(report: Mapping[str, Any]) -> str:
    """The report of ``evaluate`` as text for a terminal."""
    rows = [("split", "metric", "rows", "score", "points", "best constant")]
    for split, scores in report["scores"].items():
        for name, value in scores.items():
            constant = report["constant"][split][name]
            shown = (f"{value:.4f}", f"{100 * value:.1f}", f"{100 * constant:.1f}")
            rows.append((split, name, str(report["rows"][split]), *shown))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<<>>>>"
    lines = ["  ".join(f"{part:{s}{w}}" for part, s, w in zip(row, sides, widths, strict=True)) for row in rows]
    at = f" at {report['revision']}" if report["revision"] else ""
    lines = [f"{report['spec']['model']}{at} on {task_named(report['spec']['task']).title}", "", *lines, ""]
    if report["classes"]:
        lines.append(f"classes in the order of the outputs: {', '.join(report['classes'])} ({report['classes_known']})")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in report["warnings"])]).rstrip()


def _dev_sets(spec: Mapping[str, Any], task: Task, tokenizer: "PreTrainedTokenizerBase") -> dict[str, Examples]:
    """The dev sets of the task by split, tokenised. Loads no other split."""
    wanted = task.splits("validation")
    absent = {split: None for split in task.rows if split not in wanted}
    variants = {split: spec["variants"][split] for split in wanted if split in spec["variants"]}
    splits = sources.load(spec["source"], task, {**spec["exceptions"], **absent}, variants)
    tables = {split: tokenise(splits[split], task, tokenizer, spec["max_length"]) for split in wanted}
    about = {"regression": task.regression, "labelled": True, "pad": tokenizer.pad_token_id}
    return {split: Examples.of(table, **about) for split, table in tables.items()}


def _given_order(task: Task, labels: Sequence[str] | None) -> tuple[tuple[str, ...], str] | None:
    """The order of classes that the user gives. Raises InputError unless it is a permutation of the task's labels."""
    if labels is None:
        return None
    if task.regression:
        raise InputError("labels", value=",".join(labels), allowed=f"omitted for {task.name}, a regression task")
    for label in labels:
        if label not in task.labels:
            raise unknown(f"label of {task.name}", label, task.labels)
    if sorted(labels) != sorted(task.labels):
        allowed = f"each of {', '.join(task.labels)} exactly once"
        raise InputError("labels", value=",".join(labels), allowed=allowed)
    return tuple(labels), "as given"


def _named_order(task: Task, config: PretrainedConfig) -> tuple[tuple[str, ...], str]:
    """The order of classes by the names in the model's configuration, or the task's order if these names differ."""
    id2label: Any = config.id2label
    names = [str(id2label[number]) for number in range(task.outputs)]
    plain = tuple(name.lower().replace("-", "_").replace(" ", "_") for name in names)
    if sorted(plain) == sorted(task.labels):
        return plain, "by their names in the model"
    return task.labels, f"assumed to be the task's order: the model names them {', '.join(names)}"


def _better_order(
    task: Task, order: Sequence[str], logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
) -> list[str]:
    """A warning if the model scores clearly better with another order of the classes.

    That order must also beat the best constant prediction: a model that always predicts one class gives no evidence.
    """

    def score(candidate: Sequence[str]) -> float:
        numbers = np.array([task.labels.index(name) for name in candidate])
        scores = [metrics.official(task, numbers[logits[split].argmax(1)], labels[split]) for split in logits]
        return float(np.mean([values[task.metrics[0]] for values in scores]))

    if task.regression:
        return []
    best, now = max(permutations(task.labels), key=score), score(order)
    floor = np.mean([metrics.floor(task, rows) for rows in labels.values()])
    if not (score(best) > now + CLEARLY and score(best) > floor):
        return []
    return [
        f"with the order {', '.join(best)} of its outputs, this model has {task.metrics[0]} {100 * score(best):.1f} "
        f"instead of {100 * now:.1f}; if it was trained with that order, add --labels {','.join(best)}"
    ]
