"""Fidelity over seeds: means of every measure, and tests of the rank correlation against the reference's."""

import numpy as np
import pandas as pd

from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.over_seeds import Array
from adkd.base.seeds import entropy
from adkd.plan.grid import TEACHER, Grid

COLUMNS = ["method", "task", "measure", "mean", "sd", "n", "split", "rows"]
TEST_COLUMNS = (
    *("task", "method", "reference", "measure", "difference", "low", "high", "p", "p_holm", "n", "test"),
    *("smallest_p", "family", "interval", "note"),
)
TESTED = "rank_correlation"
"""The measure that is tested."""


def values_of(table: pd.DataFrame, method: str, task: str, measure: str) -> pd.Series:
    """[seeds] one measure of one method on one task, by seed, in the file's order; empty if none."""
    rows = table[(table["method"] == method) & (table["task"] == task) & (table["measure"] == measure)]
    return rows.set_index("seed")["value"].astype(float)


def means(grid: Grid, table: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method, task and measure, in the grid's order: of the n seeds that have a value, sd
    with ddof=1.

    ``rows``: examples behind the value of a seed, the fewest of all seeds.
    """
    rows = []
    for name in grid.tasks:
        for method in (TEACHER, *grid.methods):
            of_method = table[(table["method"] == method) & (table["task"] == name)]
            for measure, group in of_method.groupby("measure", sort=False):
                mean, sd, n = over_seeds.mean_and_sd(group["value"].dropna().to_numpy(dtype=float))
                rows.append((method, name, measure, mean, sd, n, group["split"].iloc[0], group["rows"].min()))
    return pd.DataFrame(rows, columns=COLUMNS)


def comparisons(grid: Grid, table: pd.DataFrame) -> pd.DataFrame:
    """Every method's rank correlation against the reference's: paired seeds, Holm over tasks x methods.

    Difference = method minus reference, mean over paired seeds.
    """
    rows = []
    for name in grid.tasks:
        theirs = values_of(table, grid.reference, name, TESTED)
        for method in grid.compared:
            ours = values_of(table, method, name, TESTED)
            seeds = [seed for seed in grid.seeds if seed in ours.index and seed in theirs.index]
            if seeds:
                rows.append(
                    {"task": name, "method": method, "reference": grid.reference, "measure": TESTED}
                    | _comparison(ours[seeds].to_numpy() - theirs[seeds].to_numpy(), f"{name}/{method}/fidelity")
                )
    tests = pd.DataFrame(rows, columns=list(TEST_COLUMNS))
    return tests.assign(p_holm=over_seeds.holm(tests["p"].to_numpy(dtype=float)), family=len(tests))


def _comparison(differences: Array, name: str) -> dict[str, object]:
    test = over_seeds.sign_flip(differences, np.random.default_rng(entropy(name)))
    interval = over_seeds.interval_over_seeds(differences)
    return {
        "difference": float(differences.mean()),
        "low": interval.low,
        "high": interval.high,
        "p": test.p,
        "n": test.n,
        "test": test.name if np.isfinite(test.p) else "",
        "smallest_p": test.smallest,
        "interval": interval.name,
        "note": test.reason,
    }
