"""Stored signals equal live ones, row by row, across shards; changed files and signals of other data are refused."""

import pytest
import torch

from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.data.batches import Examples
from adkd.models.encoder import frozen, load_classifier, new_classifier
from adkd.training import signals
from adkd.training.signals import Signal, Teacher, one_batch

KINDS = [
    {"kind": "logits"},
    {"kind": "cls"},
    {"kind": "token_maps", "top_k": None, "steps": 1},
    {"kind": "token_maps", "top_k": 5, "steps": 3, "layer": 1.0},
]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    directory = tmp_path_factory.mktemp("teacher")
    new_classifier("tiny_bert", 3, task="mnli", seed=0).save_pretrained(directory / "model")
    return directory


@pytest.fixture(params=KINDS, ids=lambda s: "-".join(map(str, s.values())))
def stored(request, data, teacher, tmp_path, monkeypatch):
    """A signal in several shards, and its kind."""
    monkeypatch.setattr(signals, "SHARD_ROWS", 32)
    spec = {
        "task": "mnli",
        "seed": 0,
        "signal": request.param,
        "device": "cpu",
        "threads": 1,
        "inputs": {"data": str(data), "teacher": str(teacher)},
    }
    signals.compute(spec, tmp_path / "signal")
    assert len(read_json(tmp_path / "signal" / "signals.json")["shards"]) == 3
    return tmp_path / "signal", request.param


def test_stored_equals_live_for_every_row(stored, data, teacher):
    directory, kind = stored
    examples = Examples.load(data, "train")
    signal = Signal(directory, read_json(data / "data.json")["fingerprint"])
    model = frozen(load_classifier(teacher / "model"))
    for rows in torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).split(9):
        batch = examples.batch(rows)
        kept = Teacher({kind["kind"]: signal}).outputs(batch, frozenset({kind["kind"]}), torch.device("cpu"))
        live = one_batch(model, batch, kind)
        torch.testing.assert_close(getattr(kept, kind["kind"]), live, atol=1e-5, rtol=1e-4)


def test_a_signal_of_other_data_or_with_a_changed_file_is_refused(stored, data):
    directory, _ = stored
    fingerprint = read_json(data / "data.json")["fingerprint"]
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
