"""What is timed: one training step, or one pass, of every method and of the published implementation.

Weights and tokens are random: neither changes the cost of a step. Students are trained by the suite's own loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import BertConfig, BertForSequenceClassification

from adkd.bench import lengths, published_way
from adkd.data.batches import Batch, Examples, by_length
from adkd.data.batching import Batches
from adkd.data.tasks import task as task_named
from adkd.fetch.checkpoints import Shape
from adkd.methods import registry
from adkd.methods.contract import Method, Setup
from adkd.methods.method_config import STORED, MethodConfig, TokenMap
from adkd.methods.settings import Training
from adkd.models import kernels
from adkd.models.encoder import frozen
from adkd.models.passes import logits_of
from adkd.training.loop import Descent, Trainer
from adkd.training.signals import BATCH_SIZE, Teacher, one_batch
from adkd.training.teacher import FineTuning

Call = Callable[[], object]

LEARNING_RATE = 1e-6


@dataclass(frozen=True)
class Case:
    """One thing to time."""

    variant: str
    """A method, or METHOD/PHASE for one of several phases; ``reference``, the published AD-KD; ``teacher``, a step of
    its fine-tuning; ``signals``; ``evaluate`` and ``reference_evaluate``, a student's pass over dev examples."""
    task: str
    """The task whose lengths and number of classes the examples have: a key of ``lengths.PERCENTILES``."""
    teacher: Shape
    student: Shape
    batch_size: int = 32
    bins: int = 3
    """Number of timed batches: the middle ones of that many equal parts of an epoch that is sorted by length."""
    examples: int = 3200
    """Random examples that the batches are drawn from."""
    lengths: tuple[int, ...] = ()
    """Time one batch of each of these lengths instead."""
    stretches: tuple[int, ...] = ()
    """Time stretches of these numbers of steps instead of single batches."""
    settings: tuple[tuple[str, object], ...] = ()
    """Settings of the method that differ from its defaults."""
    device: str = "cpu"

    @property
    def published(self) -> bool:
        return self.variant.startswith("reference")

    @property
    def counted(self) -> bool:
        """Whether its operations can be counted: PyTorch's counter refuses the gradient to a leaf that signals need."""
        return self.variant != "signals"


def calls(case: Case) -> list[tuple[Call, int]]:
    """What to time, and the number of examples that each call processes."""
    if case.lengths:
        examples = lengths.examples(case.task, np.repeat(case.lengths, case.batch_size))
        parts = [[rows] for rows in torch.arange(len(examples)).split(case.batch_size)]
    else:
        examples = lengths.examples(case.task, lengths.sample(case.task, case.examples))
        batches = _batches(case, examples)
        parts = [batches[:number] for number in case.stretches] or [
            [rows] for rows in _middles(case, examples, batches)
        ]
    step = _step(case, examples)
    return [(partial(_in_turn, step, part), sum(map(len, part))) for part in parts]


def _in_turn(step: Callable[[Tensor], object], batches: list[Tensor]) -> None:
    for rows in batches:
        step(rows)


def _batches(case: Case, examples: Examples) -> list[Tensor]:
    """One epoch, or one pass over a dev set, in the order of the suite or of the published implementation."""
    generator = torch.Generator().manual_seed(0)
    if case.published:
        return list(torch.randperm(len(examples), generator=generator).split(case.batch_size))
    if case.variant in ("evaluate", "signals"):
        return by_length(examples.lengths, BATCH_SIZE)
    return Batches(examples, case.batch_size, "like_length", generator).epoch()


def _middles(case: Case, examples: Examples, batches: list[Tensor]) -> list[Tensor]:
    """The batch in the middle of every bin; a single bin where every batch is padded to the same length."""
    batches = sorted(batches, key=lambda rows: examples.lengths[rows].max())
    bins = 1 if case.published else case.bins
    return [batches[int((i + 0.5) / bins * len(batches))] for i in range(bins)]


