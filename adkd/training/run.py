"""Training of a model from its spec, and the result of a run: predictions, scores, model and a report of provenance."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from transformers import PreTrainedModel

from adkd.base.disk import check_room
from adkd.base.files import new_directory
from adkd.base.progress import track
from adkd.data import metrics
from adkd.data.batches import Examples, by_length, data_fingerprint
from adkd.data.spec import DataReport
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.fetch import checkpoints
from adkd.fetch.origins import Origin
from adkd.methods.contract import Method
from adkd.models.encoder import check_reads, head, name_classes, save_classifier
from adkd.models.passes import logits_of
from adkd.plan.reports import Epoch, RunReport, Scores
from adkd.plan.results import Results
from adkd.plan.specs import LearnerSpec, StudentSpec, TeacherSpec
from adkd.plan.stages import STAGES
from adkd.training import runtime
from adkd.training.flops import training_flops
from adkd.training.loop import Trainer
from adkd.training.signals import Teacher

log = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 64


def predict(model: nn.Module, examples: Examples, device: torch.device) -> np.ndarray:
    """Logits [rows, C] of a model in eval mode, in the order of the split."""
    model.eval()
    parts, order = [], []
    with torch.no_grad():
        for rows in track(by_length(examples.lengths, EVALUATION_BATCH_SIZE), "predict"):
            batch = examples.batch(rows).to(device)
            parts.append(logits_of(model, batch).float().cpu())
            order.append(rows)
    return torch.cat(parts)[torch.cat(order).argsort()].numpy()


class Watch:
    """Scores a model on the splits that select the epoch, and stores its predictions there after every epoch."""

    def __init__(self, task: Task, data: Path, selection: str, device: torch.device):
        self.task, self.device = task, device
        rows = DataReport.of(data).rows
        splits = [split for split in selection_splits(task, selection) if split in rows]
        self.examples = {split: Examples.load(data, split) for split in splits}
        self.logits: list[dict[str, np.ndarray]] = []

    def __call__(self, model: nn.Module) -> float:
        """Mean of the main metric over the watched splits."""
        logits = {split: predict(model, examples, self.device) for split, examples in self.examples.items()}
        self.logits.append(logits)
        scores = [metrics.scores(self.task, logits[s], e.labels.numpy()) for s, e in self.examples.items()]
        return float(np.mean([values[self.task.metrics[0]] for values in scores]))


def selection_splits(task: Task, selection: str) -> tuple[str, ...]:
    """The splits whose mean main metric selects the epoch; with the selection ``last`` it is only recorded."""
    return ("held_out",) if selection == "held_out" else task.splits("validation")


@dataclass(frozen=True)
class Learner:
    """What a run starts from."""

    model: PreTrainedModel
    """Not yet trained."""
    method: Method
    teacher: Teacher
    origin: Origin
    """The files that the model was read from."""


@dataclass(frozen=True)
class Trained:
    """A model after its training, with the history of the training."""

    trainer: Trainer
    watch: Watch
    history: tuple[Epoch, ...]
    seconds: float
    started: float
    """Seconds since 1970."""
    data_fingerprint: str
    origin: Origin

    @property
    def kept(self) -> int:
        """The number of the epoch that was kept, among those that have a score."""
        return max(number for number, epoch in enumerate(self._scored) if epoch.kept)

    @property
    def selected(self) -> Epoch:
        """The epoch that was kept."""
        return self._scored[self.kept]

    @property
    def _scored(self) -> list[Epoch]:
        return [epoch for epoch in self.history if epoch.score is not None]

    def record(self) -> dict[str, Any]:
        """The fields that reports of teachers, students and trials share."""
        return {
            "selection": self.selected,
            "history": self.history,
            "seconds": self.seconds,
            "started": self.started,
            "finished": time.time(),
            "train_rows": len(self.trainer.examples),
            "data_fingerprint": self.data_fingerprint,
            "origin": self.origin,
        }


def trained_model(
    spec: TeacherSpec | LearnerSpec,
    results: Results,
    learner: Learner,
    device: torch.device,
    after_epoch: Callable[[float], None] = lambda score: None,
) -> Trained:
    """Train the learner's model in place, to the epoch that the spec selects.

    Args:
        after_epoch: called with the score of every epoch that has one.

    Raises:
        Diverged: a loss term or the gradient is not finite.
    """
    began, started = time.perf_counter(), time.time()
    task = task_named(spec.task)
    data = results.directory(spec.inputs.data)
    check_reads(learner.model, DataReport.of(data).spec.max_length, len(task.text))
    watch = Watch(task, data, spec.selection, device)

    def score(model: PreTrainedModel) -> float:
        value = watch(model)
        after_epoch(value)
        return value

    trainer = Trainer(
        model=learner.model,
        method=learner.method,
        teacher=learner.teacher,
        examples=Examples.load(data, "train"),
        training=spec.training,
        score=score,
        keep_best=spec.selection != "last",
        task=task.name,
        seed=spec.seed,
        device=device,
    )
    if task.regression and trainer.training.regression_bias == "mean":
        nn.init.constant_(head(learner.model).bias, trainer.examples.labels.mean().item())
    history = tuple(Epoch(**record) for record in trainer.fit())
    return Trained(
        trainer, watch, history, time.perf_counter() - began, started, data_fingerprint(data), learner.origin
    )


def train_and_write(
    spec: TeacherSpec | StudentSpec,
    results: Results,
    learner: Learner,
    device: torch.device,
    accept: Callable[[Scores], None] = lambda scores: None,
) -> None:
    """Train, score and write one run; its directory is written whole or not at all.

    Args:
        accept: raises an error if the scores are not acceptable, before anything is written.

    Raises:
        InputError: the disk has no room for the model.
        Diverged: a loss term or the gradient is not finite.
    """
    task, model = task_named(spec.task), learner.model
    name_classes(model, task.labels)
    out = results.directory(spec.result)
    check_room(out, sum(weights.nbytes for weights in model.state_dict().values()))
    trained = trained_model(spec, results, learner, device)
    provenance = runtime.provenance(device)  # now, so that the peak memory is that of training
    data = results.directory(spec.inputs.data)
    with new_directory(out) as folder:
        splits = {split: trained.watch.logits[trained.kept].get(split) for split in spec.evaluate}
        scores = write_predictions(folder / "predictions", model, task, data, splits, device)
        accept(scores)
        about = DataReport.of(data).spec
        save_classifier(model, checkpoints.tokenizer(about.tokenizer), about.max_length, folder / "model")
        report = RunReport(
            spec=spec,
            **trained.record(),
            scores=scores,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            flops=training_flops(trained.trainer),
            **provenance,
        )
        report.write_last(folder / str(STAGES[spec.stage].report))
    for split, values in scores.items():
        log.info("%s: %s", split, ", ".join(f"{name} {value:.4f}" for name, value in values.items()))
    log.info("wrote %s (%.0f s)", out, trained.seconds)


def write_predictions(
    folder: Path,
    model: nn.Module,
    task: Task,
    data: Path,
    splits: dict[str, np.ndarray | None],
    device: torch.device,
) -> Scores:
    """Store the logits of every split as parquet, and score those whose labels are known.

    Args:
        splits: split -> the model's logits if they are known already, or None.
    """
    folder.mkdir()
    scores: Scores = {}
    for split, known in splits.items():
        examples = Examples.load(data, split)
        logits = predict(model, examples, device) if known is None else known
        write_logits(folder / f"{split}.parquet", examples.idx.numpy(), examples.labels.numpy(), logits)
        if examples.labelled:
            scores[split] = {**metrics.scores(task, logits, examples.labels.numpy())}
    return scores


def write_logits(file: Path, idx: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> None:
    """Write the predictions of one split.

    Args:
        idx: [n] numbers of the examples in their source.
        labels: [n] class numbers or scores.
        logits: [n, C]
    """
    table = {"idx": idx, "label": labels.astype(np.float64)}
    table |= {f"logit_{number}": logits[:, number] for number in range(logits.shape[1])}
    pq.write_table(pa.table({name: _column(values) for name, values in table.items()}), file)


def _column(values: np.ndarray) -> pa.Array:
    """``values`` [n] as an Arrow array. Arrow's own conversion imports pandas, which takes a third of a second."""
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, buffer])
