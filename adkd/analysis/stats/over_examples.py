"""Tests and intervals over the examples of a split, from stored predictions. Small functions on arrays."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from adkd.analysis.stats.over_seeds import Array, Interval, Test, t_interval
from adkd.analysis.stats.resampled import distinct, quotient, ranks, scaling, scorer, scores
from adkd.data.metrics import METRICS

PERMUTATIONS = 9999
BOOTSTRAPS = 2000
_CHUNK = 100
"""Resamples that are in memory at a time."""


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> Test:
    """McNemar's test (1947), exact: of the examples that one of two methods gets right, is it half each?

    ``right_a [E]``, ``right_b [E]``: whether each example is predicted correctly.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    discordant, name, n = only_a + only_b, "exact McNemar", len(right_a)
    if not discordant:
        return Test(name, n, reason="both get the same examples right")
    p = stats.binomtest(only_a, discordant).pvalue
    return Test(name, n, float(p), min(1.0, 0.5 ** (discordant - 1)))


def swap_predictions(
    metric: str,
    labels: Array,
    a: Array,
    b: Array,
    classes: int,
    rng: np.random.Generator,
    times: int = PERMUTATIONS,
) -> Test:
    """Paired permutation test over examples (Yeh 2000; Dror et al. 2018): swap two methods' predictions at random.

    ``labels [E]``, ``a [E]``, ``b [E]``. p = (1 + hits) / (1 + times), so that it is never 0 (Phipson and Smyth 2010).
    """
    n, name = len(labels), f"paired permutation over examples ({times} draws)"
    differing = int((a != b).sum())
    if not differing:
        return Test(name, n, reason="both predict the same")
    everyone = np.ones((1, n))
    pair = scores(metric, labels, np.stack([a, b]), classes, everyone)
    observed = float(pair[0, 0] - pair[1, 0])
    if not np.isfinite(observed):
        return Test(name, n, reason="a score is undefined")
    if METRICS[metric].of == "classes":
        swapped = _swapped_classes(metric, labels, a, b, classes, rng)
    else:
        swapped = _swapped_values(metric, labels, a, b, rng)
    hits = sum(int((np.abs(swapped(chunk)) >= abs(observed) - 1e-12).sum()) for chunk in _chunks(times))
    smallest = max(1 / (1 + times), min(1.0, 0.5 ** (differing - 1)))
    return Test(name, n, (1 + hits) / (1 + times), smallest)


def _swapped_classes(
    metric: str, labels: Array, a: Array, b: Array, classes: int, rng: np.random.Generator
) -> Callable[[int], Array]:
    """A function from a number of draws to ``[draws]``: score differences after swapping each example's two predictions
    with probability one half."""
    kinds, counts = distinct(np.stack([labels, a, b]))  # equal examples together
    score = scorer(metric, np.tile(kinds[0], 2), np.concatenate([kinds[1], kinds[2]])[None], classes)

    def differences(times: int) -> Array:
        swap = rng.binomial(counts, 0.5, (times, len(counts)))
        stay = np.concatenate([counts - swap, swap], axis=1)
        other = np.concatenate([swap, counts - swap], axis=1)
        return score(stay)[0] - score(other)[0]

    return differences


def _swapped_values(metric: str, labels: Array, a: Array, b: Array, rng: np.random.Generator) -> Callable[[int], Array]:
    """The same for a correlation. Both methods' values form one pool, of which each takes one value per example."""
    scale = scaling(metric)
    pool = scale(np.concatenate([a, b]))
    whole = pool(np.ones((2 * len(labels), 1)))
    x = np.tile(scale(labels)(np.ones((len(labels), 1)))[:, 0], 2)  # labels do not move

    def differences(times: int) -> Array:
        swap = rng.integers(0, 2, (len(labels), times)).astype(float)
        stay = np.concatenate([1 - swap, swap])  # [2E, times]
        ours = pool(stay)
        # The two divide the pool between them, so their ranks add up.
        theirs = whole - ours if scale is ranks else pool(1 - stay)
        difference = np.zeros(times)
        for sign, weights, its in ((1, stay, ours), (-1, 1 - stay, theirs)):
            weights *= its
            spread = np.einsum("kr,kr->r", weights, its)
            difference += sign * quotient(x @ weights, np.sqrt(spread))
        return difference / np.sqrt((x * x).sum() / 2)

    return differences


def interval_over_examples(
    metric: str,
    labels: Array,
    a: Array,
    b: Array,
    classes: int,
    rng: np.random.Generator,
    times: int = BOOTSTRAPS,
) -> Interval:
    """Hierarchical bootstrap over seeds and examples of the mean score difference; ``a [S, E]``, ``b [S, E]``.

    Both methods get the same seeds and the same examples in a resample. S-1 of S seeds are drawn, so that the
    variance over seeds has ddof=1 (Rao and Wu 1988). The interval is the difference ± t × bootstrap standard error,
    with Satterthwaite degrees of freedom: few seeds make it wide, where percentiles would make it too narrow.
    """
    seeds = len(a)
    if seeds < 2:
        return Interval()
    everyone = np.ones((1, len(labels)))
    observed = (scores(metric, labels, a, classes, everyone) - scores(metric, labels, b, classes, everyone))[:, 0]
    table = np.concatenate([labels[None], a, b])  # [1+2S, E]
    if METRICS[metric].of == "classes":  # equal examples together
        kinds, counts = distinct(table)
    else:
        kinds, counts = table, np.ones(len(labels), dtype=np.int64)
    score, shares, resampled = scorer(metric, kinds[0], kinds[1:], classes), counts / counts.sum(), []
    for chunk in _chunks(times):
        weights = rng.multinomial(len(labels), shares, chunk).astype(float)
        both = score(weights)  # [2S, R]
        picked = rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), chunk) / (seeds - 1)  # [R, S]
        resampled.append((picked.T * (both[:seeds] - both[seeds:])).sum(0))
    total = float(np.var(np.concatenate(resampled), ddof=1))
    over_seeds = float(np.var(observed, ddof=1)) / seeds
    df = (seeds - 1) * max(1.0, total / over_seeds) ** 2 if over_seeds else np.inf
    name = f"hierarchical bootstrap, seeds x examples ({times} draws)"
    return t_interval(float(observed.mean()), total, df, name)


def _chunks(times: int) -> Iterator[int]:
    """``times`` in pieces that fit into memory."""
    for start in range(0, times, _CHUNK):
        yield min(_CHUNK, times - start)
