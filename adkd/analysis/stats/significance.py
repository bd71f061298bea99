"""Every method against the reference, at three levels: other seeds, other examples, all tasks together."""

from collections.abc import Iterable
from math import nan

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from adkd.analysis.stats import over_examples, over_seeds, resampled
from adkd.analysis.stats.collapse import remarks
from adkd.analysis.stats.over_seeds import Array, Interval, Test, defined_scores, seed_scores
from adkd.analysis.stats.predictions import Predictions, read_predictions
from adkd.base.errors import InputError
from adkd.base.seeds import entropy
from adkd.plan.grid import Column, Grid

COLUMNS = (
    *("task", "method", "reference", "metric", "difference", "low", "high", "p", "p_holm", "n", "test"),
    *("level", "split", "smallest_p", "family", "rho", "tested_difference", "seeds", "interval", "note"),
    *("bootstrap_low", "bootstrap_high"),
)
AVERAGE = "average"
"""Stands for task and metric where tasks are taken together."""

Row = dict[str, object]


def comparisons(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per (column, method, level) with ``COLUMNS``, on the main split; differences as fractions.

    Difference = method minus reference, mean over paired seeds. p-values are Holm-adjusted per level, over all
    columns x compared methods that were run.

    Raises:
        InputError: stored predictions are missing, do not match, or a metric has no test over examples.
    """
    columns = grid.columns(grid.roles[0])
    # Threads, as NumPy's loops let each other run. Every row has a generator of its own: their order changes nothing.
    with threadpool_limits(1):
        found = Parallel(-1, prefer="threads")(delayed(_one_column)(grid, scores, column) for column in columns)
    rows = [row for of_one_column in found for row in of_one_column]
    for method in grid.compared:
        rows += _all_tasks(grid, scores, [column for column in columns if column.averaged], method)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, family in table.groupby("level"):
        table.loc[family.index, "p_holm"] = over_seeds.holm(family["p"].to_numpy(dtype=float))
        table.loc[family.index, "family"] = len(family)
    return table.astype({"n": "Int64", "family": "Int64", "seeds": "Int64"})


def paired(grid: Grid, scores: pd.DataFrame, column: Column, method: str) -> tuple[Array, Array, list[str]]:
    """``[n]`` scores of the method, ``[n]`` of the reference, and the n seeds that both have."""
    ours, theirs = (defined_scores(scores, name, column) for name in (method, grid.reference))
    seeds = [seed for seed in grid.seeds if seed in ours.index and seed in theirs.index]
    return ours.loc[seeds].to_numpy(), theirs.loc[seeds].to_numpy(), seeds


def _one_column(grid: Grid, scores: pd.DataFrame, column: Column) -> list[Row]:
    """Seed level and example level of all methods in one column."""
    rows: list[Row] = []
    known: dict[tuple[str, tuple[str, ...]], Predictions] = {}

    def predictions(method: str, seeds: list[str]) -> Predictions:
        key = method, tuple(seeds)
        if key not in known:
            runs = {run.seed: run for run in grid.students if (run.method, run.task) == (method, column.task.name)}
            known[key] = read_predictions(grid, [runs[s] for s in seeds], column, seed_scores(scores, method, column))
        return known[key]

    for method in grid.compared:
        ours, theirs, seeds = paired(grid, scores, column, method)
        if not seeds:
            continue
        difference = float(np.mean(ours - theirs))
        shared = {"task": column.name, "metric": column.metric, "split": column.split, "seeds": len(seeds)}
        about = _remarks(grid, scores, [column], method)
        test = over_seeds.sign_flip(ours - theirs, _rng(column.name, method, "seed"))
        interval = over_seeds.interval_over_seeds(ours - theirs)
        row = _row(grid, method, "seed", difference, interval, test)
        row |= shared | _bootstrap([ours - theirs], column.name, method)
        row["note"] = _joined(row["note"], about)
        rows.append(row | {"rho": over_seeds.pairing(ours, theirs), "tested_difference": difference})
        if len(seeds) < 2:
            reason = "one seed: over examples, two runs would be compared, not two methods"
            row = _row(grid, method, "example", difference, Interval(), Test("", 0, reason=reason))
            rows.append(row | shared | {"note": _joined(reason, about)})
            continue
        a, b = predictions(method, seeds), predictions(grid.reference, seeds)
        test, tested = _over_examples(column, a, b, _rng(column.name, method, "example"))
        interval = over_examples.interval_over_examples(
            column.metric, a.labels, a.each, b.each, column.task.outputs, _rng(column.name, method, "interval")
        )
        row = _row(grid, method, "example", difference, interval, test)
        row["note"] = _joined(test.reason, about)
        rows.append(row | shared | {"tested_difference": tested})
    return rows


def _over_examples(column: Column, a: Predictions, b: Predictions, rng: np.random.Generator) -> tuple[Test, float]:
    """The test of two methods' seed-averaged predictions, and the difference of their scores."""
    if not np.array_equal(a.idx, b.idx) or not np.array_equal(a.labels, b.labels):
        raise InputError(f"two methods' predictions of {column.name} are of different examples; rebuild all students")
    classes, everyone = column.task.outputs, np.ones((1, len(a.labels)))
    pair = resampled.scores(column.metric, a.labels, np.stack([a.averaged, b.averaged]), classes, everyone)[:, 0]
    if column.metric == "accuracy":
        test = over_examples.mcnemar(a.averaged == a.labels, b.averaged == b.labels)
    else:
        test = over_examples.swap_predictions(column.metric, a.labels, a.averaged, b.averaged, classes, rng)
    return test, float(pair[0] - pair[1])


def _all_tasks(grid: Grid, scores: pd.DataFrame, columns: list[Column], method: str) -> Iterable[Row]:
    """The mean over tasks; mnli_mm and the like are left out."""
    pairs = [paired(grid, scores, column, method) for column in columns]
    differences = [ours - theirs for ours, theirs, seeds in pairs if seeds]
    if not differences or len(columns) < 2:
        return
    means = np.array([values.mean() for values in differences])
    n, seeds, difference, interval = len(means), min(map(len, differences)), nan, Interval()
    notes = [f"only {n} of {len(columns)} tasks"] if n < len(columns) else []
    if n < 2:
        test = Test("", n, reason="nothing to average")
    else:
        difference, interval = float(means.mean()), over_seeds.interval_over_tasks(differences)
        if seeds < 2:
            test = Test("", n, reason="one seed: no test")
        elif not np.isfinite(means).all():
            test = Test("", n, reason="a score is undefined")
        else:
            test = over_seeds.wilcoxon(means, _rng(AVERAGE, method))
            notes += [f"{n} tasks cannot reach p < {over_seeds.ALPHA}"] if test.smallest >= over_seeds.ALPHA else []
    row = _row(grid, method, "task", difference, interval, test)
    row["note"] = _joined(*notes, test.reason, _remarks(grid, scores, columns, method))
    row |= _bootstrap(differences, AVERAGE, method) if n > 1 else {}
    yield row | {"task": AVERAGE, "metric": AVERAGE, "split": grid.roles[0], "seeds": seeds}


def _remarks(grid: Grid, scores: pd.DataFrame, columns: list[Column], method: str) -> str:
    """What is known of the seeds of a method and of the reference, over which the interval is taken."""
    parts = []
    for name in (method, grid.reference):
        for column in columns:
            if found := remarks(scores, name, column):
                parts.append(f"{name}{f' on {column.name}' if len(columns) > 1 else ''}: {found}")
    return "; ".join(parts)


def _joined(*notes: object) -> str:
    return "; ".join(str(note) for note in notes if note)


def _bootstrap(differences: list[Array], *names: str) -> Row:
    interval = over_seeds.percentile_bootstrap(differences, _rng(*names, "bootstrap"))
    return {"bootstrap_low": interval.low, "bootstrap_high": interval.high}


def _row(grid: Grid, method: str, level: str, difference: float, interval: Interval, test: Test) -> Row:
    return {
        "method": method,
        "reference": grid.reference,
        "difference": difference,
        "low": interval.low,
        "high": interval.high,
        "p": test.p,
        "n": test.n or None,
        "test": test.name if np.isfinite(test.p) else "",
        "level": level,
        "smallest_p": test.smallest,
        "interval": interval.name,
        "note": test.reason,
    }


def _rng(*names: str) -> np.random.Generator:
    """A generator of its own for every comparison, so that none depends on which others are made."""
    return np.random.default_rng(entropy(*names))
