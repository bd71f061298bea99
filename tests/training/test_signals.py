"""Stored signals equal live ones, row by row, across shards; changed files and signals of other data are refused."""

import pytest
import torch

from adkd.base.errors import InputError
from adkd.data.batches import Examples, data_fingerprint
from adkd.methods.method_config import TokenMap
from adkd.models.encoder import frozen, load_classifier, new_classifier
from adkd.plan.results import Results
from adkd.plan.specs import OfTeacher, SignalSpec
from adkd.training import signals
from adkd.training.signals import Signal, Teacher, one_batch
from tests.written import modelled

KINDS = [
    ("logits", None),
    ("cls", None),
    ("token_maps", TokenMap(top_k=None, steps=1)),
    ("token_maps", TokenMap(top_k=5, steps=3, layer=1.0)),
]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    directory = tmp_path_factory.mktemp("teacher")
    modelled(Results(directory), "teacher", new_classifier("tiny_bert", 3, task="mnli", seed=0))
    return directory / "teacher"


@pytest.fixture(params=KINDS, ids=["logits", "cls", "maps", "maps-of-a-layer"])
def stored(request, results, teacher, monkeypatch):
    """The directory of a signal in several shards, its kind and the parameters of its token maps."""
    monkeypatch.setattr(signals, "SHARD_ROWS", 32)
    kind, token_map = request.param
    results.directory("teacher").symlink_to(teacher)
    spec = SignalSpec(
        result="signal",
        code="",
        task="mnli",
        seed=0,
        device="cpu",
        threads=1,
        kind=kind,
        token_map=token_map,
        inputs=OfTeacher(data="data/mnli", teacher="teacher"),
    )
    signals.compute(spec, results)
    assert len(results.report(spec).shards) == 3
    return results.directory("signal"), kind, token_map


def test_stored_equals_live_for_every_row(stored, data, teacher):
    directory, kind, token_map = stored
    examples = Examples.load(data, "train")
    signal = Signal(directory, data_fingerprint(data))
    model = frozen(load_classifier(teacher / "model"))
    for rows in torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).split(9):
        batch = examples.batch(rows)
        kept = Teacher({kind: signal}).outputs(batch, frozenset({kind}), torch.device("cpu"))
        live = one_batch(model, batch, kind, token_map)
        torch.testing.assert_close(getattr(kept, kind), live, atol=1e-5, rtol=1e-4)


def test_a_signal_of_other_data_or_with_a_changed_file_is_refused(stored, data):
    directory, fingerprint = stored[0], data_fingerprint(data)
    with pytest.raises(InputError) as caught:
        Signal(directory, "0" * 64)
    assert (caught.value.value, caught.value.allowed) == (fingerprint, "0" * 64)
    shard = sorted(directory.glob("*.safetensors"))[1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Signal(directory, fingerprint)
    assert caught.value.what == f"sha256 of {shard}"
