"""Batches: every row once, no more padding than needed, equal to a collation by hand."""

import pytest
import torch

from adkd.base.errors import InputError
from adkd.data.batches import Examples, by_length
from adkd.data.prepare import prepare
from adkd.data.prepared import read_split
from adkd.plan.results import Results
from tests.conftest import DATA_SPEC

LENGTHS = torch.randint(3, 90, (1003,), generator=torch.Generator().manual_seed(0))


def test_by_length_begins_with_the_longest():
    lengths = LENGTHS[torch.cat(by_length(LENGTHS, 16))]
    assert (lengths.diff() <= 0).all()
    assert by_length(LENGTHS[:0], 16) == []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADKD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        for task in ("mnli", "stsb"):
            rows = {"train": 1100, "validation": 7, "test": 5}  # more than one chunk of the stored arrays
            about = {"result": task, "task": task, "source": {"name": "generated", "rows": rows}}
            spec = DATA_SPEC.model_copy(update=about | {"held_out": 0.1, "max_length": 24, "seed": 1})
            prepare(spec, Results(directory))
    return directory


@pytest.mark.parametrize("task", ["mnli", "stsb"])
def test_a_batch_equals_a_collation_by_hand(prepared, task):
    stored, examples = read_split(prepared / task, "train").to_pylist(), Examples.load(prepared / task, "train")
    assert len(examples) == len(stored) == 990
    assert examples.lengths.tolist() == [example["length"] for example in stored]
    assert examples.labelled
    for rows in ([989, 0, 500, 3], [7], list(range(990))):
        batch, longest = examples.batch(torch.tensor(rows)), max(stored[row]["length"] for row in rows)
        for at, row in enumerate(rows):
            example = stored[row]
            blank = [0] * (longest - example["length"])
            assert batch.input_ids[at].tolist() == example["input_ids"] + blank
            assert batch.token_type_ids[at].tolist() == example["token_type_ids"] + blank
            assert batch.mask[at].tolist() == [1] * example["length"] + blank
        assert batch.input_ids.shape == (len(rows), longest)
        assert batch.rows.tolist() == rows
        assert torch.equal(batch.labels, torch.tensor([stored[row]["label"] for row in rows], dtype=batch.labels.dtype))
    assert examples.labels.dtype == (torch.float32 if task == "stsb" else torch.int64)


def test_padding_has_the_pad_number_whatever_it_is(prepared):
    examples = Examples.load(prepared / "stsb", "validation")
    other = type(examples)(**{**vars(examples), "_pad": 9})
    batch = other.batch(torch.arange(7))
    assert (batch.input_ids[batch.mask == 0] == 9).all()
    assert (batch.mask == 0).any()


def test_an_unknown_split(prepared):
    with pytest.raises(InputError) as caught:
        Examples.load(prepared / "mnli", "validation_matchd")
    assert caught.value.nearest == "validation_matched"
