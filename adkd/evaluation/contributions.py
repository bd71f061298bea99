"""What every token of an example contributes to every output, by integrated gradients (Sundararajan et al. 2017).

Class c is explained by F_c = z_c - mean_j z_j, how far its logit stands above the others; regression by F = z. The path
leads from the zero vector to the embedding block's output, as in AD-KD (Wu et al. 2023, section 3.2); captum integrates
with Gauss-Legendre quadrature. Unlike the maps that AD-KD trains, contributions keep their sign and size, so that
*completeness* can be checked: the tokens of an example add up to F at the example minus F at the baseline.
"""

from dataclasses import dataclass, replace

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from adkd.data.batches import Batch
from adkd.models.passes import forward, logits_from

PASS_SIZE = 32
"""Examples x steps in one pass, as many as a training batch has."""


@dataclass(frozen=True)
class Contributions:
    """What every token of a batch adds to every F."""

    logits: Tensor
    """[B, C]"""
    signed: Tensor
    """[B, C, L]: the sum of a token's H attributions; exactly 0 at padding."""
    magnitudes: Tensor
    """[B, C, L]: their L2 norm, which AD-KD trains; exactly 0 at padding."""
    change: Tensor
    """[B, C]: F at the example minus F at the baseline."""

    @property
    def error(self) -> Tensor:
        """[B, C]: how far a sum over tokens is from ``change``, which it is with infinitely many steps."""
        return (self.signed.sum(-1) - self.change).abs()


def contributions(model: nn.Module, batch: Batch, steps: int) -> Contributions:
    """What every token adds to every F, in the model's own precision.

    The F_c of an example add up to 0, and so do their attributions: C - 1 gradients serve C classes.

    Args:
        model: a classifier in eval mode.
        batch: on the model's device.
        steps: points of the quadrature, at least 1.
    """
    with torch.no_grad():
        found = forward(model, batch, frozenset({"embeddings"}))
        at_baseline = found.logits_from(torch.zeros_like(found.embeddings))

    def output(points: Tensor, input_ids: Tensor, token_type_ids: Tensor, mask: Tensor) -> Tensor:
        repeated = replace(batch, input_ids=input_ids, token_type_ids=token_type_ids, mask=mask)
        return centred(logits_from(model, repeated, points))

    gradients = IntegratedGradients(output)
    parts = [
        gradients.attribute(
            found.embeddings,
            target=output_number,
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=max(PASS_SIZE, len(batch.rows)),
            additional_forward_args=(batch.input_ids, batch.token_type_ids, batch.mask),  # captum repeats them per step
        )
        for output_number in range(max(1, found.logits.shape[1] - 1))
    ]
    attributions = torch.stack(parts, dim=1)  # [B, C - 1, L, H], 0 at padding, which nothing attends to
    if found.logits.shape[1] > 1:
        attributions = torch.cat([attributions, -attributions.sum(1, keepdim=True)], dim=1)
    return Contributions(
        logits=found.logits,
        signed=attributions.sum(-1),
        magnitudes=torch.linalg.vector_norm(attributions, dim=-1),
        change=centred(found.logits) - centred(at_baseline),
    )


def centred(logits: Tensor) -> Tensor:
    """F, [B, C]: every logit minus the mean of the example's logits; the value itself for regression."""
    return logits - logits.mean(-1, keepdim=True) if logits.shape[-1] > 1 else logits
