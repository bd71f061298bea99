"""Comprehensiveness and sufficiency of token orders (DeYoung et al. 2020, ERASER, section 4).

Comprehensiveness is the change of the prediction when the first tokens of the order are removed from the example;
sufficiency is the change when they are the only tokens left. Removed tokens are deleted: the example becomes shorter,
and later tokens move forward. Special tokens always stay. Both measures are averaged over several shares of the tokens
(the paper's AOPC).

As in the paper, the change is a loss of the predicted class's probability. Regression has no probabilities; there, as
a departure from the paper, it is the absolute change of the value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from adkd.base.progress import track
from adkd.data.batches import Batch, by_length
from adkd.models.passes import logits_of

BATCH_SIZE = 64


@dataclass(frozen=True)
class Example:
    """One example without padding, on the CPU."""

    input_ids: Tensor
    """[L] int64"""
    token_type_ids: Tensor
    """[L] int64"""
    special: Tensor
    """[L] bool: tokens that are not part of the text, such as [CLS]; they are never removed."""

    @property
    def removable(self) -> np.ndarray:
        """Positions of all other tokens."""
        return (~self.special).nonzero()[:, 0].numpy()

    def without(self, positions: np.ndarray) -> "Example":
        """The shorter example that remains when the tokens at ``positions`` are deleted."""
        kept = torch.from_numpy(np.delete(np.arange(len(self.input_ids)), positions))
        return Example(self.input_ids[kept], self.token_type_ids[kept], self.special[kept])


@dataclass(frozen=True)
class Faithfulness:
    """Measures of one example and one order of its tokens, averaged over the bins; None if no token can be removed."""

    comprehensiveness: float | None
    """Loss of probability without the first tokens: large if the prediction depends on them."""
    sufficiency: float | None
    """Loss of probability with the first tokens alone: small if they are enough for the prediction."""


def faithfulness(
    model: nn.Module,
    examples: Sequence[Example],
    logits: Tensor,
    orders: Sequence[np.ndarray],
    bins: Sequence[float],
    device: torch.device,
) -> list[Faithfulness]:
    """How faithful an order of every example's tokens is to the model.

    Args:
        model: in eval mode, on ``device``.
        logits: [n, C], the model's logits for the complete examples, on the CPU.
        orders: the removable positions of every example, the most important first.
        bins: shares of the removable tokens; the number of tokens is rounded up.
    """
    changed: list[Example] = []
    for example, order in zip(examples, orders, strict=True):
        for share in bins:
            count = ceil(share * len(order) - 1e-9)  # 0.07 * 100 exceeds 7 in floating point
            changed += [example.without(order[:count]), example.without(order[count:])]
    after = logits_of_examples(model, changed, device).unflatten(0, (len(examples), -1)).double()  # [n, 2 bins, C]
    before = logits.double()[:, None]  # [n, 1, C]
    if logits.shape[1] > 1:
        predicted = logits.argmax(-1)[:, None, None]
        before, after = (z.softmax(-1).take_along_dim(predicted, -1) for z in (before, after))
        lost = before - after
    else:
        lost = (before - after).abs()
    means = lost.view(len(examples), len(bins), 2).mean(1).tolist()
    return [Faithfulness(*(mean if len(order) else (None, None))) for mean, order in zip(means, orders, strict=True)]


def logits_of_examples(model: nn.Module, examples: Sequence[Example], device: torch.device) -> Tensor:
    """[n, C] on the CPU, in the order of the examples."""
    lengths = torch.tensor([len(example.input_ids) for example in examples])  # [n]
    parts, order = [], []
    with torch.no_grad():
        for rows in track(by_length(lengths, BATCH_SIZE), "remove tokens"):
            chosen = [examples[row] for row in rows.tolist()]
            batch = Batch(
                input_ids=pad_sequence([example.input_ids for example in chosen], batch_first=True),
                token_type_ids=pad_sequence([example.token_type_ids for example in chosen], batch_first=True),
                mask=(torch.arange(int(lengths[rows].max())) < lengths[rows][:, None]).long(),
                labels=torch.zeros(len(rows)),
                rows=rows,
            )
            parts.append(logits_of(model, batch.to(device)).cpu())
            order.append(rows)
    return torch.cat(parts)[torch.cat(order).argsort()]
