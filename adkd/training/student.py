"""The student stage: build a student, open the signals of its teacher, and train it by its method."""

from functools import partial

import torch
from transformers import PreTrainedModel

from adkd.base.errors import InputError
from adkd.data.batches import data_fingerprint
from adkd.data.tasks import task as task_named
from adkd.fetch import checkpoints, origins
from adkd.methods import registry
from adkd.methods.contract import Setup
from adkd.methods.method_config import STORED
from adkd.models.encoder import checkpoint_shape, load_frozen, new_classifier, shape
from adkd.plan.results import Results
from adkd.plan.specs import LearnerSpec, StudentSpec
from adkd.training import runtime
from adkd.training.run import Learner, train_and_write
from adkd.training.signals import Signal, Teacher


def train(spec: StudentSpec, results: Results) -> None:
    """The stage: train one student and write it.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
        Diverged: a loss term or the gradient is not finite.
    """
    device = runtime.start_run(spec)
    train_and_write(spec, results, new_learner(spec, results, device), device)


def new_learner(spec: LearnerSpec, results: Results, device: torch.device) -> Learner:
    """A new student with its method and its teacher.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
    """
    task = task_named(spec.task)
    kind, config = registry.load(spec.method), registry.configure(spec.method, spec.settings)
    student = new_student(spec, task.outputs, eager=kind.second_order)
    inputs = spec.inputs
    fingerprint = data_fingerprint(results.directory(inputs.data))
    stored = {name: Signal(results.directory(place), fingerprint) for name, place in inputs.signals.items()}
    live = None
    if inputs.teacher:
        live = load_frozen(results.model(inputs), device)
    setup = Setup(task.outputs, task.regression, checkpoint_shape(spec.teacher_model), shape(student))
    if reason := config.fits(setup.teacher, setup.student):
        raise InputError(f"{spec.method} does not fit this teacher and student: {reason}")
    method = kind(config, setup)
    needs = frozenset().union(*(phase.needs for phase in method.phases()))
    if lacking := sorted((needs & STORED) - stored.keys()):
        raise InputError(f"{spec.method} needs {lacking[0]}, and inputs.signals has {', '.join(stored) or 'none'}")
    if needs - STORED and not live:
        raise InputError(f"{spec.method} needs {min(needs - STORED)} of a teacher, and inputs.teacher is null")
    origin = origins.origin(spec.student.model or spec.teacher_model)
    return Learner(student, method, Teacher(stored, live), origin)


def new_student(spec: LearnerSpec, outputs: int, *, eager: bool) -> PreTrainedModel:
    """A student from a checkpoint of its own, or from chosen layers of the teacher's pre-trained checkpoint."""
    new = partial(
        new_classifier,
        outputs=outputs,
        task=spec.task,
        seed=spec.seed,
        eager=eager,
        classifier_dropout=spec.training.classifier_dropout,
    )
    model, layers = spec.student.model, spec.student.from_teacher_layers
    if model is None:
        return new(spec.teacher_model, layers=list(layers or ()))
    ours, theirs = (checkpoints.tokenizer(name).get_vocab() for name in (model, spec.teacher_model))
    if ours != theirs:
        allowed = f"a model with the vocabulary of teacher.model {spec.teacher_model}"
        raise InputError("student.model", value=model, allowed=allowed)
    return new(model)
