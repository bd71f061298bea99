"""Which rows share a batch, and the counts that make both ways of batching train for one objective."""

from itertools import combinations

import pytest
import torch

from adkd.bench import lengths
from adkd.data.batches import by_length
from adkd.data.batching import Batches, expected_counts, shuffled

LENGTHS = torch.randint(3, 90, (1003,), generator=torch.Generator().manual_seed(0))


def order(seed: int, stretch: int = 50) -> list[torch.Tensor]:
    return shuffled(LENGTHS, 16, torch.Generator().manual_seed(seed), stretch)


@pytest.mark.parametrize("batches", [order(1), order(1, stretch=1), by_length(LENGTHS, 16)])
def test_every_row_is_in_just_one_batch(batches):
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(len(LENGTHS)))
    assert sorted(map(len, batches)) == [1003 % 16] + [16] * (1003 // 16)


def test_rows_of_a_batch_are_of_like_length_and_random_batches_are_not():
    def padding(batches):
        return sum(len(rows) * LENGTHS[rows].max().item() for rows in batches) / LENGTHS.sum().item() - 1

    assert padding(order(1)) < 0.05
    assert padding(order(1, stretch=1)) > 0.5


def test_the_order_derives_from_the_generator_alone_and_is_no_order_of_length():
    first, again, other = order(1), order(1), order(2)
    assert all(map(torch.equal, first, again))
    assert not torch.equal(torch.cat(first), torch.cat(other))
    longest = torch.tensor([LENGTHS[rows].max() for rows in first])
    assert not torch.equal(longest, longest.sort().values)
    generator = torch.Generator().manual_seed(1)
    epochs = [torch.cat(shuffled(LENGTHS, 16, generator, 50)) for _ in range(2)]
    assert not torch.equal(*epochs), "the next epoch has another order"


@pytest.mark.parametrize("stretch", [1, 50])
def test_every_row_is_equally_likely_to_be_in_the_smaller_batch(stretch):
    """If the longest rows always were, they would weigh more than in random batches."""
    rows, generator = torch.arange(3, 16), torch.Generator().manual_seed(0)
    smaller = [min(shuffled(rows, 4, generator, stretch), key=len).item() for _ in range(1300)]
    assert torch.bincount(torch.tensor(smaller), minlength=13).min() > 60, "100 are expected, with sd 9.6"


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_expected_counts_are_those_of_all_batches(size):
    counts = torch.tensor([5, 5, 9, 11, 12, 14, 17, 20, 24, 30, 41, 60])
    for i, found in enumerate(expected_counts(counts, size).tolist()):
        others = torch.cat([counts[:i], counts[i + 1 :]]).tolist()
        totals = [counts[i].item() + sum(chosen) for chosen in combinations(others, size - 1)]
        assert 1 / found == pytest.approx(sum(1 / total for total in totals) / len(totals), rel=0.01)


@pytest.mark.parametrize("size", [8, 32])
def test_an_example_weighs_the_same_in_both_ways_of_batching(size):
    """Its mean weight, for the shortest and the longest examples and those between, within 1 %."""
    examples = lengths.examples("sst2", torch.tensor([4, 6, 9, 14, 27, 59]).repeat(32).numpy())
    batches = Batches(examples, size, "like_length", torch.Generator().manual_seed(1))
    counts = [batches.batch(rows).counts for rows in torch.arange(192).split(size)]  # the same in whichever batch
    random = torch.rand(4000, 192, generator=torch.Generator().manual_seed(1)).argsort(1).reshape(-1, size)
    for of_example, expected in (
        (examples.lengths, torch.cat([c.tokens for c in counts])),
        (examples.lengths.square(), torch.cat([c.pairs for c in counts])),
    ):
        weight = (1 / of_example[random].sum(1)).repeat_interleave(size)
        total = torch.zeros(192).index_add_(0, random.flatten(), weight)
        found = total.reshape(32, 6).mean(0) / 4000
        torch.testing.assert_close(1 / expected[:6], found.double(), rtol=0.01, atol=0)


def test_random_batches_are_divided_by_their_own_counts():
    examples = lengths.examples("sst2", torch.tensor([4, 6, 9, 14]).numpy())
    batch = Batches(examples, 2, "random", torch.Generator()).batch(torch.tensor([1, 3]))
    assert (batch.counts.examples, batch.counts.tokens, batch.counts.pairs) == (2, 20, 36 + 196)
