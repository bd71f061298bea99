"""Tests and intervals for scores of repeated runs. Small functions on arrays; no files, no method names.

What n cannot show is never shown: a result that is not defined is NaN with a reason, not 0 and not 1.
"""

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from adkd.plan.grid import Column

ALPHA = 0.05
"""The level below which an adjusted p-value gets a star."""
CONFIDENCE = 0.95
EXACT_SEEDS = 16
"""Up to this number of pairs all 2^n sign patterns are tried, above it 2^EXACT_SEEDS random ones."""

Array = NDArray[Any]
"""Numbers: floats unless the docstring says classes."""


@dataclass(frozen=True)
class Test:
    """A p-value and what it takes to read it."""

    name: str
    n: int
    """What it counts: seeds, examples or tasks."""
    p: float = nan
    """Two-sided; NaN where undefined."""
    smallest: float = nan
    """The smallest p-value that n can reach."""
    reason: str = ""
    """Why p is undefined."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval around a difference; NaN ends where undefined."""

    low: float = nan
    high: float = nan
    name: str = ""


def seed_scores(scores: pd.DataFrame, method: str, column: Column, metric: str | None = None) -> pd.Series:
    """[seeds] one method's scores in one column, as fractions, in the file's order; NaN if undefined, empty if none.

    Args:
        metric: one of the task's; its main metric if not given.
    """
    rows = scores[
        (scores["method"] == method)
        & (scores["task"] == column.task.name)
        & (scores["split"] == column.split)
        & (scores["metric"] == (metric or column.metric))
    ]
    return rows.set_index("seed")["value"].astype(float)


def defined_scores(scores: pd.DataFrame, method: str, column: Column) -> pd.Series:
    """[seeds] those of ``seed_scores`` that are defined."""
    return seed_scores(scores, method, column).dropna()


def mean_and_sd(values: Array) -> tuple[float, float, int]:
    """Mean, sample standard deviation (ddof=1; NaN for one value) and n of ``values [n]``."""
    n = len(values)
    mean = float(np.mean(values)) if n else nan
    return mean, float(np.std(values, ddof=1)) if n > 1 else nan, n


def smallest_sign_flip(n: int) -> float:
    """The smallest two-sided p-value of n paired values: the observed signs and their mirror image, of 2^n."""
    return 2 / 2**n


def sign_flip(differences: Array, rng: np.random.Generator) -> Test:
    """Paired permutation test over seeds (Fisher 1935): is the mean of ``differences [n]`` unlikely under random signs?

    Under the null hypothesis the two methods' scores of one seed can be swapped. Exact up to ``EXACT_SEEDS``.
    """
    n, name = len(differences), "exact paired sign-flip"
    if n < 2:
        return Test(name, n, reason="one seed: nothing to compare with the spread over seeds")
    if not np.isfinite(differences).all():
        return Test(name, n, reason="a score is undefined")
    smallest = smallest_sign_flip(n)
    if not differences.any():
        return Test(name, n, smallest=smallest, reason="all differences are zero")
    # Equal sums of other signs differ by rounding, and must count as equal: scores have far fewer digits.
    reached = np.abs(_signs(n, rng) @ differences) >= abs(differences.sum()) - 1e-12 * n
    if n <= EXACT_SEEDS:
        return Test(name, n, float(reached.mean()), smallest)
    times = len(reached)
    return Test("paired sign-flip (random signs)", n, (1 + int(reached.sum())) / (1 + times), 1 / (1 + times))


def _signs(n: int, rng: np.random.Generator) -> Array:
    """[patterns, n] of 1 and -1: all 2^n up to ``EXACT_SEEDS``, above 2^EXACT_SEEDS random ones."""
    times = 2 ** min(n, EXACT_SEEDS)
    if n > EXACT_SEEDS:
        bits = rng.integers(0, 2, (times, n), dtype=np.int8)
    else:
        bits = (np.arange(times)[:, None] >> np.arange(n) & 1).astype(np.int8)
    return 1.0 - 2.0 * bits.astype(np.float64)


