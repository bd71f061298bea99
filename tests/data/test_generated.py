"""Generated data: the same everywhere, for any task, and learnable; and how embedded data is divided."""

import hashlib
import json

import numpy as np
import pytest

from adkd.data import embedded, generated
from adkd.data.tasks import TASKS
from adkd.fetch import tiny_bert


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_any_task_has_its_columns_and_labels(task):
    found = generated.read(task, "train", 300)
    assert set(found) == {*task.text, "label", "idx"}
    assert found["idx"] == list(range(300))
    words = {word for name in task.text for text in found[name] for word in text.split()}
    assert words <= set(tiny_bert.VOCABULARY) - set(tiny_bert.SPECIAL)
    assert len({len(text.split()) for text in found[task.text[0]]}) > 10, "lengths vary"
    if task.regression:
        assert task.lowest <= min(found["label"])
        assert max(found["label"]) <= task.highest
        assert len(set(found["label"])) > 50
    else:
        shares = np.bincount(found["label"], minlength=task.outputs) / 300
        assert (abs(shares - 1 / task.outputs) < 0.1).all()


def test_the_same_on_every_machine_and_more_rows_begin_alike():
    few, many = (generated.read(TASKS["rte"], "train", rows) for rows in (20, 30))
    assert all(many[name][:20] == few[name] for name in few)
    assert few != generated.read(TASKS["rte"], "validation", 20)
    digest = hashlib.sha256(json.dumps(few).encode()).hexdigest()
    assert digest == "8a5bbbeb00ede103560f5ab7c381bc869ca16b3d314eb78f44bcc381d658ba59"


def test_cue_words_tell_the_label():
    found = generated.read(TASKS["mnli"], "train", 500)
    cue = {word: label for label, words in enumerate(tiny_bert.CUES) for word in words}
    told = [next(cue[word] for word in text.split() if word in cue) for text in found["premise"]]
    right = np.mean(np.array(told) == found["label"])
    assert 0.93 < right < 1, "some labels are wrong"
    found = generated.read(TASKS["stsb"], "train", 500)
    texts = [f"{a} {b}" for a, b in zip(found["sentence1"], found["sentence2"], strict=True)]
    count = [sum(word in cue for word in text.split()) for text in texts]
    assert np.corrcoef(count, found["label"])[0, 1] > 0.97


def test_keys_never_meet_across_splits_and_order_is_kept():
    rows = [(f"question {i % 40}", f"question {i % 40}", f"clause {i}", i % 2, i) for i in range(400)]
    found = embedded._divided(rows, ("question", "context"), {"test": 95, "validation": 60})
    questions = {split: set(columns["question"]) for split, columns in found.items()}
    assert sum(map(len, questions.values())) == 40
    assert {split: len(columns["idx"]) for split, columns in found.items()} == {
        "test": 100,
        "validation": 60,
        "train": 240,
    }
    assert sorted(i for columns in found.values() for i in columns["idx"]) == list(range(400))
    assert all(columns["idx"] == sorted(columns["idx"]) for columns in found.values())
    again = embedded._divided(reversed(rows), ("question", "context"), {"test": 95, "validation": 60})
    assert again == found


def test_readers_of_the_embedded_files(tmp_path):
    for file in embedded.STS_FILES.values():
        line = 'main\tMSR\t2012\t0001\t3.800\t A "man .\tA man\u0085 . \tstray"\t"'
        (tmp_path / file).write_text(f"{line}\n{line.rsplit(chr(9), 2)[0]}\n", encoding="utf-8")
    found = embedded.sts_benchmark(tmp_path, TASKS["stsb"])["train"]
    assert found == {
        "sentence1": ['A "man .'] * 2,
        "sentence2": ["A man\u0085 ."] * 2,
        "label": [3.8, 3.8],
        "idx": [0, 1],
    }
    lines = [f"{i}\t{(-1) ** i * 1.5}\tfilm {i}, très bon" for i in range(3600)]
    lines += ["3600\t0.0\tneither nor", "3601\t-1.0\tfilm 0, très bon"]
    content = "".join(f"{line}\r\n" for line in lines).encode()
    (tmp_path / "movieReviewSnippets_GroundTruth.txt").write_bytes(content)
    found = embedded.movie_reviews(tmp_path, TASKS["movies"])
    assert {split: len(columns["idx"]) for split, columns in found.items()} == {
        "test": 1000,
        "validation": 1000,
        "train": 1600,
    }
    for columns in found.values():
        for text, label, idx in zip(columns["sentence"], columns["label"], columns["idx"], strict=True):
            assert (text, label) == (f"film {idx}, très bon", 1 - idx % 2)
