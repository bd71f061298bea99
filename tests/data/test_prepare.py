"""The data stage: what the fingerprint sees, how train is cut, and that nothing is ever half written."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset
from transformers import BertTokenizer

from adkd.base.errors import InputError
from adkd.data import generated, prepare, sources
from adkd.data.prepared import read_split
from adkd.data.spec import DataReport
from adkd.data.tasks import TASKS
from adkd.fetch import checkpoints, tiny_bert
from adkd.plan.results import Results
from tests.conftest import DATA_SPEC

SPEC = DATA_SPEC.model_copy(
    update={
        "task": "rte",
        "source": {"name": "generated", "rows": {"train": 60, "validation": 20, "test": 10}},
        "seed": 1,
    }
)


def made(out: Path, **changed: Any) -> DataReport:
    """The report of data that was prepared in ``out``, with these changes to ``SPEC``."""
    spec = SPEC.model_copy(update={"result": out.name} | changed)
    prepare.prepare(spec, Results(out.parent))
    return DataReport.read(out / "data.json", "snakemake")


def test_what_is_written(tmp_path):
    about = made(tmp_path / "out", held_out=0.25, train_rows=40)
    assert about.rows == {"train": 30, "held_out": 10, "validation": 20, "test": 10}
    assert about.labelled == dict.fromkeys(about.rows, True)
    assert about.label_names == ("entailment", "not_entailment")
    assert about.spec == SPEC.model_copy(update={"result": "out", "held_out": 0.25, "train_rows": 40})
    stored = {split: Dataset.from_file(str(tmp_path / "out" / f"{split}.arrow")) for split in about.rows}
    assert {split: len(rows) for split, rows in stored.items()} == about.rows
    assert set(stored["train"].column_names) == {"input_ids", "token_type_ids", "label", "idx", "length"}
    raw = generated.read(TASKS["rte"], "train", 60)
    tokenizer = checkpoints.tokenizer("tiny_bert")
    for split in ("train", "held_out"):
        for row in stored[split]:
            assert row["label"] == raw["label"][row["idx"]]
            assert row["length"] == len(row["input_ids"]) == len(row["token_type_ids"]) <= 32
            whole = tokenizer(raw["sentence1"][row["idx"]], raw["sentence2"][row["idx"]])
            if len(whole["input_ids"]) <= 32:
                assert row["input_ids"] == whole["input_ids"]
                assert row["token_type_ids"] == whole["token_type_ids"]


def test_of_two_texts_the_longer_is_cut_first():
    rows = pa.table({"sentence1": ["word1 " * 30], "sentence2": ["word2 word3"], "label": [0], "idx": [0]})
    (found,) = prepare.tokenise(rows, TASKS["rte"], checkpoints.tokenizer("tiny_bert"), 12).to_pylist()
    assert found["length"] == 12
    assert sum(found["token_type_ids"]) == 3, "the short text is whole"


def test_held_out_and_train_are_disjoint_and_seeded(tmp_path):
    def rows(name, **changed):
        made(tmp_path / name, **changed)
        return [read_split(tmp_path / name, split)["idx"].to_pylist() for split in ("train", "held_out")]

    train, held_out = rows("a", held_out=0.2)
    assert sorted(train + held_out) == list(range(60))
    assert len(held_out) == 12
    assert train == sorted(train)
    assert held_out == sorted(held_out)
    assert [train, held_out] == rows("b", held_out=0.2)
    assert [train, held_out] != rows("c", held_out=0.2, seed=2)
    few, few_out = rows("d", held_out=0.2, train_rows=20)
    assert len(few + few_out) == 20
    assert not set(few) & set(few_out)


def test_a_smaller_train_set_is_part_of_a_larger_one():
    splits = {"train": pa.table({"idx": list(range(100))})}
    few, many = (set(prepare.cut(splits, rows, 0.0, seed=4)["train"]["idx"].to_pylist()) for rows in (10, 50))
    assert few < many
    assert len(prepare.cut(splits, 1000, 0.0, seed=4)["train"]) == 100
    assert few != set(range(10))


@pytest.mark.parametrize(
    ("rows", "held_out", "what", "value"),
    [
        (0, 0.0, "train_rows", 0),
        (None, 1.0, "held_out", 1.0),
        (None, -0.1, "held_out", -0.1),
        (3, 0.1, "held_out", 0.1),
    ],
)
def test_cuts_that_are_not_possible(rows, held_out, what, value):
    with pytest.raises(InputError) as caught:
        prepare.cut({"train": pa.table({"idx": list(range(100))})}, rows, held_out, seed=1)
    assert (caught.value.what, caught.value.value) == (what, value)


def test_the_fingerprint_sees_content_tokenizer_and_length_but_no_path(tmp_path, monkeypatch):
    first = made(tmp_path / "a")
    assert made(tmp_path / "elsewhere" / "b").fingerprint == first.fingerprint
    different = {first.fingerprint}

    def differs(**changed):
        seen = made(tmp_path / "x", **changed).fingerprint
        assert seen not in different
        different.add(seen)

    differs(max_length=31)
    differs(max_length=128)
    differs(train_rows=59)
    source = SPEC.source
    differs(source=source | {"rows": source["rows"] | {"test": 11}})

    words = list(tiny_bert.VOCABULARY)
    words[5], words[6] = words[6], words[5]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "tokenizer", lambda _: BertTokenizer(str(tmp_path / "vocab.txt")))
        differs()

    load = sources.load

    def edited(*args):
        splits = load(*args)
        rows = splits["validation"]
        labels = [1 - row["label"] if row["idx"] == 7 else row["label"] for row in rows.to_pylist()]
        return splits | {"validation": rows.set_column(rows.column_names.index("label"), "label", [labels])}

    monkeypatch.setattr(sources, "load", edited)
    changed = made(tmp_path / "y")
    assert changed.rows == first.rows
    assert changed.fingerprint not in different
    same = {split for split in first.content if first.content[split] == changed.content[split]}
    assert same == {"train", "test"}


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    out = tmp_path / "out"
    before = made(out)

    def fails(*_):
        raise RuntimeError("disk full")

    monkeypatch.setattr(prepare.DataReport, "write", fails)
    with pytest.raises(RuntimeError, match="disk full"):
        made(out, max_length=16)
    with pytest.raises(RuntimeError, match="disk full"):
        made(tmp_path / "new", max_length=16)
    assert DataReport.read(out / "data.json", "snakemake") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("max_length", [4, 129])
def test_a_length_that_the_encoder_has_no_positions_for(tmp_path, max_length):
    with pytest.raises(InputError) as caught:
        made(tmp_path / "out", max_length=max_length)
    assert (caught.value.what, caught.value.value) == ("max_length", max_length)
    assert not list(tmp_path.iterdir())


def test_hidden_test_labels_stay_hidden(tmp_path):
    root = tmp_path / "glue" / "WNLI"
    root.mkdir(parents=True)
    header, row = ["index", "sentence1", "sentence2", "label"], ["0", "A dog .", "A cat .", "1"]
    for file, width in (("train", 4), ("dev", 4), ("test", 3)):
        (root / f"{file}.tsv").write_text("\t".join(header[:width]) + "\n" + "\t".join(row[:width]) + "\n")
    source = {"name": "directory", "path": str(root.parent)}
    about = made(tmp_path / "out", task="wnli", source=source, exceptions={"train": 1, "validation": 1, "test": 1})
    assert about.labelled == {"train": True, "validation": True, "test": False}
    assert read_split(tmp_path / "out", "test")["label"].to_pylist() == [-1]
