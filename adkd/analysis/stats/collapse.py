"""Seeds whose training collapsed or failed: what is known of them, and which scores lie apart from the others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from adkd.analysis.stats.over_seeds import Array
from adkd.plan.grid import Column

LEVEL = 0.05
"""How often, at most, a seed of a normal sample is called outlying."""
KEPT = 0.5
"""An outlying seed keeps less than this share of the lead that the median seed has over the best constant answer."""
CLEAR = 5
"""The median's lead has to be above so many standard deviations of the other seeds."""
NORMAL = (
    "Means and intervals include every seed that has a score, but sd and 95 % intervals assume roughly normal seeds: "
    "where one seed in ten collapses, the paired t interval covers 29 % (3 seeds) or 41 % (5 seeds) instead of 95 %."
)
RULE = (
    "Outlying: a seed that keeps less than half of the lead that the median seed has over the best constant answer and "
    "lies below the other seeds by a one-sided t test (5 % over all seeds of the cell). " + NORMAL
)
"""What a reader of a table with such a seed has to know."""


def outlying(values: Array, best_constant: float) -> list[int]:
    """The places of the seeds in ``values [n]`` that lie apart below the others; none if n < 3.

    The candidates are the seeds that keep less than ``KEPT`` of the median's lead over the best constant answer. One
    is outlying if its distance from the mean of the others, m in number, is above t(m - 1) sd √(1 + 1/m): what
    one more seed of the same normal distribution reaches with probability ``LEVEL`` / n. Candidates are not among the
    others, so that several collapsed seeds do not hide one another; a method without a clear lead has none.
    """
    n = len(values)
    lead = float(np.median(values)) - best_constant if n else 0.0
    if n < 3 or lead <= 0:
        return []
    low = values - best_constant < KEPT * lead
    others = values[~low]
    m = len(others)
    if m < 2:
        return []
    sd = float(np.std(others, ddof=1))
    if lead <= CLEAR * sd:
        return []
    limit = float(stats.t.ppf(1 - LEVEL / n, m - 1)) * sd * (1 + 1 / m) ** 0.5
    return [int(place) for place in np.flatnonzero(low & (others.mean() - values > limit))]


def remarks(scores: pd.DataFrame, method: str, column: Column, metric: str | None = None) -> str:
    """What a reader has to know of one method's seeds in one column, in words; empty if there is nothing.

    Args:
        scores: ``scores.csv``.
        metric: one of the task's; its main metric if not given.
    """
    rows = _rows(scores, method, column, metric or column.metric)
    rows = rows.assign(note=rows["note"].fillna(""))
    notes = rows["note"]
    reasons = dict.fromkeys(note for note in notes if note)
    parts = [f"{reason} ({_seeds(rows.loc[notes == reason, 'seed'])})" for reason in reasons]
    undefined = rows["value"].isna() & (notes == "")
    if undefined.any():
        parts.append(f"no score ({_seeds(rows.loc[undefined, 'seed'])})")
    scored = rows[rows["value"].notna()]
    if len(scored):
        apart = scored.iloc[outlying(scored["value"].to_numpy(dtype=float), float(scored["best_constant"].iloc[0]))]
        parts += [f"outlying (seed {row.seed}: {100 * row.value:.1f})" for row in apart.itertuples() if not row.note]
    return "; ".join(parts)


def flagged(scores: pd.DataFrame, method: str, column: Column) -> set[str]:
    """The seeds of one method in one column whose predictions are constant or whose score is outlying."""
    rows = _rows(scores, method, column, column.metric).dropna(subset="value")
    if rows.empty:
        return set()
    apart = outlying(rows["value"].to_numpy(dtype=float), float(rows["best_constant"].iloc[0]))
    return {*rows["seed"].iloc[apart], *rows.loc[rows["note"].notna(), "seed"]}


def _rows(scores: pd.DataFrame, method: str, column: Column, metric: str) -> pd.DataFrame:
    same = (scores["method"] == method) & (scores["task"] == column.task.name)
    return scores[same & (scores["split"] == column.split) & (scores["metric"] == metric)]


def _seeds(names: Sequence[str]) -> str:
    return f"seed{'s' * (len(names) > 1)} {', '.join(map(str, names))}"
