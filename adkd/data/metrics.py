"""Scores of a task, and the least that a score has to beat."""

from typing import TYPE_CHECKING

from adkd.data.tasks import Task
from adkd.errors import InputError, RunError

if TYPE_CHECKING:
    import numpy as np


def scores(task: Task, logits: "np.ndarray", labels: "np.ndarray") -> dict[str, float]:
    """The task's official metrics, as fractions; a correlation with constant predictions is 0.

    Args:
        logits: [n, C]; C is 1 for regression.
        labels: [n] class numbers or scores.

    Raises:
        InputError: the labels are hidden ones.
        RunError: a logit is not a finite number.
    """
    import numpy as np

    from adkd.data.glue_metric import GlueMetric

    if logits.shape != (len(labels), task.outputs):
        raise ValueError(f"logits {logits.shape} and labels {labels.shape}; expected ({len(labels)}, {task.outputs})")
    _refuse_hidden(task, labels)
    if not np.isfinite(logits).all():
        raise RunError(
            f"{int((~np.isfinite(logits)).any(1).sum())} of {len(labels)} {task.name} predictions are not finite"
        )
    predictions = logits[:, 0] if task.regression else logits.argmax(1)
    metric = GlueMetric(config_name=task.name, keep_in_memory=True)
    return metric.compute(predictions=predictions, references=labels)


def floor(task: Task, labels: "np.ndarray") -> float:
    """The main metric of the best constant answer: 0 for a correlation, else that of the best single class."""
    import numpy as np

    _refuse_hidden(task, labels)
    if task.regression:
        return 0.0
    constant = (np.tile(np.eye(task.outputs)[label], (len(labels), 1)) for label in range(task.outputs))
    return max(scores(task, logits, labels)[task.metrics[0]] for logits in constant)


def _refuse_hidden(task: Task, labels: "np.ndarray") -> None:
    if not len(labels):
        raise InputError(f"{task.name}: no examples to score")
    if (labels < 0).any():
        raise InputError(
            f"the test labels of {task.name} are not published: predict that split and hand the predictions in, "
            "or score a dev split"
        )