def _step(case: Case, examples: Examples) -> Callable[[Tensor], object]:
    """The timed function of a batch's rows."""
    task, device = task_named(case.task), torch.device(case.device)
    if case.published:
        return _published(case, examples, task.outputs)
    if case.variant == "evaluate":
        student = frozen(classifier(case.student, task.outputs, kernels.FUSED)).to(device)
        return lambda rows: _no_grad(logits_of, student, examples.batch(rows).to(device))
    if case.variant == "signals":
        teacher = frozen(classifier(case.teacher, task.outputs, kernels.FUSED)).to(device)
        signals = (("logits", None), ("token_maps", TokenMap()))
        return lambda rows: [one_batch(teacher, examples.batch(rows).to(device), *signal) for signal in signals]
    setup = Setup(task.outputs, task.regression, case.teacher, case.student)
    if case.variant == "teacher":
        return _training(case, examples, FineTuning(MethodConfig(), replace(setup, student=case.teacher)), None)
    name, _, phase = case.variant.partition("/")
    kind = registry.load(name)
    method = kind(registry.configure(name, dict(case.settings)), setup)
    return _training(case, examples, method, phase or None)


def _training(case: Case, examples: Examples, method: Method, phase_name: str | None) -> Callable[[Tensor], object]:
    setup: Setup = method.setup
    attention = kernels.TWICE_DIFFERENTIABLE if method.second_order else kernels.FUSED
    device = torch.device(case.device)
    student = classifier(setup.student, setup.outputs, attention).to(device)
    method.to(device)
    phase = next(phase for phase in method.phases() if phase_name in (None, phase.name))
    live = phase.needs - STORED
    teacher = frozen(classifier(setup.teacher, setup.outputs, kernels.FUSED)).to(device) if live else None
    training = Training(batch_size=case.batch_size, learning_rate=LEARNING_RATE)
    trainer = Trainer(
        model=student.train(),
        method=method,
        teacher=Teacher(_stored(examples, setup), teacher),
        examples=examples,
        training=training,
        score=lambda model: 0.0,
        keep_best=False,
        task=case.task,
        seed=0,
        device=device,
    )
    descent = Descent(student, method, training, steps=10**6)
    batches = trainer.batches(phase)
    return lambda rows: trainer.fit_epoch(phase, descent, [batches.batch(rows)], epoch=0, epochs=1)


def _published(case: Case, examples: Examples, outputs: int) -> Callable[[Tensor], object]:
    device = torch.device(case.device)
    student = classifier(case.student, outputs, "eager").to(device)

    def batch(rows: Tensor) -> Batch:
        return published_way.padded(examples.batch(rows), lengths.LONGEST).to(device)

    if case.variant == "reference_evaluate":
        return lambda rows: published_way.predict(student, [batch(rows)])
    teacher = classifier(case.teacher, outputs, "eager").eval().to(device)
    settings: dict[str, Any] = {"alpha": 0.9, "temperature": 2.0, "beta": 10.0, "top_k": None}
    descent = published_way.Descent(student.train(), LEARNING_RATE, 10**6)
    return lambda rows: descent.step(published_way.adkd_loss(student, teacher, batch(rows), **settings))


class _Stored:
    """A signal in memory, in place of the stored ``signals.Signal``."""

    def __init__(self, values: Tensor):
        self.values = values

    def rows(self, rows: Tensor) -> Tensor:
        return self.values[rows]


def _stored(examples: Examples, setup: Setup) -> dict[str, _Stored]:
    count, longest = len(examples), int(examples.lengths.max())
    views = 1 if setup.outputs <= 2 else setup.outputs
    mask = torch.arange(longest) < examples.lengths[:, None]
    maps = normalize(torch.rand(count, views, longest) * mask[:, None], dim=-1)
    states = torch.randn(count, setup.teacher.layers, setup.teacher.hidden)
    return {"logits": _Stored(torch.randn(count, setup.outputs)), "cls": _Stored(states), "token_maps": _Stored(maps)}


def classifier(shape: Shape, outputs: int, attention: str) -> nn.Module:
    """A classifier with random weights and BERT's vocabulary; with plain kernels if the attention is ``eager``."""
    config = BertConfig(
        vocab_size=lengths.VOCABULARY,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        num_labels=outputs,
        attn_implementation=attention,
    )
    torch.manual_seed(0)
    model = BertForSequenceClassification(config)
    return model if attention == "eager" else kernels.install(model)


@torch.no_grad()
def _no_grad(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)
