"""The student's stage: build the student, find its teacher's signals, train it by its method."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.data.tasks import task as task_named
from adkd.fetch import checkpoints
from adkd.methods import registry
from adkd.methods.contract import Method, Setup
from adkd.models.encoder import checkpoint_shape, load_frozen, new_classifier, shape
from adkd.training import runtime
from adkd.training.run import train_and_write
from adkd.training.signals import Signal, Teacher


def train(spec: dict[str, Any], out: Path) -> None:
    """Train one student and write it to ``out``.

    Args:
        spec: method, settings, task, seed, student, training, selection, evaluate, inputs (data; signals and teacher as
            far as the method needs them), device, threads.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
        Diverged: the loss became NaN.
    """
    device = runtime.start(spec)
    train_and_write(spec, out, *learner(spec, device), device)


def learner(spec: dict[str, Any], device: torch.device) -> tuple[PreTrainedModel, Method, Teacher]:
    """A fresh student, its method, and where its teacher's outputs come from; ``spec`` as for ``train``.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
    """
    task = task_named(spec["task"])
    kind = registry.load(spec["method"])
    student = new_student(spec, task.outputs, eager=kind.second_order)
    inputs = spec["inputs"]
    fingerprint = read_json(Path(inputs["data"]) / "data.json")["fingerprint"]
    stored = {name: Signal(Path(path), fingerprint) for name, path in inputs["signals"].items()}
    live = None
    if "teacher" in inputs:
        live = load_frozen(Path(inputs["teacher"]) / "model", device)
    config = registry.configure(spec["method"], spec["settings"])
    setup = Setup(task.outputs, task.regression, checkpoint_shape(spec["teacher_model"]), shape(student))
    if reason := config.fits(setup.teacher, setup.student):
        raise InputError(f"{spec['method']} cannot teach this student: {reason}")
    return student, kind(config, setup), Teacher(stored, live)


def new_student(spec: dict[str, Any], outputs: int, *, eager: bool) -> PreTrainedModel:
    """A student from a checkpoint of its own, or from chosen layers of the teacher's pre-trained checkpoint."""
    student, place = spec["student"], {"task": spec["task"], "seed": spec["seed"], "eager": eager}
    if "model" not in student:
        layers = student["from_teacher_layers"]
        return new_classifier(spec["teacher_model"], outputs, layers=layers, **place)
    ours, theirs = (checkpoints.tokenizer(name).get_vocab() for name in (student["model"], spec["teacher_model"]))
    if ours != theirs:
        raise InputError(
            f"student.model {student['model']} and teacher.model {spec['teacher_model']} do not share a vocabulary; "
            "they must read the same tokens"
        )
    return new_classifier(student["model"], outputs, **place)
