"""Made-up results, written by the classes that training uses: for timing and testing what reads results."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from adkd.base.files import new_directory
from adkd.base.seeds import entropy
from adkd.data import metrics
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.plan.reports import Epoch, RunReport, Scores
from adkd.plan.results import Results
from adkd.plan.specs import StudentSpec, TeacherSpec
from adkd.plan.stages import STAGES
from adkd.training.run import write_logits

PROVENANCE: dict[str, Any] = {
    "device": "cpu",
    "cuda_visible_devices": None,
    "platform": "made up",
    "python": "3.11",
    "prefix": "made up",
    "versions": {"torch": "2"},
    "git_commit": None,
    "peak_memory_bytes": 3 * 2**29,
}
"""What a report says of the process that never ran."""

Outputs = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Split -> [n] labels, class numbers or scores, and [n, C] logits."""


def report(spec: TeacherSpec | StudentSpec, scores: Scores, **fields: Any) -> RunReport:
    """The report of a run that never happened; ``fields`` replace what it says."""
    epoch = Epoch(phase="train", epoch=1, terms={"task": 0.5}, score=0.8, seconds=10.0, kept=True)
    values: dict[str, Any] = {
        "spec": spec,
        "history": (epoch,),
        "selection": epoch,
        "seconds": 12.5,
        "started": 1.0e9,
        "finished": 1.0e9 + 12.5,
        "scores": scores,
        "train_rows": 100,
        "data_fingerprint": "0" * 64,
        "parameters": 11_000_000,
        "flops": 4 * 10**12,
    }
    return RunReport(**(values | PROVENANCE | fields))


def write_run(results: Results, spec: TeacherSpec | StudentSpec, outputs: Outputs, **fields: Any) -> RunReport:
    """Write the report and the predictions of a run that never happened; scores are those of its predictions."""
    task = task_named(spec.task)
    scores: Scores = {}
    with new_directory(results.directory(spec.result)) as folder:
        (folder / "predictions").mkdir()
        for split, (labels, logits) in outputs.items():
            write_logits(folder / "predictions" / f"{split}.parquet", np.arange(len(labels)), labels, logits)
            if split not in task.hidden:
                scores[split] = {**metrics.scores(task, logits, labels)}
        made = report(spec, scores, **fields)
        made.write_last(folder / str(STAGES[spec.stage].report))
    return made


SPREAD = 0.45
"""Standard deviation of the noise in the logits of one run; that of the difficulty of an example for all runs is 1."""


def predictions(spec: TeacherSpec | StudentSpec) -> Outputs:
    """Outputs of a run on dev splits of the official sizes.

    Two runs of a method disagree on about a tenth of the examples, because the time of the statistical tests depends on
    that.
    """
    task, outputs = task_named(spec.task), {}
    rng = np.random.default_rng(entropy(spec.result))
    method = spec.method if isinstance(spec, StudentSpec) else ""
    skill = 2.0 + 0.05 * len(method) / 10 + rng.normal(scale=0.05)
    for split in task.splits("validation"):
        labels, perfect, difficulty = _examples(task, split)
        logits = skill * perfect + difficulty + rng.normal(scale=SPREAD, size=difficulty.shape)
        outputs[split] = (labels, logits.astype(np.float32))
    return outputs


@cache
def _examples(task: Task, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n] labels of a split, [n, C] logits of a perfect run, and [n, C] how hard the examples are for every run."""
    rng = np.random.default_rng(entropy(task.name, split))
    shape = task.rows[split], task.outputs
    labels: np.ndarray = rng.integers(0, 51 if task.regression else task.outputs, shape[0])
    if task.regression:
        labels = labels / np.float32(10)
    perfect = labels[:, None] / 2 if task.regression else np.eye(task.outputs)[labels]
    return labels, perfect, rng.normal(size=shape)
