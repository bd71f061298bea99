"""``scores.csv`` as the analysis reads it."""

from pathlib import Path

import pandas as pd

from adkd.base.errors import InputError, missing
from adkd.plan.grid import TEACHER, Column, Grid, Run, columns_of

__all__ = ["TEACHER", "Column", "Grid", "Run", "columns_of", "read_grid", "read_scores", "seed_scores"]

read_grid = Grid.load


def read_scores(grid: Grid, path: Path) -> pd.DataFrame:
    """``scores.csv``, one row per (method, task, seed, split, metric); seeds are text.

    Raises:
        InputError: it is missing, or has no score for a run of the plan.
    """
    again = f"adkd scores {grid.file}"
    if not path.is_file():
        raise missing(path, again)
    scores = pd.read_csv(path, dtype={"seed": str})
    there = set(zip(scores["method"], scores["task"], scores["seed"], strict=True))
    lacking = [run for run in grid.runs if (run.method, run.task, run.seed) not in there]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(grid.runs)} runs of the plan, first {lacking[0].result}",
            remedy=f"rebuild it with: {again}",
        )
    return scores


def seed_scores(scores: pd.DataFrame, method: str, column: Column, metric: str | None = None) -> pd.Series:
    """[seeds] one method's scores in one column, as fractions, in the file's order; empty if none.

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
