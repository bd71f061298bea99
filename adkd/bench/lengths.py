"""Random examples that cost as much as real ones, because they have the lengths of real tasks."""

import numpy as np
import torch

from adkd.data.batches import Examples
from adkd.data.tasks import task as task_named

PERCENTILES: dict[str, tuple[int, ...]] = {
    "cola": (4, 6, 7, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11, 12, 12, 13, 14, 15, 17, 20, 47),
    "sst2": (3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 11, 13, 14, 16, 18, 20, 23, 27, 33, 59),
    "mrpc": (19, 32, 36, 39, 41, 44, 45, 47, 50, 51, 53, 55, 57, 59, 61, 62, 64, 67, 70, 74, 103),
    "rte": (13, 29, 33, 37, 40, 43, 45, 47, 50, 53, 56, 59, 62, 67, 72, 85, 103, 120, 128, 128, 128),
    "stsb": (10, 15, 16, 17, 18, 19, 19, 20, 21, 22, 23, 24, 25, 26, 28, 31, 35, 42, 51, 60, 125),
    "mnli": (5, 16, 19, 22, 24, 26, 29, 31, 33, 35, 37, 40, 42, 44, 47, 50, 54, 58, 64, 73, 128),
}
"""Tokens per example of the official training sets (MNLI: 10,471 examples of it), BERT's uncased vocabulary, truncated
to 128: every fifth percentile, from the shortest example to the longest."""

LONGEST = 128
"""Length in tokens to which the released code pads every example."""
VOCABULARY = 30522


def sample(task: str, rows: int) -> np.ndarray:
    """[rows] lengths, distributed like those of the task."""
    quantiles = np.linspace(0, 1, len(PERCENTILES[task]))
    return np.interp(np.random.default_rng(0).random(rows), quantiles, PERCENTILES[task]).round().astype(np.int64)


def examples(task: str, lengths: np.ndarray) -> Examples:
    """Random examples of these lengths, [rows] int64, with labels of the task's kind."""
    random, rows, record = np.random.default_rng(1), len(lengths), task_named(task)
    labels = random.random(rows) * 5 if record.regression else random.integers(0, record.outputs, rows)
    return Examples(
        lengths=torch.from_numpy(lengths),
        labels=torch.tensor(labels, dtype=torch.float32 if record.regression else torch.int64),
        idx=torch.arange(rows),
        labelled=True,
        _ids=random.integers(1000, VOCABULARY, lengths.sum()).astype(np.int32),
        _types=np.zeros(lengths.sum(), dtype=np.int8),
        _starts=np.cumsum(lengths) - lengths,
        _pad=0,
    )
