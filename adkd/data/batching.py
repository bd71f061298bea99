"""Which examples of a training set share a batch, and what their losses are divided by.

Batches of like length need little padding, but examples of a batch are then no longer a random sample: a loss that is
divided by the tokens of its batch would weigh the tokens of short examples more than those of long ones (on SST-2 up to
3.5 and down to 0.4 times as much as random batches do). Therefore every example's part is divided by the count that it
would meet in random batches, ``expected_counts``, so that both ways of batching train for the same objective.
"""

from dataclasses import replace

import torch
from torch import Tensor

from adkd.data.batches import Batch, Counts, Examples

STRETCH = {"like_length": 50, "random": 1}
"""Way of batching -> number of batches whose rows are sorted together."""


class Batches:
    """The batches of a training set, epoch by epoch."""

    def __init__(self, examples: Examples, size: int, batching: str, generator: torch.Generator):
        """
        Args:
            examples: the training set.
            size: examples in a batch; one batch of an epoch is smaller if it does not divide their number.
            batching: ``like_length``, or ``random`` as in released codes (``settings.Training``).
            generator: the only source of randomness.
        """
        self.examples, self.size, self.batching, self.generator = examples, size, batching, generator
        self._expected: dict[int, tuple[Tensor, Tensor]] = {}

    def epoch(self) -> list[Tensor]:
        """The rows of every batch of the next epoch."""
        return shuffled(self.examples.lengths, self.size, self.generator, STRETCH[self.batching])

    def batch(self, rows: Tensor) -> Batch:
        """The examples at ``rows`` [B], with the counts that their losses are divided by."""
        batch = self.examples.batch(rows)
        if self.batching == "random":
            return batch
        tokens, pairs = self._expected_counts(len(rows))
        return replace(batch, counts=Counts(batch.counts.examples, tokens[rows], pairs[rows]))

    def _expected_counts(self, size: int) -> tuple[Tensor, Tensor]:
        """The expected counts of tokens and of pairs of every example, [n] each, in batches of ``size``."""
        if size not in self._expected:
            lengths = self.examples.lengths
            self._expected[size] = expected_counts(lengths, size), expected_counts(lengths.square(), size)
        return self._expected[size]


def shuffled(lengths: Tensor, batch_size: int, generator: torch.Generator, stretch: int) -> list[Tensor]:
    """Batches of one epoch, in random order: every row in exactly one, rows of similar length together.

    Rows are shuffled, sorted by length within stretches of ``stretch`` batches, cut into batches, and these shuffled.
    Every row is equally likely to be in the smaller batch that is left over.

    Args:
        lengths: [n] number of tokens of every row.
        batch_size: rows in a batch; one batch is smaller if it does not divide n.
        generator: the only source of randomness.
        stretch: number of batches that are sorted together; 1 keeps the order fully random.
    """
    order = torch.randperm(len(lengths), generator=generator)
    whole, rest = order.split([whole_rows := len(order) // batch_size * batch_size, len(order) - whole_rows])
    sorted_rows = [rows[lengths[rows].argsort(stable=True)] for rows in whole.split(stretch * batch_size)]
    batches = [batch for rows in [*sorted_rows, rest] if len(rows) for batch in rows.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def expected_counts(counts: Tensor, size: int) -> Tensor:
    """For every example, the count c with 1 / c = E[1 / total of the batch], over random batches that it is in.

    The total of a batch is ``counts[i] + S``, where S is the sum of m = ``size - 1`` other examples. 1 / x is the
    integral of t^(x - 1) over t from 0 to 1, so E[1 / x] is the integral of ``t^(counts[i] - 1) E[t^S]``. For others
    drawn with replacement E[t^S] = mu^m, with mu the mean of t^count over the other N examples. Without replacement
    each of the m (m - 1) / 2 pairs multiplies it by about ``1 - var / (N - 1) / mu^2``, with the variance of t^count.

    Args:
        counts: [n] positive integers: tokens, or pairs of tokens, of every example.
        size: examples in a batch, at most n.

    Returns:
        [n] float64
    """
    others, m = len(counts) - 1, size - 1
    values, inverse, numbers = counts.unique(return_inverse=True, return_counts=True)
    value, number = values.double(), numbers.double()
    # t = exp(-exp(v) / typical): the integrand is smooth in v and vanishes at both ends, where a plain sum converges.
    v = torch.linspace(-16.0, 12.0, 561, dtype=torch.float64)
    rate = v.exp() / (size * (value * number).sum() / len(counts))
    powers = torch.exp(-rate[:, None] * value)  # [nodes, values]: t^value
    integrand = rate[:, None] * powers
    if m:
        mean = (((powers @ number)[:, None] - powers) / others).clamp(min=1e-150)  # 0 has no logarithm
        variance = (((powers.square() @ number)[:, None] - powers.square()) / others - mean.square()).clamp(min=0.0)
        pairs = -m * (m - 1) / 2 * variance / max(1, others - 1) / mean.square()
        integrand = integrand * torch.exp(m * mean.log() + pairs)
    return (1 / (integrand.sum(0) * (v[1] - v[0])))[inverse]
