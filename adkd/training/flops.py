"""Floating-point operations of a training run: counted at three lengths, then added up over the batches that it had.

Matrix products are what is counted, a multiplication and an addition as two. A step on B examples of L tokens takes
just ``B (c0 + c1 L + c2 L^2)`` of them, forward and back, so that three counts tell it for every batch, in whole
numbers; a loss over pairs of examples would need more (the tests hold every method to the count of a whole run).
Attention is counted as products of matrices, whichever kernel computes it. A live teacher's passes count; stored
signals cost nothing here, for their cost is the teacher's, and neither does the scoring after an epoch.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from adkd.data.batches import Batch, Examples, shuffled
from adkd.methods.contract import Method, Phase
from adkd.models import kernels
from adkd.training.loop import Fit, batch_order, batch_terms
from adkd.training.signals import Teacher

ROWS = 2
LENGTHS = (2, 3, 4)
_FUSED_ON_A_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda query, key, value, *_, **__: sdpa_flop_count(
        query, key, value
    ),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda *shapes, **__: sdpa_backward_flop_count(
        *shapes[:4]
    ),
}
"""Kernels that PyTorch's counter passes over, and their operations by the shapes of what they are given."""


def counted(call: Callable[[], object]) -> int:
    """Operations of a call, as its own kernels do them."""
    with FlopCounterMode(display=False, custom_mapping=_FUSED_ON_A_CPU) as counter:
        call()
    return counter.get_total_flops()


def training_flops(model: nn.Module, method: Method, run: Fit) -> int:
    """Operations of all steps of all phases of a run. Works on copies: the run itself is not touched."""
    model, method = copy.deepcopy(model).train(), copy.deepcopy(method).train()
    live = copy.deepcopy(run.teacher.live)
    for network in filter(None, (model, live)):
        network.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    run = replace(run, teacher=Teacher(run.teacher.stored, live))
    with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
        return sum(_phase(model, method, phase, run) for phase in method.phases())


def _phase(model: nn.Module, method: Method, phase: Phase, run: Fit) -> int:
    counts = [step_flops(model, method, phase, run, length) for length in LENGTHS]
    return sum(steps * rows * _at(length, counts) // ROWS for (rows, length), steps in batches(phase, run).items())


def _at(length: int, counts: list[int]) -> int:
    """The parabola through the counts at ``LENGTHS``, continued to a length by Newton's differences."""
    first, second, third = counts
    x = length - LENGTHS[0]
    return first + x * (second - first) + x * (x - 1) // 2 * (third - 2 * second + first)


def step_flops(model: nn.Module, method: Method, phase: Phase, run: Fit, length: int, rows: int = ROWS) -> int:
    """Operations of one step, forward and back, on ``rows`` examples of ``length`` tokens; leaves no gradient."""

    def step() -> None:
        terms = batch_terms(model, method, phase, run, _batch(run.examples, rows, length), 0.0)
        sum(weight * value for weight, value in terms.values()).backward()

    flops = counted(step)
    for module in (model, method):
        module.zero_grad(set_to_none=True)
    return flops


def batches(phase: Phase, run: Fit) -> Counter[tuple[int, int]]:
    """(examples, padded length) of a batch -> how many such batches a phase goes through."""
    training = replace(run.training, **phase.training)
    order = batch_order(run)
    return Counter(
        (len(rows), int(run.examples.lengths[rows].max()))
        for _ in range(training.epochs)
        for rows in shuffled(run.examples.lengths, training.batch_size, order)
    )


def _batch(examples: Examples, rows: int, length: int) -> Batch:
    """The first examples with token number 1 at every place: how much there is to compute does not depend on it."""
    first = torch.arange(rows) % len(examples)
    ids = torch.ones(rows, length, dtype=torch.int64)
    return Batch(ids, torch.zeros_like(ids), torch.ones_like(ids), examples.labels[first], first)
