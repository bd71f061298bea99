"""Scores of a task, and the least that a score has to beat.

Metrics of classes are written out, in NumPy: importing scikit-learn takes longer than a small task to train. The tests
hold them equal to it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from adkd.base.errors import Diverged, InputError
from adkd.data.tasks import Task

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

TITLES = {"matthews_correlation": "mcc", "accuracy": "acc", "f1": "F1", "spearmanr": "Spearman", "pearsonr": "Pearson"}


def metric_title(name: str) -> str:
    """What a metric is called in tables and figures."""
    return TITLES.get(name, name)


def scores(task: Task, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's official metrics, as fractions; a correlation with constant predictions is 0.

    Args:
        logits: [n, C]; C is 1 for regression.
        labels: [n] class numbers or scores.

    Raises:
        InputError: the labels are hidden ones.
        Diverged: a logit is not a finite number.
    """
    if logits.shape != (len(labels), task.outputs):
        raise ValueError(f"logits {logits.shape} and labels {labels.shape}; expected ({len(labels)}, {task.outputs})")
    _refuse_hidden(task, labels)
    if not np.isfinite(logits).all():
        raise Diverged(
            f"{int((~np.isfinite(logits)).any(1).sum())} of {len(labels)} {task.name} predictions are not finite"
        )
    return official(task, logits[:, 0] if task.regression else logits.argmax(1), labels)


def official(task: Task, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's metrics of predicted classes or values [n], against labels [n]."""
    if task.regression:
        labels, predictions = labels.astype(np.float64), predictions.astype(np.float64)
        return {name: CORRELATIONS[name](labels, predictions) for name in task.metrics}
    cells = labels.astype(np.int64) * task.outputs + predictions
    counts = np.bincount(cells, minlength=task.outputs**2).reshape(task.outputs, task.outputs).astype(float)
    return {name: float(OF_CLASSES[name](counts)) for name in task.metrics}


def floor(task: Task, labels: np.ndarray) -> float:
    """The main metric of the best constant answer: 0 for a correlation, else that of the best single class."""
    _refuse_hidden(task, labels)
    if task.regression:
        return 0.0
    constant = (np.tile(np.eye(task.outputs)[label], (len(labels), 1)) for label in range(task.outputs))
    return max(scores(task, logits, labels)[task.metrics[0]] for logits in constant)


def accuracy(confusion: Array) -> Array:
    """``confusion [..., C, C]`` (true class, predicted class) -> share of examples on the diagonal."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))


def f1(confusion: Array) -> Array:
    """F1 of class 1 from ``confusion [..., 2, 2]``; 0 where nothing is positive, as in scikit-learn."""
    hits = confusion[..., 1, 1]
    return _ratio(2 * hits, 2 * hits + confusion[..., 0, 1] + confusion[..., 1, 0])


def matthews(confusion: Array) -> Array:
    """Matthews correlation (Gorodkin 2004 for C > 2) from ``confusion [..., C, C]``; 0 for constant predictions."""
    true, predicted, n = confusion.sum(-1), confusion.sum(-2), confusion.sum((-2, -1))
    covariance = np.trace(confusion, axis1=-2, axis2=-1) * n - (true * predicted).sum(-1)
    spread = (n**2 - (true**2).sum(-1)) * (n**2 - (predicted**2).sum(-1))
    return _ratio(covariance, np.sqrt(spread))


OF_CLASSES: dict[str, Callable[[Array], Array]] = {"accuracy": accuracy, "f1": f1, "matthews_correlation": matthews}
"""Metrics of predicted classes, as functions of confusion matrices."""


def spearman(labels: Array, predictions: Array) -> float:
    """Correlation of the ranks of two ``[n]``; 0 where one side is constant."""
    from scipy.stats import spearmanr  # half a second to import, needed by few tasks

    return 0.0 if _constant(labels, predictions) else float(spearmanr(labels, predictions).statistic)


def pearson(labels: Array, predictions: Array) -> float:
    """Correlation of two ``[n]``; 0 where one side is constant."""
    from scipy.stats import pearsonr

    return 0.0 if _constant(labels, predictions) else float(pearsonr(labels, predictions).statistic)


CORRELATIONS: dict[str, Callable[[Array, Array], float]] = {"spearmanr": spearman, "pearsonr": pearson}
"""Metrics of predicted values."""


def _constant(*sides: Array) -> bool:
    """Whether a side says nothing, so that a correlation would be 0/0."""
    return any(values.min() == values.max() for values in sides)


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom != 0)


def _refuse_hidden(task: Task, labels: np.ndarray) -> None:
    if not len(labels):
        raise InputError(f"{task.name}: no examples to score")
    if (labels < 0).any():
        raise InputError(
            f"the test labels of {task.name} are not published: predict that split and hand the predictions in, "
            "or score a dev split"
        )
