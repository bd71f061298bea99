"""A split whose content is pinned: every change of a text, a label or the order is found, as TSV and as parquet."""

import csv
import io
import unicodedata
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet
import pytest

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.data import generated, official, sources
from adkd.data.tasks import TASKS

ROWS = {"train": 12, "validation": 5, "test": 4}
GOOD = {"rte": "entailment", "sst2": "1", "stsb": "3.2"}
BAD = {"rte": "not_entailment", "sst2": "0", "stsb": "1.5"}


def lines_of(name, split):
    """Fields of every line of a TSV file in the layout of a task, with quotes, capitals and accents in its texts."""
    layout = TASKS[name].tsv
    hidden = split == "test"
    header = ["index", *layout.text, *([] if hidden else [layout.gold])]
    texts = generated.read(TASKS[name], split, ROWS[split])
    rows = []
    for idx in range(ROWS[split]):
        row = [f'"Caf\u00e9" No. {idx}: {texts[text][idx]} ' for text in TASKS[name].text]
        rows.append([str(idx), *row, *([] if hidden else [(GOOD, BAD)[idx % 2][name]])])
    return [header, *rows]


def tsv_of(lines):
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def load(root, name, exceptions=None, **variants):
    return sources.load({"name": "directory", "path": str(root)}, TASKS[name], exceptions or {}, variants)


@pytest.fixture(params=["rte", "sst2", "stsb"])
def name(request):
    return request.param


@pytest.fixture
def release(tmp_path, monkeypatch, name):
    """A directory with a small release of a task, which the record of the task has pinned."""
    task = TASKS[name]
    directory = tmp_path / task.tsv.directory
    directory.mkdir()
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        (directory / f"{file}.tsv").write_bytes(tsv_of(lines_of(name, split)))
    for split, rows in load(tmp_path, name, ROWS).items():
        monkeypatch.setitem(task.rows, split, len(rows))
        monkeypatch.setitem(task.content, split, official.content(rows, task))
    return tmp_path


def train_of(root, name):
    return root / TASKS[name].tsv.directory / "train.tsv"


def swapped(name, lines):
    lines[3], lines[4] = lines[4], lines[3]


def relabelled(name, lines):
    lines[5][-1] = BAD[name] if lines[5][-1] == GOOD[name] else GOOD[name]


def lower_cased(name, lines):
    lines[1:] = [[field.lower() for field in line] for line in lines[1:]]


def stripped(name, lines):
    lines[1:] = [[field.strip() for field in line] for line in lines[1:]]


def decomposed(name, lines):
    lines[1:] = [[unicodedata.normalize("NFD", field) for field in line] for line in lines[1:]]


def misread(name, lines):
    lines[1:] = [[field.encode().decode("latin-1") for field in line] for line in lines[1:]]


def padded(name, lines):
    lines[-3:] = [lines[-4]] * 3


def quoted(name, lines):
    file = io.StringIO()
    csv.writer(file, delimiter="\t", lineterminator="\n").writerows(lines)
    lines[:] = [line.split("\t") for line in file.getvalue().splitlines()]


DAMAGES = (swapped, relabelled, lower_cased, stripped, decomposed, misread, padded, quoted)


def refused(root, name):
    """The error for the content of train; its message is one line."""
    with pytest.raises(InputError) as caught:
        load(root, name)
    error = caught.value
    assert "\n" not in str(error)
    assert str(train_of(root, name)) in error.what
    assert f"data.variants.{name}: {{train: NAME}}" in error.remedy
    return error


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_other_content_with_the_right_number_of_rows_is_refused_unless_it_is_named(release, name, damage):
    lines = lines_of(name, "train")
    damage(name, lines)
    train_of(release, name).write_bytes(tsv_of(lines))
    error = refused(release, name)
    assert TASKS[name].content["train"] in error.allowed
    assert error.value == official.content(load(release, name, train="edited")["train"], TASKS[name])


@pytest.mark.parametrize("name", ["stsb"], indirect=True)
def test_scores_on_another_scale_are_refused(release, name):
    lines = lines_of(name, "train")
    lines[1:] = [[*line[:-1], str(float(line[-1]) / 5)] for line in lines[1:]]
    train_of(release, name).write_bytes(tsv_of(lines))
    assert TASKS[name].content["train"] in refused(release, name).allowed


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content[:-1],
    ],
    ids=["byte order mark", "line ends", "no last line end"],
)
def test_a_file_that_was_saved_again_with_the_same_content_is_read(release, name, rewritten):
    path = train_of(release, name)
    path.write_bytes(rewritten(path.read_bytes()))
    assert load(release, name)["train"]["label"].to_pylist()[1] == load(release, name)["train"]["label"].to_pylist()[3]


