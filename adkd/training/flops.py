"""Floating-point operations of a training run: counted at three lengths and summed over the batches of the run.

Only matrix products are counted, a multiplication and an addition as two operations. A step on B examples of L tokens
takes ``B (c0 + c1 L + c2 L^2)`` operations, forward and backward, so three counts determine the number for every batch,
in integers. A loss over pairs of examples would need more counts; a test compares every method with the count of a
complete run. Attention is counted as matrix products, whichever kernel computes it. The passes of a live teacher count.
Stored signals do not, because their cost belongs to the teacher, and neither do the scores after an epoch.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from adkd.data.batches import Batch, Examples
from adkd.methods.contract import Phase
from adkd.models import kernels
from adkd.training.loop import Trainer, weighted_sum
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
"""Kernels that PyTorch's counter ignores -> their number of operations, from the shapes of their arguments."""


def counted(call: Callable[[], object]) -> int:
    """The number of operations of a call."""
    with FlopCounterMode(display=False, custom_mapping=_FUSED_ON_A_CPU) as counter:
        call()
    return counter.get_total_flops()


def training_flops(trainer: Trainer) -> int:
    """Operations of all steps of all phases of a run. Works on copies and does not change the run itself."""
    live = copy.deepcopy(trainer.teacher.live)
    copied = replace(
        trainer,
        model=copy.deepcopy(trainer.model).train(),
        method=copy.deepcopy(trainer.method).train(),
        teacher=Teacher(trainer.teacher.stored, live),
    )
    for network in filter(None, (copied.model, live)):
        network.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    with torch.random.fork_rng(devices=[trainer.device] if trainer.device.type == "cuda" else []):
        return sum(_phase_flops(copied, phase) for phase in copied.method.phases())


def _phase_flops(trainer: Trainer, phase: Phase) -> int:
    counts = [step_flops(trainer, phase, length) for length in LENGTHS]
    return sum(steps * rows * _at(length, counts) // ROWS for (rows, length), steps in batches(trainer, phase).items())


def _at(length: int, counts: list[int]) -> int:
    """The parabola through the counts at ``LENGTHS``, evaluated at a length by Newton's differences."""
    first, second, third = counts
    x = length - LENGTHS[0]
    return first + x * (second - first) + x * (x - 1) // 2 * (third - 2 * second + first)


def step_flops(trainer: Trainer, phase: Phase, length: int, rows: int = ROWS) -> int:
    """Operations of one step, forward and backward, on ``rows`` examples of ``length`` tokens; leaves no gradient."""
    batch = _batch(trainer.examples, rows, length)
    flops = counted(lambda: weighted_sum(trainer.loss_terms(phase, batch, 0.0)).backward())
    for module in (trainer.model, trainer.method):
        module.zero_grad(set_to_none=True)
    return flops


def batches(trainer: Trainer, phase: Phase) -> Counter[tuple[int, int]]:
    """(examples, padded length) of a batch -> the number of such batches in a phase."""
    order, lengths = trainer.batches(phase), trainer.examples.lengths
    return Counter(
        (len(rows), int(lengths[rows].max())) for _ in range(trainer.settings(phase).epochs) for rows in order.epoch()
    )


def _batch(examples: Examples, rows: int, length: int) -> Batch:
    """The first examples with token number 1 at every position: the tokens do not change the number of operations."""
    first = torch.arange(rows) % len(examples)
    ids = torch.ones(rows, length, dtype=torch.int64)
    return Batch(ids, torch.zeros_like(ids), torch.ones_like(ids), examples.labels[first], first)
