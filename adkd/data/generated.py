"""Made-up data for any task: no download, the same on every machine, and learned by a small model within seconds.

A text is filler words with cue words among them. Every class has cue words of its own; for regression the score is the
number of cue words. A few labels are wrong, so that no model gets everything right.
"""

from typing import TYPE_CHECKING

from adkd.base.seeds import entropy
from adkd.data.tasks import Task
from adkd.data.tsv import Columns
from adkd.fetch.tiny_bert import CUES, FILLER

if TYPE_CHECKING:
    import numpy as np

LENGTHS = (4, 20)
"""Words of one text, shortest and longest."""
WRONG = 0.05
"""Share of labels that are replaced by a class drawn at random."""
MOST_CUES = 5
"""Cue words of the highest score, 5.0."""


def read(task: Task, split: str, rows: int) -> Columns:
    """``rows`` examples of one split. More rows begin with the same ones."""
    import numpy as np

    rng = np.random.default_rng(entropy(task.name, split))
    found: Columns = {name: [] for name in (*task.text, "label", "idx")}
    for idx in range(rows):
        texts, label = _score_example(task, rng) if task.regression else _class_example(task, rng)
        for name, text in zip(task.text, texts, strict=True):
            found[name].append(text)
        found["label"].append(label)
        found["idx"].append(idx)
    return found


def _class_example(task: Task, rng: "np.random.Generator") -> tuple[list[str], int]:
    label = int(rng.integers(task.outputs))
    texts = [_text(rng, CUES[label], cues=int(rng.integers(1, 4))) for _ in task.text]
    return texts, int(rng.integers(task.outputs)) if rng.random() < WRONG else label


def _score_example(task: Task, rng: "np.random.Generator") -> tuple[list[str], float]:
    """The score is the number of cue words in all texts together, with a little noise, kept within 0 to 5."""
    cues = int(rng.integers(MOST_CUES + 1))
    first = int(rng.integers(cues + 1)) if len(task.text) > 1 else cues
    texts = [_text(rng, CUES[0], share) for share in (first, cues - first)[: len(task.text)]]
    noisy = cues * 5 / MOST_CUES + rng.normal(scale=0.25)
    return texts, round(float(min(5.0, max(0.0, noisy))), 3)


def _text(rng: "np.random.Generator", cue_words: tuple[str, ...], cues: int) -> str:
    length = max(cues, int(rng.integers(LENGTHS[0], LENGTHS[1] + 1)))
    words = [*rng.choice(cue_words, cues), *rng.choice(FILLER, length - cues)]
    return " ".join(words[i] for i in rng.permutation(length))
