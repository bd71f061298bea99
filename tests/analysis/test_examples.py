import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from adkd.analysis.stats import over_examples, over_seeds, resampled
from adkd.data import metrics

CORRELATIONS = {"spearmanr": lambda y, z: spearmanr(y, z)[0], "pearsonr": lambda y, z: pearsonr(y, z)[0]}
ALL = {"accuracy": accuracy_score, "f1": f1_score, "matthews_correlation": matthews_corrcoef} | CORRELATIONS
QUICK = {
    "accuracy": lambda y, z: np.mean(y == z),
    "f1": lambda y, z: 2 * np.sum(y * z) / (np.sum(y) + np.sum(z)),
    "matthews_correlation": lambda y, z: np.corrcoef(y, z)[0, 1],
} | CORRELATIONS
"""The same for two classes, fast enough for loops."""


def split(metric: str, n: int, seeds: int, rng: np.random.Generator, skill: tuple[float, float] = (1.0, 1.0)):
    """Labels ``[n]`` and two methods' predictions ``[seeds, n]``; with ties, as real ones have."""
    if metric in CORRELATIONS:
        labels = rng.integers(0, 6, n) / 2
        return labels, *((labels * s + rng.normal(size=(seeds, n))).round(1) for s in skill)
    labels = rng.integers(0, 2, n)
    return labels, *(np.where(rng.random((seeds, n)) < 0.5 + 0.25 * s, labels, 1 - labels) for s in skill)


@pytest.mark.parametrize("metric", ALL)
def test_weighted_scores_are_those_of_the_repeated_examples(metric):
    rng = np.random.default_rng(0)
    labels, a, _ = split(metric, 40, 2, rng)
    weights = rng.multinomial(40, np.full(40, 1 / 40), 6).astype(float)
    found = resampled.scores(metric, labels, a, 2, weights)
    for r, times in enumerate(weights.astype(int)):
        for s in range(2):
            assert found[s, r] == pytest.approx(ALL[metric](np.repeat(labels, times), np.repeat(a[s], times)))


def test_matthews_for_three_classes_is_scikit_learns():
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 3, (2, 90))
    counts = resampled.confusion(labels, predicted[None], 3)(np.ones((1, 90)))[0]
    assert metrics.matthews(counts)[0] == pytest.approx(matthews_corrcoef(labels, predicted))


