"""Made-up results, written by the classes that training uses: for timing and testing what reads results."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adkd.base.files import new_directory
from adkd.data import metrics
from adkd.data.tasks import task
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
    one, scores = task(spec.task), {}
    with new_directory(results.directory(spec.result)) as folder:
        (folder / "predictions").mkdir()
        for split, (labels, logits) in outputs.items():
            write_logits(folder / "predictions" / f"{split}.parquet", np.arange(len(labels)), labels, logits)
            if split not in one.hidden:
                predicted = logits[:, 0] if one.regression else logits.argmax(1)
                scores[split] = metrics.official(one, predicted, labels)
        made = report(spec, scores, **fields)
        made.write(folder / str(STAGES[spec.stage].report))
    return made
