"""Published numbers beside ours, one table per publication."""

from dataclasses import dataclass, replace
from string import ascii_lowercase

import pandas as pd

from adkd.analysis.grid import Grid
from adkd.analysis.page.sortable import Row, Sortable, Value, mean_sd, number, signed
from adkd.data.metrics import metric_title
from adkd.data.tasks import TASKS

HEADER = ("method", "task", "metric", "published", "here", "n", "here − published")
ALONE = 4
"""So many of these columns are left where there is nothing of ours."""


@dataclass(frozen=True)
class Publication:
    """The numbers of one source."""

    beside: Sortable
    """Those that have one of ours beside them."""
    alone: Sortable
    """Those of methods or tasks that this plan does not have."""


def publications(grid: Grid, published: pd.DataFrame) -> list[Publication]:
    """One per source, what is known of its numbers below them; ``published`` as in ``published.csv``, points."""
    every_task = replace(grid, tasks=tuple(TASKS)).columns("validation")
    titles = {column.name: column.title for column in every_task}
    found = []
    for source, rows in published.groupby("source", sort=False):
        letters = {status: ascii_lowercase[number % 26] for number, status in enumerate(rows["status"].unique())}
        ours = rows["reproduced_mean"].notna()
        found.append(
            Publication(
                _table(grid, source, rows[ours], titles, letters, len(HEADER)),
                _table(grid, source, rows[~ours], titles, letters, ALONE),
            )
        )
    return found


def _table(
    grid: Grid, source: str, rows: pd.DataFrame, titles: dict[str, str], letters: dict[str, str], columns: int
) -> Sortable:
    lines = [
        Row(
            [
                Value(row.method),
                Value(titles.get(row.task, row.task)),
                Value(metric_title(row.metric)),
                Value(f"{row.published:.1f}", row.published, mark=letters[row.status]),
                mean_sd(row.reproduced_mean, row.reproduced_sd),
                number(row.n, f"{row.n:.0f}"),
                number(row.difference, signed(row.difference, 1)),
            ][:columns],
            "reference" if row.method == grid.reference else "",
        )
        for row in rows.itertuples()
    ]
    used = dict.fromkeys(rows["status"])
    return Sortable(source, HEADER[:columns], lines, {letters[status]: status for status in used})
