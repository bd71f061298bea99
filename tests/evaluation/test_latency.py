"""Latency is measured on real batches of the configured sizes."""

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


def test_every_batch_size_is_timed_as_often_as_configured(spec, tmp_path):
    latency.measure(spec, tmp_path / "out")
    report = read_json(tmp_path / "out/latency.json")
    assert report["spec"] == spec
    assert set(report["latency"]) == {"1", "16"}
    for times in report["latency"].values():
        assert times["batches"] == 9
        assert 0 < times["low"] <= times["median"] <= times["high"]
    assert report["latency"]["16"]["tokens"] > report["latency"]["1"]["tokens"], "padded to the longest of 16"
    assert report["parameters"] > 0


def test_a_missing_model_is_named(spec, tmp_path):
    inputs = spec["inputs"] | {"student": str(tmp_path / "nobody")}
    with pytest.raises(InputError) as caught:
        latency.measure(spec | {"inputs": inputs}, tmp_path / "out")
    assert str(tmp_path / "nobody") in caught.value.what
    assert not (tmp_path / "out").exists()


def test_a_batch_larger_than_the_split_is_refused(spec, tmp_path):
    with pytest.raises(InputError) as caught:
        latency.measure(spec | {"batch_sizes": [32]}, tmp_path / "out")
    assert (caught.value.what, caught.value.value) == ("batch_sizes", 32)
    assert "at most 20" in caught.value.allowed
    assert not (tmp_path / "out").exists()
