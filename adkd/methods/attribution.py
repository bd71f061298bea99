"""Token attributions by integrated gradients, differentiable to the model's weights (Wu et al. 2023, section 3.2).

The attribution of an encoder's output at the embedding block, with the zero vector as the baseline and m steps
(Sundararajan et al. 2017, right Riemann sum): ``s = E * mean_k dF/dE(k E / m)``, k = 1..m. A *view* is one F. A
token's score is the L2 norm of its part of s, and a map is the scores of an example divided by their L2 norm.

A map is normalised and drops the sign, so F needs to be known only up to a factor for each example:

* Regression: F = z. Two classes: F = z_0 - z_1; the views of the two classes are equal, so V = 1. For m = 1 this gives
  the map of the released code, which differentiates the loss against the true label. For m > 1 the released code
  weights step k by (p_k - y), for regression by (z_k - y), so its map depends on the gold label; here all steps have
  the same weight unless the labels are given.
* C > 2 classes: F_c = -log p_c for every class c, so V = C. Its gradient is the sum over i != c of p_i (d_i - d_c)
  with d_i = d(z_i - z_C)/dE, so C - 1 gradients are enough for all C views. The p_i are divided by the largest of them
  at the whole input. The map is the same, and a saturated softmax (p_c = 1 in float32) causes neither rounding noise
  nor NaN, as it would in ``-log(softmax(z))``.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize


def token_maps(
    logits_from: Callable[[Tensor], Tensor],
    embeddings: Tensor,
    mask: Tensor,
    *,
    logits: Tensor | None = None,
    steps: int = 1,
    top_k: int | None = None,
    create_graph: bool = False,
    labels: Tensor | None = None,
    redrawn: Callable[[], Tensor] | None = None,
) -> Tensor:
    """Normalised token maps of every view.

    Args:
        logits_from: the model after its embedding block, [B, L, H] -> [B, C].
        embeddings: [B, L, H], output of the embedding block; must require grad.
        mask: [B, L], 1 at tokens.
        logits: ``logits_from(embeddings)`` [B, C], if it was computed already; saves a pass.
        steps: m, the number of steps of the integral, at least 1.
        top_k: K, the number of a token's H dimensions that count, those of largest magnitude; None for all.
        create_graph: True to differentiate through the maps (the student); False for fixed maps (the teacher).
        labels: [B] class numbers or scores, to weigh the steps as the released code does; None for equal weights.
        redrawn: gives ``embeddings`` with new dropout, for every step but the last; None to use the same ones.

    Returns:
        [B, V, L]; each map [L] has L2 norm 1 (or is 0 if the gradient is), and is exactly 0 at padding.
    """
    if logits is None:
        logits = logits_from(embeddings)
    scale = _largest_other(logits)
    if steps > 1:  # log_p - scale is then above 0 at some steps; its exponential and square must stay in float32
        scale = scale.clamp(min=-40.0)
    whole = logits.detach()

    def gradients(logits: Tensor, point: Tensor) -> Tensor:
        d = view_gradients(logits, point, scale, create_graph)
        return d if labels is None else d * released_weight(logits, labels, whole)[:, None, None]

    total = gradients(logits, embeddings)  # the last step, k = m
    for k in range(1, steps):
        point = (embeddings if redrawn is None else redrawn()) * (k / steps)
        total = total + gradients(logits_from(point), point)
    scores = token_scores(total / steps * embeddings, top_k)  # [V, B, L]
    return normalize(scores * mask, dim=-1).transpose(0, 1)


def view_gradients(logits: Tensor, embeddings: Tensor, scale: Tensor, create_graph: bool) -> Tensor:
    """Gradient of every view's F with respect to the embeddings, [V, B, L, H]; see the module's docstring.

    Args:
        logits: [B, C], a function of ``embeddings``; the logits of an example depend on its embeddings alone.
        embeddings: [B, L, H].
        scale: [B, C], logarithm of the factor that each view is divided by; not used for fewer than three classes.
        create_graph: True to differentiate through the gradient.
    """
    classes = logits.shape[1]
    targets = [logits[:, i] - logits[:, -1] for i in range(classes - 1)] or [logits[:, 0]]
    d = torch.stack(
        [
            torch.autograd.grad(target.sum(), embeddings, create_graph=create_graph, retain_graph=True)[0]
            for target in targets
        ]
    )
    if classes <= 2:
        return d
    d = torch.cat([d, torch.zeros_like(d[:1])])  # d_C = 0
    own = torch.eye(classes, device=logits.device, dtype=torch.bool)
    log_p = logits.log_softmax(-1)[:, None, :] - scale[:, :, None]
    p = log_p.masked_fill(own, -torch.inf).exp()  # [B, V, C], 0 where i = c
    return torch.einsum("bvc,cblh->vblh", p, d) - p.sum(-1).T[:, :, None, None] * d


def released_weight(logits: Tensor, labels: Tensor, whole: Tensor) -> Tensor:
    """How the released code weighs a step, [B], up to a factor for each example: the derivative of its loss by F.

    It is z - y for regression, and for two classes the probability of the wrong one, divided by that at the whole input
    so that it stays in the range of float32. The views of more classes already contain it.

    Args:
        logits: [B, C] at the step.
        labels: [B] class numbers or scores.
        whole: [B, C] logits at the whole input, detached.
    """
    classes = logits.shape[1]
    if classes > 2:
        return torch.ones_like(logits[:, 0])
    if classes == 1:
        return logits[:, 0] - labels

    def log_error(logits: Tensor) -> Tensor:
        true = labels[:, None]
        return logsigmoid(logits.gather(1, 1 - true) - logits.gather(1, true))[:, 0]

    return torch.exp(log_error(logits) - log_error(whole).clamp(min=-40.0))


def _largest_other(logits: Tensor) -> Tensor:
    """[B, C], detached: for every class the largest log-probability among the other classes."""
    classes = logits.shape[1]
    own = torch.eye(classes, device=logits.device, dtype=torch.bool)
    log_p = logits.detach().log_softmax(-1)[:, None, :].masked_fill(own, -torch.inf)
    return log_p.amax(-1)


def token_scores(attributions: Tensor, top_k: int | None) -> Tensor:
    """L2 norm over the ``top_k`` dimensions of largest magnitude (None for all), [..., H] -> [...]."""
    if top_k is not None and top_k < attributions.shape[-1]:
        attributions = attributions.abs().topk(top_k, dim=-1).values
    return torch.linalg.vector_norm(attributions, dim=-1)
