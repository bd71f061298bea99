"""Attributions of every output to every token of an example, by integrated gradients (Sundararajan et al. 2017).

The attributed output of class c is F_c = z_c - mean_j z_j, its logit relative to the mean logit; for regression, F = z.
The path leads from the zero vector to the embedding block's output, as in AD-KD (Wu et al. 2023, section 3.2); captum
integrates with Gauss-Legendre quadrature. Unlike the token maps that AD-KD trains, these attributions keep their sign
and size, so that *completeness* can be checked: the attributions of an example sum to F at the example minus F at the
baseline.
"""

from dataclasses import dataclass, replace

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from transformers import PreTrainedModel

from adkd.data.batches import Batch
from adkd.models.passes import forward, logits_from

PASS_SIZE = 32
"""Examples x steps in one pass, as many as a training batch has."""


@dataclass(frozen=True)
class Attributions:
    """The attributions of a batch."""

    logits: Tensor
    """[B, C]"""
    signed: Tensor
    """[B, C, L]: the sum over a token's H attributions; exactly 0 at padding."""
    magnitudes: Tensor
    """[B, C, L]: the L2 norm of a token's H attributions, which AD-KD trains; exactly 0 at padding."""
    change: Tensor
    """[B, C]: F at the example minus F at the baseline."""

    @property
    def error(self) -> Tensor:
        """[B, C]: distance between the sum over tokens and ``change``; it goes to 0 as the steps grow."""
        return (self.signed.sum(-1) - self.change).abs()


def attributions(model: PreTrainedModel, batch: Batch, steps: int) -> Attributions:
    """The attribution of every F to every token, in the model's own precision.

    The F_c of an example sum to 0, and so do their attributions: C - 1 gradients are enough for C classes.

    Args:
        model: a classifier in eval mode.
        batch: on the model's device.
        steps: points of the quadrature, at least 1.
    """
    with torch.no_grad():
        output = forward(model, batch, frozenset({"embeddings"}))
        embeddings, logits = output.embeddings, output.logits
        assert embeddings is not None
        at_baseline = logits_from(model, batch, torch.zeros_like(embeddings))

    def outputs_at(points: Tensor, input_ids: Tensor, token_type_ids: Tensor, mask: Tensor) -> Tensor:
        repeated = replace(batch, input_ids=input_ids, token_type_ids=token_type_ids, mask=mask)
        return centred(logits_from(model, repeated, points))

    gradients = IntegratedGradients(outputs_at)
    parts = [
        gradients.attribute(
            embeddings,
            target=number,
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=max(PASS_SIZE, len(batch.rows)),
            additional_forward_args=(batch.input_ids, batch.token_type_ids, batch.mask),  # captum repeats them per step
        )
        for number in range(max(1, logits.shape[1] - 1))
    ]
    by_element = torch.stack(parts, dim=1)  # [B, C - 1, L, H], 0 at padding, which no token attends to
    if logits.shape[1] > 1:
        by_element = torch.cat([by_element, -by_element.sum(1, keepdim=True)], dim=1)
    return Attributions(
        logits=logits,
        signed=by_element.sum(-1),
        magnitudes=torch.linalg.vector_norm(by_element, dim=-1),
        change=centred(logits) - centred(at_baseline),
    )


def centred(logits: Tensor) -> Tensor:
    """F, [B, C]: every logit minus the mean of the example's logits; the value itself for regression."""
    return logits - logits.mean(-1, keepdim=True) if logits.shape[-1] > 1 else logits
