"""Faster versions of operations inside a BERT encoder. Each is tested against its PyTorch original.

* ``gelu``: PyTorch differentiates GELU's gradient with a dozen passes over the largest tensor of a layer; here the
  gradient of the gradient is written out. Original: ``torch.nn.functional.gelu``.
* ``drop``, dropout: on a CPU, PyTorch draws one number per element in one thread, which takes a twentieth of a training
  step. Here one 64-bit draw serves four elements, 16 bits each, so p is rounded to a multiple of 2^-16: 0.1 becomes
  0.100006, and the kept elements are scaled accordingly. Original, used on a GPU: ``torch.nn.functional.dropout``.
* ``attention``: softmax attention with this dropout, twice differentiable; ``fused_attention`` where one gradient is
  enough.
"""

import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional
from transformers import AttentionInterface
from transformers.activations import GELUActivation
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, eager_mask, sdpa_mask

TWICE_DIFFERENTIABLE, FUSED = "adkd_twice_differentiable", "adkd_fused"
"""Names of the two attention implementations, for ``attn_implementation``."""


M = TypeVar("M", bound=nn.Module)


def install(model: M) -> M:
    """Replace the model's GELU and dropout by the faster versions; its parameters keep their names."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(child.p).train(child.training))
            elif isinstance(child, (GELUActivation, nn.GELU)):
                setattr(module, name, Gelu())
    return model


class Gelu(nn.Module):
    """``gelu`` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x)


class Dropout(nn.Module):
    """``drop`` as a module."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.p, self.training)


def gelu(x: Tensor) -> Tensor:
    """x Phi(x), with Phi the normal distribution's cumulative function; twice differentiable."""
    return _Gelu.apply(x)


def drop(x: Tensor, p: float, training: bool) -> Tensor:
    """Dropout: each element is 0 with probability p and scaled by 1 / (1 - p) otherwise; ``x`` itself in eval mode."""
    if not training or p == 0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, p)
    dropped = min(round(p * 2**16), 2**16 - 1)
    return _Masked.apply(x, kept(x.shape, dropped), 2**16 / (2**16 - dropped))


def kept(shape: torch.Size, dropped: int) -> Tensor:
    """Which elements are kept: each with probability 1 - dropped / 2^16, from the global generator."""
    count = shape.numel()
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.int16)[:count].view(shape) >= dropped - 2**15


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Softmax attention, the interface of ``transformers``.

    Args:
        query: [B, A, Q, H/A]; key, value: [B, A, L, H/A].
        attention_mask: [B, 1, Q or 1, L], added to the scores.
        scaling: factor of the scores.
        dropout: probability of dropping an attention weight.

    Returns:
        [B, Q, A, H/A], and the weights [B, A, Q, L] after dropout.
    """
    scores = (query * scaling) @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = drop(scores.softmax(-1), dropout, module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def fused_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention that can be differentiated once; ``attention_mask`` is True where a key counts.

    Uses PyTorch's fused kernels, except on a CPU with dropout, where these would fall back to PyTorch's slow dropout.
    """
    if dropout and module.training and query.device.type == "cpu":
        if attention_mask is not None:
            lowest = torch.finfo(query.dtype).min
            attention_mask = query.new_zeros(attention_mask.shape).masked_fill_(~attention_mask, lowest)
        return attention(module, query, key, value, attention_mask, scaling, dropout)
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=False
    )


AttentionInterface.register(TWICE_DIFFERENTIABLE, attention)
AttentionMaskInterface.register(TWICE_DIFFERENTIABLE, eager_mask)
AttentionInterface.register(FUSED, fused_attention)
AttentionMaskInterface.register(FUSED, sdpa_mask)


class _Masked(Function):
    """x * kept * scale: linear in x, so its gradient is the same function of the incoming gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return (x * kept).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return _Masked.apply(gradient, kept, ctx.scale), None, None


class _Gelu(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return functional.gelu(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return _GeluGradient.apply(gradient, x)


class _GeluGradient(Function):
    """gradient * (Phi(x) + x phi(x)), with phi the normal density."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(gradient, x)
        return torch.ops.aten.gelu_backward(gradient, x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, second: Tensor) -> tuple[Tensor, Tensor]:
        gradient, x = ctx.saved_tensors
        squared = x * x
        # d/dx (Phi + x phi) = (2 - x^2) phi, computed in place: these are the largest tensors of a step.
        curvature = (squared * -0.5).exp_()
        curvature *= squared.neg_().add_(2.0).mul_(1 / math.sqrt(2 * math.pi))
        curvature *= second
        curvature *= gradient
        return torch.ops.aten.gelu_backward(second, x), curvature
