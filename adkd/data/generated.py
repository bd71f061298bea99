"""Made-up data for any task: no download, the same on every machine, and a small model learns it within seconds.

A text consists of filler words and cue words. Every class has cue words of its own; for regression the number of cue
words gives the score. A few labels are wrong, so that no model gets everything right.
"""

from typing import TYPE_CHECKING

from adkd.base.seeds import entropy
from adkd.data.records import Task
from adkd.data.tsv import Columns
from adkd.fetch.tiny_bert import CUES, FILLER

if TYPE_CHECKING:
    import numpy as np

LENGTHS = (4, 20)
"""Number of words in a text, lowest and highest."""
WRONG = 0.05
"""Share of labels that are replaced by a random class."""
MOST_CUES = 5
"""Number of cue words at the highest score."""
NOISE = 0.05
"""Standard deviation of the noise of a score, as a share of the scale."""


def read(task: Task, split: str, rows: int) -> Columns:
    """The first ``rows`` examples of one split."""
    import numpy as np

    rng = np.random.default_rng(entropy(task.name, split))
    columns: Columns = {name: [] for name in (*task.text, "label", "idx")}
    for idx in range(rows):
        texts, label = _score_example(task, rng) if task.regression else _class_example(task, rng)
        for name, text in zip(task.text, texts, strict=True):
            columns[name].append(text)
        columns["label"].append(label)
        columns["idx"].append(idx)
    return columns


def _class_example(task: Task, rng: "np.random.Generator") -> tuple[list[str], int]:
    label = int(rng.integers(task.outputs))
    texts = [_text(rng, CUES[label], cues=int(rng.integers(1, 4))) for _ in task.text]
    return texts, int(rng.integers(task.outputs)) if rng.random() < WRONG else label


def _score_example(task: Task, rng: "np.random.Generator") -> tuple[list[str], float]:
    """The score follows the number of cue words in all texts together, with a little noise, within the task's scale."""
    cues = int(rng.integers(MOST_CUES + 1))
    first = int(rng.integers(cues + 1)) if len(task.text) > 1 else cues
    texts = [_text(rng, CUES[0], share) for share in (first, cues - first)[: len(task.text)]]
    low, high = task.scale
    noisy = low + cues * (high - low) / MOST_CUES + rng.normal(scale=NOISE * (high - low))
    return texts, round(float(min(high, max(low, noisy))), 3)


def _text(rng: "np.random.Generator", cue_words: tuple[str, ...], cues: int) -> str:
    length = max(cues, int(rng.integers(LENGTHS[0], LENGTHS[1] + 1)))
    words = [*rng.choice(cue_words, cues), *rng.choice(FILLER, length - cues)]
    return " ".join(words[i] for i in rng.permutation(length))
