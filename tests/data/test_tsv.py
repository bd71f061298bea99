"""The traps of GLUE's TSV files, one by one, on made-up lines."""

from pathlib import Path

import pytest

from adkd.base.errors import InputError
from adkd.data import sources, tsv
from adkd.data.tasks import TASKS

MNLI = [*"01234567", "sentence1", "sentence2"]
HEADERS = {
    "sst2": ("sentence", "label"),
    "mrpc": ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
    "rte": ("index", "sentence1", "sentence2", "label"),
    "qqp": ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    "stsb": (*"0123456", "sentence1", "sentence2", "score"),
}


def written(path: Path, *rows: tuple[str, ...] | list[str], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join("\t".join(row) for row in rows) + end).encode())
    return path


def read(path: Path, task: str, split: str = "train") -> tsv.Columns:
    return tsv.read(path, TASKS[task], split)


def test_quotes_are_letters(tmp_path):
    first, second = ("1", "7", "8", '" He said .', 'So , " he did .'), ("0", "7", "9", '"', 'It is "')
    found = read(written(tmp_path / "x", HEADERS["mrpc"], first, second), "mrpc")
    assert found["sentence1"] == [first[3], '"']
    assert found["sentence2"] == [first[4], 'It is "']
    assert found["label"] == [1, 0]


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    header = ("\ufeffQuality", *HEADERS["mrpc"][1:])
    assert read(written(tmp_path / "x", header, ("1", "7", "8", "A .", "B .")), "mrpc")["label"] == [1]


def test_cola_has_a_header_in_test_alone_and_may_end_without_a_line_feed(tmp_path):
    rows = ("gj04", "1", "", "We sailed."), ("bc01", "0", "*", "Sailed we the.")
    found = read(written(tmp_path / "dev", *rows, end=""), "cola", "validation")
    assert found == {"sentence": ["We sailed.", "Sailed we the."], "label": [1, 0], "idx": [0, 1]}
    found = read(written(tmp_path / "test", ("index", "sentence"), ("0", "We rowed.")), "cola", "test")
    assert found == {"sentence": ["We rowed."], "label": [-1], "idx": [0]}


def test_blanks_and_odd_line_breaks_inside_a_text_stay(tmp_path):
    texts = ["fine , really ", "a\u2028b\x85c\x0bd", " "]
    found = read(written(tmp_path / "x", HEADERS["sst2"], *((text, "1") for text in texts)), "sst2")
    assert found["sentence"] == texts


def test_windows_line_ends_are_no_part_of_the_last_column(tmp_path):
    path = written(tmp_path / "x", ("s", "1", "", "A text."))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path, "cola")["sentence"] == ["A text."]


@pytest.mark.parametrize("annotators", [1, 5])
def test_mnli_gold_label_is_the_last_column(tmp_path, annotators):
    header = [*MNLI, *(f"label{i + 1}" for i in range(annotators)), "gold_label"]
    row = [*"01234567", "It rains.", "It is wet.", *["neutral"] * annotators, "contradiction"]
    assert read(written(tmp_path / "x", header, row), "mnli")["label"] == [2]


def test_label_words_have_the_numbers_of_datasets(tmp_path):
    rows = ("0", "a", "b", "entailment"), ("1", "a", "b", "not_entailment")
    assert read(written(tmp_path / "x", HEADERS["rte"], *rows), "rte")["label"] == [0, 1]
    rows = ("0", "a", "b", "0"), ("1", "a", "b", "1")
    assert read(written(tmp_path / "x", HEADERS["rte"], *rows), "wnli")["label"] == [0, 1]


def test_qqp_skips_rows_of_another_number_of_fields_and_keeps_the_numbering(tmp_path):
    rows = ("3", "4", "5", "Why ?", "How ?", "0"), ("3", "4", "Why ?"), ("4", "5", "6", "", "Who ?", "1")
    found = read(written(tmp_path / "x", HEADERS["qqp"], *rows), "qqp")
    assert (found["question1"], found["label"], found["idx"]) == (["Why ?", ""], [0, 1], [0, 2])