def test_distinct_columns_are_numpys():
    table = np.random.default_rng(2).integers(0, 3, (5, 200))
    for found, expected in zip(resampled.distinct(table), np.unique(table, axis=1, return_counts=True), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_constant_predictions_score_zero():
    labels, constant = np.array([0, 1, 1, 0]), np.zeros((1, 4), dtype=int)
    assert resampled.scores("matthews_correlation", labels, constant, 2, np.ones((1, 4)))[0, 0] == 0
    assert resampled.scores("f1", labels, constant, 2, np.ones((1, 4)))[0, 0] == 0
    for value in (0.0, 2.3, 1e6):
        for metric in ("spearmanr", "pearsonr"):
            assert resampled.scores(metric, labels, np.full((1, 4), value), 1, np.ones((1, 4)))[0, 0] == 0


def test_mcnemar_is_the_binomial_formula():
    right_a = np.array([True] * 20 + [False] * 10 + [True] * 1 + [False] * 7)
    right_b = np.array([True] * 20 + [False] * 10 + [False] * 1 + [True] * 7)
    expected = 2 * (1 + 8) / 2**8  # at most one head in eight tosses, or at most one tail
    assert over_examples.mcnemar(right_a, right_b).p == pytest.approx(expected, abs=1e-12)
    test = over_examples.mcnemar(right_a, right_a | right_b)
    assert test.p == test.smallest == pytest.approx(2 / 2**7)
    assert np.isnan(over_examples.mcnemar(right_a, right_a).p)


@pytest.mark.parametrize("metric", ["f1", "matthews_correlation", "spearmanr", "pearsonr"])
def test_swapping_predictions_is_the_plain_loop(metric):
    labels, a, b = split(metric, 50, 1, np.random.default_rng(3), skill=(1.0, 0.5))
    found = over_examples.swap_predictions(metric, labels, a[0], b[0], 2, np.random.default_rng(0), times=2000)
    rng, score = np.random.default_rng(1), QUICK[metric]
    observed, hits, times = abs(score(labels, a[0]) - score(labels, b[0])), 0, 600
    for _ in range(times):
        swap = rng.random(50) < 0.5
        mixed = np.where(swap, b[0], a[0]), np.where(swap, a[0], b[0])
        hits += abs(score(labels, mixed[0]) - score(labels, mixed[1])) >= observed - 1e-12
    assert found.p == pytest.approx((1 + hits) / (1 + times), abs=0.07)
    assert found.smallest == 1 / 2001


@pytest.mark.parametrize("metric", ["f1", "spearmanr"])
def test_a_permutation_p_is_never_zero_and_equal_predictions_have_none(metric):
    labels, a, _ = split(metric, 80, 1, np.random.default_rng(4), skill=(2.0, 1.0))
    other = -a[0] if metric in CORRELATIONS else 1 - a[0]
    test = over_examples.swap_predictions(metric, labels, a[0], other, 2, np.random.default_rng(0), times=199)
    assert test.p == test.smallest == 1 / 200
    assert np.isnan(over_examples.swap_predictions(metric, labels, a[0], a[0], 2, np.random.default_rng(0)).p)


@pytest.mark.parametrize("metric", ALL)
def test_the_hierarchical_interval_has_the_spread_of_a_plain_loop(metric):
    seeds, n = 4, 60
    labels, a, b = split(metric, n, seeds, np.random.default_rng(5), skill=(1.0, 0.4))
    found = over_examples.interval_over_examples(metric, labels, a, b, 2, np.random.default_rng(0), times=2000)
    rng, score, draws = np.random.default_rng(1), QUICK[metric], []
    for _ in range(300):
        rows, picked = rng.integers(0, n, n), rng.integers(0, seeds, seeds - 1)
        draws.append(np.mean([score(labels[rows], a[s, rows]) - score(labels[rows], b[s, rows]) for s in picked]))
    mean = np.mean([score(labels, a[s]) - score(labels, b[s]) for s in range(seeds)])
    assert (found.low + found.high) / 2 == pytest.approx(mean)
    assert np.std(draws) * 1.8 < (found.high - found.low) / 2 < np.std(draws) * 3.5  # t between 1.96 and 3.18
    assert np.isnan(over_examples.interval_over_examples(metric, labels, a[:1], b[:1], 2, rng).low)


def test_the_same_generator_gives_the_same_result():
    labels, a, b = split("spearmanr", 40, 3, np.random.default_rng(6))
    one, two = (
        over_examples.interval_over_examples("spearmanr", labels, a, b, 1, np.random.default_rng(9), times=150)
        for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize("metric", ["f1", "matthews_correlation", "spearmanr"])
def test_swapping_is_calibrated_under_the_null(metric):
    rng, p = np.random.default_rng(8), []
    for _ in range(200):
        labels, a, b = split(metric, 60, 1, rng)
        p.append(over_examples.swap_predictions(metric, labels, a[0], b[0], 2, rng, times=99).p)
    assert np.mean(np.array(p) <= 0.05) < 0.11  # 5 % expected; 200 draws reach 11 % once in ten thousand times
    assert 0.3 < np.mean(np.array(p) <= 0.5) < 0.7


def test_with_endless_examples_the_hierarchical_interval_is_the_one_over_seeds():
    rng, n, shares = np.random.default_rng(10), 20_000, np.array([[0.5], [0.62], [0.7]])
    labels = rng.integers(0, 2, n)
    a, b = (np.where(rng.random((3, n)) < right, labels, 1 - labels) for right in (shares, shares[::-1] + 0.1))
    found = over_examples.interval_over_examples("accuracy", labels, a, b, 2, rng, times=1000)
    expected = over_seeds.interval_over_seeds(np.mean(a == labels, 1) - np.mean(b == labels, 1))
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.1)
