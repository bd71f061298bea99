"""The stored predictions of one method on one split, all seeds together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.special import softmax

from adkd.analysis.stats import resampled
from adkd.analysis.stats.over_seeds import Array
from adkd.base.errors import InputError
from adkd.plan.grid import Column, Grid, Run

_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Predictions:
    """What S runs of one method say about the E examples of a split."""

    idx: Array
    """[E] the examples' numbers."""
    labels: Array
    """[E] classes, or values for regression."""
    each: Array
    """[S, E] predicted classes, or values."""
    averaged: Array
    """[E] prediction of the mean of the S probabilities, or the mean value."""


def read_predictions(grid: Grid, runs: Sequence[Run], column: Column, recorded: pd.Series) -> Predictions:
    """The predictions of a method's ``runs``, checked against their ``recorded`` scores (by seed).

    Raises:
        InputError: a file is missing or damaged, the examples differ between runs, or the predictions do not give the
            score.
    """
    outputs: list[Array] = []
    examples: tuple[Array, Array] | None = None
    for run in runs:
        path, remedy = grid.stored_predictions(run, column.split), f"rebuild it with: {grid.command(run)}"
        table = stored_columns(path)
        logits = np.stack([table[f"logit_{number}"] for number in range(column.task.outputs)], axis=1).astype(float)
        if not np.isfinite(logits).all():
            raise InputError(f"{path} has predictions that are not finite numbers", remedy=remedy)
        idx, labels = examples = examples or (table["idx"], _labels(table, column))
        if not (np.array_equal(idx, table["idx"]) and np.array_equal(labels, table["label"])):
            raise InputError(f"{path} has other examples than {runs[0].result}", remedy=remedy)
        outputs.append(logits)
        _check_score(grid, run, column, labels, _predicted(logits, column), recorded.get(run.seed))
    likely = np.stack(outputs) if column.task.regression else softmax(np.stack(outputs), axis=-1)  # [S, E, C]
    return Predictions(
        idx, labels, np.stack([_predicted(o, column) for o in outputs]), _predicted(likely.mean(0), column)
    )


def stored_columns(path: Path) -> dict[str, Array]:
    """A parquet file's columns; threads and pandas take longer to start than these small files to read."""
    table = pq.ParquetFile(path).read(use_threads=False)
    return {name: column.to_numpy() for name, column in zip(table.column_names, table.columns, strict=True)}


def _labels(table: Mapping[str, Array], column: Column) -> Array:
    """[E] classes, which are stored like values, as whole numbers."""
    return table["label"] if column.task.regression else table["label"].astype(np.int64)


def _predicted(outputs: Array, column: Column) -> Array:
    """``[E, C] -> [E]``: the likeliest class, or the value."""
    return outputs[:, 0] if column.task.regression else outputs.argmax(-1)


def _check_score(grid: Grid, run: Run, column: Column, labels: Array, predicted: Array, recorded: float | None) -> None:
    """Refuse a run whose predictions do not give the score that it recorded."""
    if recorded is None or not np.isfinite(recorded):
        return
    weights = np.ones((1, len(labels)))
    score = resampled.scores(column.metric, labels, predicted[None], column.task.outputs, weights)[0, 0]
    if not abs(score - recorded) < _TOLERANCE:
        raise InputError(
            f"{run.result}: {column.metric} on {column.split} is {score:.5f} by its predictions but "
            f"{recorded:.5f} by its report",
            remedy=f"rebuild both with: {grid.command(run)}",
        )