def wilcoxon(differences: Array, rng: np.random.Generator) -> Test:
    """Wilcoxon signed-rank test over task means (Demšar 2006, section 3.1.3), exact also with ties and zeros.

    ``differences [n]``: one per task. Zeros are split evenly between the signs (``zsplit``).
    """
    n, name = len(differences), "exact Wilcoxon signed-rank"
    if n < 2:
        return Test(name, n, reason="one task: nothing to rank")
    if not differences.any():
        return Test(name, n, smallest=smallest_sign_flip(n), reason="all differences are zero")
    null = stats.PermutationMethod(n_resamples=2**EXACT_SEEDS, rng=rng)
    result = stats.wilcoxon(differences, zero_method="zsplit", method=null)
    return Test(name, n, float(result.pvalue), smallest_sign_flip(n))


def interval_over_seeds(differences: Array) -> Interval:
    """Student-t interval of the mean of paired ``differences [n]``: mean ± t(n-1) s/√n, s with ddof=1.

    Not the percentile bootstrap: over 3 normal seeds that covers the truth 76 % of the time instead of 95 %
    (5 seeds: 84 %, 10 seeds: 91 %; ``tests/analysis/test_stats.py`` measures it), this one 95 %.
    """
    n = len(differences)
    if n < 2:
        return Interval()
    return t_interval(float(np.mean(differences)), float(np.var(differences, ddof=1)) / n, n - 1, "paired t over seeds")


def interval_of_mean(mean: float, sd: float, n: int) -> Interval:
    """Student-t interval of a mean over n seeds: mean ± t(n-1) sd/√n; none for one seed or an undefined mean."""
    return t_interval(mean, sd**2 / n, n - 1, "t over seeds") if n > 1 else Interval()


def interval_over_tasks(differences: list[Array]) -> Interval:
    """Interval of the mean over tasks of the mean over seeds; ``differences``: one array of paired seeds per task.

    Tasks are strata, as in the stratified bootstrap of rliable (Agarwal et al. 2021): they are taken as given, only
    seeds vary. With 2 tasks of 3 seeds that bootstrap covers 83 % instead of 95 %, so its variance is written
    out with ddof=1 and its quantile is a t with Welch-Satterthwaite degrees of freedom (Satterthwaite 1946).
    """
    if min(map(len, differences)) < 2:
        return Interval()
    variances = np.array([np.var(values, ddof=1) / len(values) for values in differences])
    freedom = np.array([len(values) - 1 for values in differences])
    total = variances.sum()
    df = float(total**2 / (variances**2 / freedom).sum()) if total else inf
    mean = float(np.mean([values.mean() for values in differences]))
    return t_interval(mean, float(total) / len(differences) ** 2, df, "t over seeds within tasks (Welch-Satterthwaite)")


def percentile_bootstrap(differences: list[Array], rng: np.random.Generator, times: int = 10_000) -> Interval:
    """Percentile bootstrap of the same mean as ``interval_over_tasks``, seeds resampled within each task: the
    stratified bootstrap of rliable (Agarwal et al. 2021). With few seeds it is too narrow: see ``interval_over_seeds``.
    """
    if min(map(len, differences)) < 2:
        return Interval()
    drawn = [values[rng.integers(len(values), size=(times, len(values)))].mean(-1) for values in differences]
    low, high = np.quantile(np.mean(drawn, axis=0), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high), "percentile bootstrap over seeds within tasks")


def t_interval(center: float, variance: float, df: float, name: str) -> Interval:
    """``center`` ± t(df) √variance; no interval where the variance is 0, for no spread was seen, not certainty."""
    if not (np.isfinite(center) and variance > 0):
        return Interval()
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * variance**0.5
    return Interval(center - half, center + half, name)


def holm(p: Array) -> Array:
    """Holm's step-down adjustment (1979) over the family ``p [m]``, its size m settled before anything was seen.

    An undefined p-value stays undefined, but still counts as 1.
    """
    filled = np.nan_to_num(p, nan=1.0)
    order = np.argsort(filled)
    steps = np.maximum.accumulate(filled[order] * np.arange(len(p), 0, -1))
    return np.where(np.isnan(p), nan, np.minimum(1.0, steps)[np.argsort(order)])


def pairing(a: Array, b: Array) -> float:
    """Pearson correlation of two methods' paired seeds ``[n]``; NaN below 3 seeds or without spread.

    Near 0, pairing by seed buys the test nothing.
    """
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return nan
    return float(np.corrcoef(a, b)[0, 1])


def seeds_for_a_star(family: int) -> int:
    """The fewest paired seeds with which the smallest p-value, times the size of the family, is below ``ALPHA``."""
    return next(n for n in range(2, 64) if family * smallest_sign_flip(n) < ALPHA)
