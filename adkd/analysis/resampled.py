"""The metrics over many resamples of a split at once: an example drawn k times has weight k.

A metric is computed either from the counts of a confusion matrix or, for Spearman, from weighted ranks. Both are
many times faster than scoring every resample anew; the tests hold them equal to scikit-learn and scipy in plain loops.
"""

import numpy as np
from numpy.typing import NDArray

from adkd.analysis.stats import Array

Integers = NDArray[np.int64]


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


COUNTED = {"accuracy": accuracy, "f1": f1, "matthews_correlation": matthews}
"""The metrics that a confusion matrix is enough for."""


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom != 0)


def confusion(labels: Integers, predictions: Integers, classes: int, weights: Array) -> Array:
    """``labels [K]``, ``predictions [S, K]``, ``weights [R, K]`` (times each is counted) -> ``[S, R, C, C]``."""
    cells = np.eye(classes * classes)[(labels * classes + predictions).T]  # [K, S, C*C]
    counts = weights @ cells.reshape(len(labels), -1)  # one product for all: [R, S*C*C]
    return np.moveaxis(counts.reshape(len(weights), -1, classes, classes), 1, 0)


def weighted_spearman(labels: Array, predictions: Array, weights: Array) -> Array:
    """Spearman correlation in R resamples; ``labels [K]``, ``predictions [S, K]``, ``weights [R, K]`` -> ``[S, R]``.

    Equal to ranking each resample in which example k stands ``weights[r, k]`` times; NaN where one side is constant.
    """
    columns = np.ascontiguousarray(weights.T)  # [K, R]: sums run along resamples, which lie side by side in memory
    x = centred_ranks(labels, columns)
    weighted = columns * x
    spread_x = np.einsum("kr,kr->r", weighted, x)
    correlations = []
    for values in predictions:
        y = centred_ranks(values, columns)
        spread = np.sqrt(spread_x * np.einsum("kr,kr,kr->r", columns, y, y))
        with np.errstate(invalid="ignore"):
            correlations.append(np.einsum("kr,kr->r", weighted, y) / np.where(spread > 0, spread, np.nan))
    return np.stack(correlations)


def centred_ranks(values: Array, weights: Array) -> Array:
    """``values [K]``, ``weights [K, R]`` -> ``[K, R]``: ranks less their mean, ties sharing their mean rank."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    size = weights[order]
    if len(first := np.flatnonzero(np.diff(group[order], prepend=-1))) < len(values):
        size = np.add.reduceat(size, first, axis=0)  # [distinct values, R]
    ranks = np.cumsum(size, axis=0)  # less (size - 1) / 2 is the rank, less (n + 1) / 2 the centred one
    ranks -= size / 2
    ranks -= weights.sum(0) / 2
    return ranks[group]


def scores(metric: str, labels: Array, predictions: Array, classes: int, weights: Array) -> Array:
    """``predictions [S, K]`` under ``weights [R, K]`` -> metric ``[S, R]``. Classes, or values for Spearman."""
    if metric == "spearmanr":
        return weighted_spearman(labels, predictions, weights)
    return COUNTED[metric](confusion(labels, predictions, classes, weights))
