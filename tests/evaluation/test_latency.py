"""Latency is measured on real batches of the sizes that were asked for, and larger batches take longer in all."""

import pytest

from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.evaluation import latency
from adkd.models.encoder import new_classifier


@pytest.fixture(scope="module")
def spec(data, tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    new_classifier("tiny_bert", 3, task="mnli", seed=0).save_pretrained(place / "model")
    return {
        "stage": "latency",
        "task": "mnli",
        "split": "validation_matched",
        "batch_sizes": [1, 16],
        "repeats": 9,
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "inputs": {"data": str(data), "student": str(place)},
    }


def test_every_size_is_timed_so_often(spec, tmp_path):
    latency.measure(spec, tmp_path / "out")
    found = read_json(tmp_path / "out/latency.json")
    assert found["spec"] == spec
    assert set(found["latency"]) == {"1", "16"}
    for one in found["latency"].values():
        assert one["batches"] == 9
        assert 0 < one["low"] <= one["median"] <= one["high"]
    assert found["latency"]["16"]["tokens"] > found["latency"]["1"]["tokens"], "padded to the longest of more"
    assert found["parameters"] > 0


def test_a_model_that_is_not_there_is_named(spec, tmp_path):
    inputs = spec["inputs"] | {"student": str(tmp_path / "nobody")}
    with pytest.raises(InputError, match="nobody has no model"):
        latency.measure(spec | {"inputs": inputs}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_batch_larger_than_the_split_is_refused(spec, tmp_path):
    with pytest.raises(InputError, match="has 20 rows, a batch 32"):
        latency.measure(spec | {"batch_sizes": [32]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
