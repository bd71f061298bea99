"""Which source has what, and the parquet layout."""

import importlib
import subprocess
import sys
from typing import get_args

import pyarrow as pa
import pyarrow.parquet
import pytest

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data import sources
from adkd.data.metrics import METRICS
from adkd.data.tasks import TASKS
from adkd.fetch import hub
from adkd.plan.config import DataConfig

RTE = TASKS["rte"]
GENERATED = {"name": "generated", "rows": {"train": 4, "validation": 3, "test": 2}}


def parquet(path, label, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = len(label)
    texts = {"sentence1": [f"a {i}" for i in range(rows)], "sentence2": ["b"] * rows}
    pa.parquet.write_table(pa.table({**texts, "label": label, "idx": list(range(rows)), **columns}), path)
    return path


@pytest.fixture(params=["", "glue"])
def copy(tmp_path, request, monkeypatch):
    """A local copy of the hub's files, of whose sha256 all are published."""
    root = tmp_path / request.param
    for split, label in {"train": [0, 1, 1], "validation": [1, 0], "test": [-1, -1]}.items():
        path = parquet(root / RTE.hub.path(split), label)
        monkeypatch.setitem(RTE.hub.sha256, split, sha256(path))
    return tmp_path


def load(root, **exceptions):
    return sources.load({"name": "directory", "path": str(root)}, RTE, exceptions, {})


def test_parquet_copy(copy, monkeypatch):
    monkeypatch.setitem(RTE.rows, "train", 3)
    monkeypatch.setitem(RTE.rows, "validation", 2)
    monkeypatch.setitem(RTE.rows, "test", 2)
    found = load(copy)
    assert found["train"].to_pydict() == {
        "sentence1": ["a 0", "a 1", "a 2"],
        "sentence2": ["b"] * 3,
        "label": [0, 1, 1],
        "idx": [0, 1, 2],
    }
    assert found["test"]["label"].to_pylist() == [-1, -1]


@pytest.mark.parametrize(
    ("label", "columns", "where", "value"),
    [
        ([0, 2], {}, "row 1: the label of rte", 2),
        ([0, -1], {}, "row 1: the label of rte", -1),
        ([0, None], {}, "row 1: label", None),
        ([0, 1], {"sentence1": ["a", None]}, "row 1: sentence1", None),
    ],
)
def test_wrong_parquet_rows(tmp_path, label, columns, where, value):
    path = parquet(tmp_path / RTE.hub.path("train"), label, **columns)
    with pytest.raises(InputError) as caught:
        load(tmp_path, train=2, validation=None, test=None)
    assert (caught.value.what, caught.value.value) == (f"{path}, {where}", value)


def test_every_source_of_a_task_has_all_of_its_splits():
    digests = [digest for task in TASKS.values() if task.hub for digest in task.hub.sha256.values()]
    assert len(set(digests)) == len(digests)
    for task in TASKS.values():
        assert task.hub is None or set(task.hub.sha256) == set(task.rows)
        assert task.tsv is None or (len(task.tsv.text) == len(task.text) and set(task.tsv.headless) <= set(task.rows))
        assert {file.split for file in task.server} <= task.hidden
        assert set(task.split_titles) <= set(task.rows)
        assert set(task.metrics) <= set(METRICS)
        if task.embedded:
            module, _, reader = task.embedded.reader.partition(":")
            assert callable(getattr(importlib.import_module(module), reader))
            asset = task.embedded.asset
            assert {len(digest) for digest in (asset.sha256, *asset.files.values())} == {64}
            assert len(asset.files) == len(asset.members)


@pytest.mark.parametrize(
    ("source", "task", "what", "value"),
    [
        ({"name": "embeded"}, "stsb", "data source", "embeded"),
        ({"name": "embedded"}, "sst2", 'task of the data source "embedded"', "sst2"),
        ({"name": "hub"}, "movies", 'task of the data source "hub"', "movies"),
        ({"name": "directory"}, "rte", "data.path", None),
        ({"name": "directory", "path": "/no/such"}, "rte", "data.path", "/no/such"),
        ({"name": "generated", "rows": {"train": 3, "validation": 0}}, "rte", "data.rows.validation", 0),
    ],
)
def test_a_source_without_the_task(source, task, what, value):
    with pytest.raises(InputError) as caught:
        sources.check(source, TASKS[task])
    assert (caught.value.what, caught.value.value) == (what, value)


def test_a_directory_without_the_task_says_what_it_has(tmp_path):
    (tmp_path / "CoLA").mkdir()
    with pytest.raises(InputError, match=r"no files for rte; .*RTE.train\.tsv.*; it has CoLA"):
        sources.check({"name": "directory", "path": str(tmp_path)}, RTE)


def test_which_splits_are_labelled():
    for name, test in (("hub", False), ("directory", False), ("embedded", True), ("generated", True)):
        assert sources.labelled({"name": name}, TASKS["stsb"], "validation")
        assert sources.labelled({"name": name}, TASKS["stsb"], "test") is test


def test_a_config_can_name_every_source():
    assert get_args(DataConfig.model_fields["source"].annotation) == tuple(sources.SOURCES)


def test_generated_counts_come_from_the_source():
    assert {s: len(rows) for s, rows in sources.load(GENERATED, TASKS["mnli"], {}, {}).items()} == {
        "train": 4,
        "validation_matched": 3,
        "validation_mismatched": 3,
        "test_matched": 2,
        "test_mismatched": 2,
    }
    with pytest.raises(InputError) as caught:
        sources.load(GENERATED, RTE, {"train": 5}, {})
    assert (caught.value.value, caught.value.allowed) == (4, "5")


def test_an_unreachable_hub_is_one_line_that_says_what_to_do(monkeypatch):
    from huggingface_hub import utils

    def no_network(*_, **__):
        raise AssertionError("a test asked for the network")

    session = type("Session", (), {"head": staticmethod(no_network)})
    monkeypatch.setattr(utils, "get_session", session)
    with pytest.raises(InputError, match=r"^model \"no-such/model\" is not on this machine.*local directory") as caught:
        hub.snapshot("no-such/model", None, weights=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"no-such/data.*directory"):
        hub.dataset_file("no-such/data", "rte/x.parquet", "main", "0" * 64)


def test_planning_imports_nothing_heavy():
    code = (
        "import sys; from adkd.fetch import checkpoints; from adkd.data import sources, prepare\n"
        "from adkd.data.tasks import TASKS\n"
        "sources.check({'name': 'embedded'}, TASKS['stsb']); checkpoints.shape('minilm_l6')\n"
        "print([m for m in ('torch', 'datasets', 'transformers', 'evaluate', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
