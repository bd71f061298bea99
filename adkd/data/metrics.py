"""All metrics, one record each, and the scores of a task.

Metrics of classes are written out in NumPy, because importing scikit-learn takes longer than training a small task.
``adkd evaluate`` and the tests compare them with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from adkd.base.errors import Diverged, InputError
from adkd.data.tasks import Task

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Metric:
    """One metric: its formula, and an independent one from a library."""

    name: str
    title: str
    """Its name in tables and figures."""
    formula: Callable[..., Any]
    """Of confusion matrices, or for ``values`` and ``ranks`` of labels and predictions [n] each."""
    of: Literal["classes", "values", "ranks"]
    """What it is computed from. Resampled, a metric of classes has weighted counts in its confusion matrix; one of
    values is a weighted Pearson correlation of the values, one of ranks of their ranks (``stats/resampled.py``)."""
    library: tuple[str, str]
    """Module and name of the library's function of labels and predictions."""


def scores(task: Task, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's official metrics, as fractions; a correlation with a constant is 0.

    Args:
        logits: [n, C], where C is 1 for regression.
        labels: [n] class numbers or scores.

    Raises:
        InputError: the labels are hidden.
        Diverged: a logit is not a finite number.
    """
    return official(task, answers(task, logits, labels), labels)


def answers(task: Task, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Predicted classes or values [n]; arguments and errors as for ``scores``."""
    if logits.shape != (len(labels), task.outputs):
        raise ValueError(f"logits {logits.shape} and labels {labels.shape}; expected ({len(labels)}, {task.outputs})")
    _refuse_hidden(task, labels)
    if not np.isfinite(logits).all():
        raise Diverged(
            f"{int((~np.isfinite(logits)).any(1).sum())} of {len(labels)} {task.name} predictions are not finite"
        )
    return logits[:, 0] if task.regression else logits.argmax(1)


def official(task: Task, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's metrics of predicted classes or values [n], against labels [n]."""
    metrics = [METRICS[name] for name in task.metrics]
    if task.regression:
        labels, predictions = labels.astype(np.float64), predictions.astype(np.float64)
        return {metric.name: float(metric.formula(labels, predictions)) for metric in metrics}
    cells = labels.astype(np.int64) * task.outputs + predictions
    counts = np.bincount(cells, minlength=task.outputs**2).reshape(task.outputs, task.outputs).astype(float)
    return {metric.name: float(metric.formula(counts)) for metric in metrics}


def library(task: Task, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The same as ``official`` by the functions of scikit-learn and scipy, which take a second to import."""
    kind = np.float64 if task.regression else np.int64
    labels, predictions = labels.astype(kind), predictions.astype(kind)
    return {name: _library_value(METRICS[name], labels, predictions) for name in task.metrics}


def _library_value(metric: Metric, labels: np.ndarray, predictions: np.ndarray) -> float:
    if metric.of != "classes" and _constant(labels, predictions):
        return 0.0
    module, name = metric.library
    value = getattr(import_module(module), name)(labels, predictions)
    return float(getattr(value, "statistic", value))


def floor(task: Task, labels: np.ndarray) -> float:
    """The main metric of the best constant answer: 0 for regression, else that of the best single class."""
    return floors(task, labels)[task.metrics[0]]


def floors(task: Task, labels: np.ndarray) -> dict[str, float]:
    """Every metric of a task, of the constant answer that is best by it."""
    _refuse_hidden(task, labels)
    if task.regression:
        return dict.fromkeys(task.metrics, 0.0)
    each = [official(task, np.full(len(labels), label), labels) for label in range(task.outputs)]
    return {metric: max(scores[metric] for scores in each) for metric in task.metrics}


SPREAD = 1e-3
"""Share of a task's score range below which predicted values count as one value."""


def are_constant(task: Task, predictions: np.ndarray) -> bool:
    """Whether predicted classes or values [n] are the same for every example; values up to ``SPREAD`` of the range."""
    if task.regression:
        return bool(np.ptp(predictions) < SPREAD * np.ptp(task.scale))
    return bool((predictions == predictions[0]).all())


def accuracy(confusion: Array) -> Array:
    """Share of right predictions, [...], from ``confusion [..., C, C]`` (true class, predicted class)."""
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


def spearman(labels: Array, predictions: Array) -> float:
    """Correlation of the ranks of labels and predictions [n]; 0 if one side is constant."""
    from scipy.stats import spearmanr  # half a second to import, needed by few tasks

    return 0.0 if _constant(labels, predictions) else float(spearmanr(labels, predictions).statistic)


def pearson(labels: Array, predictions: Array) -> float:
    """Correlation of labels and predictions [n]; 0 if one side is constant."""
    from scipy.stats import pearsonr

    return 0.0 if _constant(labels, predictions) else float(pearsonr(labels, predictions).statistic)


def _constant(*sides: Array) -> bool:
    """Whether a side is constant, so that a correlation would be 0 / 0."""
    return any(values.min() == values.max() for values in sides)


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom != 0)


def _refuse_hidden(task: Task, labels: np.ndarray) -> None:
    if not len(labels):
        raise InputError(f"{task.name}: no examples to score")
    if (labels < 0).any():
        raise InputError(
            f"the test labels of {task.name} are not published",
            remedy="score a dev split, or submit the predictions to the benchmark",
        )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "acc", accuracy, "classes", ("sklearn.metrics", "accuracy_score")),
        Metric("f1", "F1", f1, "classes", ("sklearn.metrics", "f1_score")),
        Metric("matthews_correlation", "mcc", matthews, "classes", ("sklearn.metrics", "matthews_corrcoef")),
        Metric("spearmanr", "Spearman", spearman, "ranks", ("scipy.stats", "spearmanr")),
        Metric("pearsonr", "Pearson", pearson, "values", ("scipy.stats", "pearsonr")),
    )
}


def metric_title(name: str) -> str:
    """The name of a metric in tables and figures; a name that is not a metric's is returned as it is."""
    return METRICS[name].title if name in METRICS else name
