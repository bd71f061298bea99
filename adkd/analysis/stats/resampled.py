"""The metrics over many resamples of a split at once: an example drawn k times has weight k.

A metric is computed from counts or, for Spearman, from weighted ranks, and what does not depend on the weights is
made ready once. That is many times faster than scoring each resample; the tests hold it equal to scikit-learn
and scipy in plain loops.
"""

from collections.abc import Callable

import numpy as np

from adkd.analysis.stats.over_seeds import Array
from adkd.data.metrics import METRICS, Integers

Scorer = Callable[[Array], Array]
"""``weights [R, K]``, how often every example counts in R resamples -> ``[S, R]``, a metric of S predictions."""


def scores(metric: str, labels: Array, predictions: Array, classes: int, weights: Array) -> Array:
    """``labels [K]`` and ``predictions [S, K]``, both classes or values, and ``weights [R, K]`` -> ``[S, R]``."""
    return scorer(metric, labels, predictions, classes)(weights)


def scorer(metric: str, labels: Array, predictions: Array, classes: int) -> Scorer:
    """The metric, one of ``METRICS``, as a function of the weights alone; arguments as for ``scores``."""
    if METRICS[metric].of != "classes":
        return _correlation(labels, predictions, scaling(metric))
    if metric == "accuracy":  # a sum over examples: one column for each prediction, where a confusion matrix has C * C
        right = (predictions == labels).T.astype(float)  # [K, S]
        return lambda weights: (weights @ right).T / weights.sum(1)
    counted = confusion(labels.astype(np.int64), predictions.astype(np.int64), classes)
    return lambda weights: METRICS[metric].formula(counted(weights))


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


def _correlation(labels: Array, predictions: Array, scale: Callable[[Array], Scorer]) -> Scorer:
    """The correlation after ``scale``, with example k counted ``weights[r, k]`` times; 0 if one side is constant, as
    in ``adkd.data.metrics``.

    With ``ranks`` it is Spearman's, with ``centred`` Pearson's.
    """
    scaled_labels, scaled_each = scale(labels), [scale(values) for values in predictions]

    def correlations(weights: Array) -> Array:
        columns = np.ascontiguousarray(weights.T)  # [K, R]: sums run along resamples, side by side in memory
        x = scaled_labels(columns)
        weighted = columns * x
        spread_x = np.einsum("kr,kr->r", weighted, x)
        found = []
        for scaled in scaled_each:
            y = scaled(columns)
            spread = np.sqrt(spread_x * np.einsum("kr,kr,kr->r", columns, y, y))
            found.append(quotient(np.einsum("kr,kr->r", weighted, y), spread))
        return np.stack(found)

    return correlations


def quotient(top: Array, bottom: Array) -> Array:
    """``top [R] / bottom [R]``; 0 where ``bottom`` is 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def scaling(metric: str) -> Callable[[Array], Scorer]:
    """What a correlation does to both sides: Spearman's takes ranks, Pearson's the values less their mean."""
    return ranks if METRICS[metric].of == "ranks" else centred


def centred(values: Array) -> Scorer:
    """``values [K]`` -> a function from ``weights [K, R]`` to the values less their weighted mean, ``[K, R]``.

    What rounding leaves of equal values is 0: otherwise a constant would have a correlation.
    """
    smallest = 1e-12 * np.abs(values).max()

    def less_mean(weights: Array) -> Array:
        differences = values[:, None] - (values @ weights) / weights.sum(0)
        differences[np.abs(differences) < smallest] = 0
        return differences

    return less_mean


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
