"""The metrics over many resamples of a split at once: an example drawn k times has weight k.

A metric is computed from counts or, for Spearman, from weighted ranks, and what does not depend on the weights is
made ready once. That is many times faster than scoring every resample anew; the tests hold it equal to scikit-learn
and scipy in plain loops.
"""

from collections.abc import Callable

import numpy as np

from adkd.analysis.stats.over_seeds import Array
from adkd.data.metrics import OF_CLASSES, Integers

Scorer = Callable[[Array], Array]
"""``weights [R, K]``, how often every example counts in R resamples -> ``[S, R]``, a metric of S predictions."""

METRICS = (*OF_CLASSES, "spearmanr")


def scores(metric: str, labels: Array, predictions: Array, classes: int, weights: Array) -> Array:
    """``labels [K]``, ``predictions [S, K]``, classes or values for Spearman; ``weights [R, K]`` -> ``[S, R]``."""
    return scorer(metric, labels, predictions, classes)(weights)


def scorer(metric: str, labels: Array, predictions: Array, classes: int) -> Scorer:
    """The metric, one of ``METRICS``, as a function of the weights alone; arguments as for ``scores``."""
    if metric == "spearmanr":
        return _spearman(labels, predictions)
    if metric == "accuracy":  # a sum over examples: one column for each prediction, where a confusion matrix has C * C
        right = (predictions == labels).T.astype(float)  # [K, S]
        return lambda weights: (weights @ right).T / weights.sum(1)
    counted = confusion(labels, predictions, classes)
    return lambda weights: OF_CLASSES[metric](counted(weights))


def confusion(labels: Integers, predictions: Integers, classes: int) -> Scorer:
    """``labels [K]``, ``predictions [S, K]`` -> a function from weights to ``[S, R, C, C]`` (true, predicted)."""
    cells = np.eye(classes * classes)[(labels * classes + predictions).T]  # [K, S, C*C]
    cells = cells.reshape(len(labels), -1)

    def counts(weights: Array) -> Array:
        found = weights @ cells  # one product for all: [R, S*C*C]
        return np.moveaxis(found.reshape(len(weights), -1, classes, classes), 1, 0)

    return counts


def distinct(table: Integers) -> tuple[Integers, Integers]:
    """The different columns of ``table [rows, E]``, numbers from 0 to 127, and how often each occurs: [rows, K], [K].

    In the order of ``np.unique(table, axis=1)``, which compares numbers one by one where this compares bytes.
    """
    columns = np.ascontiguousarray(table.T.astype(np.int8))
    kinds, counts = np.unique(columns.view(f"V{columns.shape[1]}")[:, 0], return_counts=True)
    return kinds.view(np.int8).reshape(len(kinds), -1).T.astype(np.int64), counts


def _spearman(labels: Array, predictions: Array) -> Scorer:
    """Spearman correlation, equal to ranking each resample in which example k stands ``weights[r, k]`` times; NaN where
    one side is constant."""
    rank_labels, rank_each = ranks(labels), [ranks(values) for values in predictions]

    def correlations(weights: Array) -> Array:
        columns = np.ascontiguousarray(weights.T)  # [K, R]: sums run along resamples, side by side in memory
        x = rank_labels(columns)
        weighted = columns * x
        spread_x = np.einsum("kr,kr->r", weighted, x)
        found = []
        for rank in rank_each:
            y = rank(columns)
            spread = np.sqrt(spread_x * np.einsum("kr,kr,kr->r", columns, y, y))
            with np.errstate(invalid="ignore"):
                found.append(np.einsum("kr,kr->r", weighted, y) / np.where(spread > 0, spread, np.nan))
        return np.stack(found)

    return correlations


def ranks(values: Array) -> Callable[[Array], Array]:
    """``values [K]`` -> a function from ``weights [K, R]`` to ranks less their mean ``[K, R]``; ties share their mean
    rank."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    tied = len(first) < len(values)

    def centred(weights: Array) -> Array:
        size = weights[order]
        if tied:
            size = np.add.reduceat(size, first, axis=0)  # [distinct values, R]
        rank = np.cumsum(size, axis=0)  # less (size - 1) / 2 is the rank, less (n + 1) / 2 the centred one
        size /= 2
        rank -= size
        rank -= weights.sum(0) / 2
        return rank[group]

    return centred