def test_dummy_labels_of_a_test_file_are_not_read(tmp_path):
    found = read(written(tmp_path / "x", HEADERS["rte"], ("0", "a", "b", "entailment")), "rte", "test")
    assert found["label"] == [-1]


def test_stsb_scores(tmp_path):
    row = (*"0123456", "A man .", "A woman .", "3.800")
    assert read(written(tmp_path / "x", HEADERS["stsb"], row), "stsb")["label"] == [3.8]


@pytest.mark.parametrize(
    ("task", "row", "fields"),
    [
        ("rte", ("0", "a", "b", "entailmnt"), {"value": "entailmnt", "nearest": "entailment"}),
        ("rte", ("0", "a", "b"), {"value": 3, "allowed": f"4 ({', '.join(HEADERS['rte'])})"}),
        ("rte", ("0", "a", "b", "c", "entailment"), {"value": 5}),
        ("sst2", ("a", "2"), {"value": "2", "allowed": ("0", "1")}),
        ("sst2", ("",), {"value": 1}),
        ("stsb", (*"0123456", "a", "b", "5.1"), {"value": "5.1", "allowed": "a number from 0 to 5"}),
        ("stsb", (*"0123456", "a", "b", "nan"), {"value": "nan"}),
        ("rte", ("0", "a", "b", ""), {}),
    ],
)
def test_a_wrong_row_is_named_with_file_and_line(tmp_path, task, row, fields):
    good = {"rte": ("0", "a", "b", "entailment"), "sst2": ("a", "1"), "stsb": (*"0123456", "a", "b", "1")}[task]
    path = written(tmp_path / "x", HEADERS[task], good, row)
    with pytest.raises(InputError) as caught:
        read(path, task)
    assert caught.value.fields | fields == caught.value.fields
    assert f"{path}, line 3" in str(caught.value)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path):
    path = written(tmp_path / "x", HEADERS["sst2"], ("fine", "1"))
    path.write_bytes(path.read_bytes() + b"caf\xe9\t1\n")
    with pytest.raises(InputError, match="line 3: byte 0xe9"):
        read(path, "sst2")


def test_a_file_without_its_header_is_refused_rather_than_one_row_short(tmp_path):
    with pytest.raises(InputError, match="line 1: there is no column 'sentence'"):
        read(written(tmp_path / "x", ("fine", "1")), "sst2")


@pytest.fixture
def glue(tmp_path) -> Path:
    for file, label in (("train", True), ("dev", True), ("test", False)):
        header = HEADERS["rte"] if label else HEADERS["rte"][:-1]
        rows = [(str(i), f"a {i}", "b", "entailment")[: len(header)] for i in range(3)]
        written(tmp_path / "RTE" / f"{file}.tsv", header, *rows)
    return tmp_path


def load(root: Path, **exceptions: int | None):
    return sources.load({"name": "directory", "path": str(root)}, TASKS["rte"], exceptions, {})


@pytest.mark.parametrize(
    ("exceptions", "split", "expected"),
    [
        ({}, "train", 2490),
        ({"train": 3, "validation": 3}, "test", 3000),
        ({"train": 4, "validation": 3, "test": 3}, "train", 4),
    ],
)
def test_row_counts_are_the_official_ones_unless_an_exception_is_named(glue, exceptions, split, expected):
    with pytest.raises(InputError) as caught:
        load(glue, **exceptions)
    assert caught.value.what == f"the number of rows of rte {split}"
    assert (caught.value.value, caught.value.allowed) == (3, str(expected))
    assert f"{{{split}: 3}}" in caught.value.remedy


def test_a_subset_is_loaded_if_its_sizes_are_named(glue):
    assert {split: len(rows) for split, rows in load(glue, train=3, validation=3, test=None).items()} == {
        "train": 3,
        "validation": 3,
    }


def test_a_missing_split_needs_a_named_exception(glue):
    (glue / "RTE" / "test.tsv").unlink()
    with pytest.raises(InputError, match=r"test.tsv is missing") as caught:
        load(glue, train=3, validation=3)
    assert "{test: null}" in caught.value.remedy
    assert "test" not in load(glue, train=3, validation=3, test=None)
    with pytest.raises(InputError) as caught:
        load(glue, tets=None)
    assert caught.value.nearest == "test"
