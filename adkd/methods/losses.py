"""Losses that several methods share. Every convention in which published codes differ is a named flag."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss


def task_loss(logits: Tensor, labels: Tensor, *, regression: bool) -> Tensor:
    """Mean loss against the gold labels: cross-entropy, or squared error for regression.

    Args:
        logits: [B, C], or [B, 1] for regression.
        labels: [B] class numbers or scores.
    """
    return mse_loss(logits[:, 0], labels) if regression else cross_entropy(logits, labels)


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
    """Loss against the teacher's softened answers, mean over examples (Hinton et al. 2015, section 2).

    Args:
        student, teacher: logits [B, C], or [B, 1] for regression: the squared error of z / T then.
        temperature: T, above 0.
        divergence: KL(teacher || student) instead of the cross-entropy; the same gradient, another value.
        squared_temperature: times T^2, which keeps the gradient's size as T grows.
        mean_over_classes: divided by C as well, which is what PyTorch's ``KLDivLoss(reduction="mean")`` does.
    """
    factor = temperature**2 if squared_temperature else 1.0
    student, teacher = student / temperature, teacher / temperature
    if regression:
        return factor * mse_loss(student, teacher)
    p = teacher.softmax(-1)
    loss = -(p * student.log_softmax(-1)).sum(-1)
    if divergence:
        loss = loss + torch.special.xlogy(p, p).sum(-1)
    if mean_over_classes:
        loss = loss / student.shape[-1]
    return factor * loss.mean()