@pytest.mark.parametrize(
    ("text", "problem"), [("", "is empty"), (" ", "is empty"), ("a\0b", "contains a NUL character")]
)
def test_an_empty_text_and_a_nul_are_named_with_their_row(release, name, text, problem):
    lines = lines_of(name, "train")
    lines[4][1] = text
    train_of(release, name).write_bytes(tsv_of(lines))
    assert refused(release, name).what.endswith(f"train.tsv, row 3: {TASKS[name].text[0]} {problem}")


def test_an_empty_text_of_the_official_release_is_read():
    rte = TASKS["rte"]
    rows = pa.table({"sentence1": ["a", "", ""], "sentence2": ["b"] * 3, "label": [0] * 3, "idx": [0, 5, 6]})
    loaded = official.Loaded({}, "train.tsv")
    with pytest.raises(InputError, match="row 6: sentence1 is empty"):
        official.check_texts(loaded, rows, replace(rte, empty={"train": frozenset({5})}), "train")
    official.check_texts(loaded, rows, replace(rte, empty={"train": frozenset({5, 6})}), "train")


def test_a_variant_whose_content_is_official_is_refused(release, name):
    with pytest.raises(InputError) as caught:
        load(release, name, train="lower-cased")
    assert (caught.value.what, caught.value.value) == (f"data.variants.{name}.train", "lower-cased")


def test_an_exception_of_one_split_leaves_the_others_checked(release, name):
    lines = lines_of(name, "validation")
    lower_cased(name, lines)
    (train_of(release, name).parent / "dev.tsv").write_bytes(tsv_of(lines))
    for exceptions in ({}, {"train": ROWS["train"], "validation": ROWS["validation"]}):
        with pytest.raises(InputError) as caught:
            load(release, name, exceptions)
        assert f"{name} validation" in caught.value.what


def test_a_named_subset_may_have_any_content(release, name):
    train_of(release, name).write_bytes(tsv_of(lines_of(name, "train")[:5]))
    assert len(load(release, name, {"train": 4})["train"]) == 4


def as_parquet(release, name, root):
    """The release in the hub's layout; files that somebody has saved again, so that their bytes are not published."""
    for split, rows in load(release, name).items():
        path = root / TASKS[name].hub.path(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(rows, path)
    return root


def test_the_same_content_has_the_same_digest_as_parquet(release, name, tmp_path):
    copy = as_parquet(release, name, tmp_path / "parquet")
    assert load(copy, name) == load(release, name)


def test_a_parquet_file_of_other_content_is_refused(release, name, tmp_path):
    copy = as_parquet(release, name, tmp_path / "parquet")
    path = copy / TASKS[name].hub.path("train")
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).take([1, 0, *range(2, ROWS["train"])]), path)
    with pytest.raises(InputError) as caught:
        load(copy, name)
    assert str(path) in caught.value.what
    assert TASKS[name].content["train"] in caught.value.allowed


@pytest.mark.parametrize("name", ["rte"], indirect=True)
def test_without_a_known_content_a_parquet_file_has_to_be_the_published_one(release, name, tmp_path, monkeypatch):
    copy = as_parquet(release, name, tmp_path / "parquet")
    path = copy / TASKS[name].hub.path("train")
    monkeypatch.delitem(TASKS[name].content, "train")
    with pytest.raises(InputError) as caught:
        load(copy, name)
    assert (caught.value.what, caught.value.value) == (f"{path}: sha256", sha256(path))
    assert TASKS[name].hub.sha256["train"] in caught.value.allowed
    monkeypatch.setitem(TASKS[name].hub.sha256, "train", sha256(path))
    assert len(load(copy, name)["train"]) == ROWS["train"]
    monkeypatch.setitem(TASKS[name].content, "train", "0" * 64)
    assert len(load(copy, name)["train"]) == ROWS["train"], "the published bytes are official whatever a TSV file has"


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["stsb"], indirect=True)
def test_a_damaged_parquet_file_is_named_in_one_line(release, name, tmp_path, cut):
    copy = as_parquet(release, name, tmp_path / "parquet")
    path = copy / TASKS[name].hub.path("train")
    content, expected = path.read_bytes(), load(copy, name)
    at = int(cut * len(content))
    for damaged in (content[:at], content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]):
        path.write_bytes(damaged)
        assert outcome(copy, name, str(path)) in ("refused", expected), "or the damage is where no content lies"


def outcome(root, name, file):
    """What was read, or "refused" for an error of one line that names the file."""
    try:
        return load(root, name)
    except InputError as error:
        return "refused" if file in error.what and "\n" not in str(error) else error


def test_what_is_pinned_is_a_digest_of_a_split_that_exists():
    for task in TASKS.values():
        for pins in (task.content, task.embedded.content if task.embedded else {}):
            assert set(pins) <= set(task.rows)
            assert all(len(digest) == 64 for digest in pins.values())
        assert set(task.empty) <= set(task.rows)
