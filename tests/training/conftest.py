"""A small prepared task: generated data, three classes, the tiny encoder's vocabulary."""

import pytest

from adkd.data.prepare import prepare

SPEC = {
    "stage": "data",
    "task": "mnli",
    "source": {"name": "generated", "rows": {"train": 70, "validation": 20, "test": 5}},
    "exceptions": {},
    "train_rows": None,
    "held_out": 0.0,
    "max_length": 32,
    "tokenizer": "tiny_bert",
    "seed": 0,
}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "mnli"
    prepare(SPEC, out)
    return out
