"""Losses that several methods share, for every example of a batch. Each convention on which released codes differ is a
flag.

A method divides by counts that the loop knows, ``mean(values, batch.counts.examples)``, and not by the size of what it
gets. A batch that is computed in parts then has the gradient of the whole, and the expected gradient does not depend on
which examples share a batch.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss


def mean(values: Tensor, count: Tensor) -> Tensor:
    """The sum of ``values / count``, a scalar.

    Args:
        values: [B] the value of every example, itself a sum over what ``count`` counts.
        count: a scalar or [B]: a field of ``batch.counts``.
    """
    return (values / count.to(values.dtype)).sum()


def task_loss(logits: Tensor, labels: Tensor, *, regression: bool) -> Tensor:
    """Loss of every example against its gold label, [B]: cross-entropy, or squared error for regression.

    Args:
        logits: [B, C], or [B, 1] for regression.
        labels: [B] class numbers or scores.
    """
    if regression:
        return mse_loss(logits[:, 0], labels, reduction="none")
    return cross_entropy(logits, labels, reduction="none")


def soft_loss(
    student: Tensor,
    teacher: Tensor,
    temperature: float,
    *,
    regression: bool,
    divergence: bool = False,
    squared_temperature: bool = False,
    mean_over_classes: bool = False,
) -> Tensor:
    """Loss of every example against the teacher's softened answers, [B] (Hinton et al. 2015, section 2).

    Args:
        student, teacher: logits z [B, C]; for regression [B, 1], and the loss is the squared error of z / T.
        temperature: T > 0.
        divergence: use KL(teacher || student) instead of the cross-entropy: another value, the same gradient.
        squared_temperature: multiply by T^2, which keeps the size of the gradient as T grows.
        mean_over_classes: also divide by C, as PyTorch's ``KLDivLoss(reduction="mean")`` does.
    """
    factor = temperature**2 if squared_temperature else 1.0
    student, teacher = student / temperature, teacher / temperature
    if regression:
        return factor * mse_loss(student[:, 0], teacher[:, 0], reduction="none")
    p = teacher.softmax(-1)
    loss = -(p * student.log_softmax(-1)).sum(-1)
    if divergence:
        loss = loss + torch.special.xlogy(p, p).sum(-1)
    if mean_over_classes:
        loss = loss / student.shape[-1]
    return factor * loss
