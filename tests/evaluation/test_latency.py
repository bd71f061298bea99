"""Latency is measured on real batches of the configured sizes."""

import pytest

from adkd.base.errors import InputError
from adkd.evaluation import latency
from adkd.models.encoder import new_classifier
from adkd.plan.specs import LatencySpec, OfModel
from tests.written import modelled

SPEC = LatencySpec(
    result="latency",
    code="",
    task="mnli",
    split="validation_matched",
    batch_sizes=(1, 16),
    repeats=9,
    seed=0,
    device="cpu",
    threads=1,
    inputs=OfModel(data="data/mnli", student="student"),
)


@pytest.fixture
def student(results):
    modelled(results, "student", new_classifier("tiny_bert", 3, task="mnli", seed=0))


@pytest.mark.usefixtures("student")
def test_every_batch_size_is_timed_as_often_as_configured(results):
    latency.measure(SPEC, results)
    report = results.report(SPEC)
    assert set(report.latency) == {"1", "16"}
    for times in report.latency.values():
        assert times.batches == 9
        assert 0 < times.low <= times.median <= times.high
    assert report.latency["16"].tokens > report.latency["1"].tokens, "padded to the longest of 16"
    assert report.parameters > 0


def test_a_missing_model_is_named(results):
    with pytest.raises(InputError) as caught:
        latency.measure(SPEC, results)
    assert str(results.directory("student")) in caught.value.what
    assert not results.directory("latency").exists()


@pytest.mark.usefixtures("student")
def test_a_batch_larger_than_the_split_is_refused(results):
    with pytest.raises(InputError) as caught:
        latency.measure(SPEC.model_copy(update={"batch_sizes": (32,)}), results)
    assert (caught.value.what, caught.value.value) == ("batch_sizes", 32)
    assert "at most 20" in caught.value.allowed
    assert not results.directory("latency").exists()
