"""The teacher stage: fine-tune an encoder, and fail if it does not beat a constant prediction."""

from pathlib import Path

import numpy as np

from adkd.base.errors import RunError
from adkd.data import metrics
from adkd.data.batches import Batch, Examples
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.fetch import origins
from adkd.methods import contract
from adkd.methods.contract import LossTerms, Pass, Phase, Setup
from adkd.methods.losses import mean, task_loss
from adkd.methods.method_config import MethodConfig
from adkd.models.encoder import new_classifier, shape
from adkd.plan.reports import Scores
from adkd.plan.results import Results
from adkd.plan.specs import TeacherSpec
from adkd.training import runtime
from adkd.training.run import Learner, train_and_write
from adkd.training.signals import Teacher


class FineTuning(contract.Method):
    """How a teacher is trained: the loss against the gold labels, without a teacher of its own."""

    def phases(self) -> list[Phase]:
        return [Phase("train", self.loss, frozenset(), {})]

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        of_examples = task_loss(student.logits, batch.labels, regression=self.setup.regression)
        return {"task": (1.0, mean(of_examples, batch.counts.examples))}


def train(spec: TeacherSpec, results: Results) -> None:
    """The stage: train one teacher and write it.

    Raises:
        RunError: the teacher does not beat the best constant prediction by ``margin`` on the dev set.
    """
    device = runtime.start_run(spec)
    task = task_named(spec.task)
    dropout = spec.training.classifier_dropout
    model = new_classifier(spec.model, task.outputs, task=task.name, seed=spec.seed, classifier_dropout=dropout)
    size = shape(model)
    method = FineTuning(MethodConfig(), Setup(task.outputs, task.regression, size, size))
    data = results.directory(spec.inputs.data)

    def accept(scores: Scores) -> None:
        check_floor(task, scores, data, spec.margin)

    train_and_write(spec, results, Learner(model, method, Teacher({}), origins.origin(spec.model)), device, accept)


def check_floor(task: Task, scores: Scores, data: Path, margin: float) -> None:
    """Raises RunError if the dev score does not exceed that of the best constant prediction by ``margin``."""
    splits = [split for split in task.splits("validation") if split in scores]
    score = np.mean([scores[split][task.metrics[0]] for split in splits])
    floors = [metrics.floor(task, Examples.load(data, split).labels.numpy()) for split in splits]
    floor = np.mean(floors)
    if not score > floor + margin:
        raise RunError(
            f"the {task.name} teacher has learned nothing: its dev score ({task.metrics[0]}) is {score:.4f}, that of a "
            f"constant prediction {floor:.4f}, and teacher.margin is {margin}; train it longer, with more rows or with "
            "another learning rate"
        )
