"""Scoring an existing classifier: one of the suite, one with other class names, one of another family."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
)
from typer.testing import CliRunner

from adkd.__main__ import app
from adkd.base.errors import InputError
from adkd.base.files import read_json, write_json
from adkd.data import generated
from adkd.data.prepare import prepare
from adkd.data.tasks import TASKS
from adkd.evaluation.evaluate import evaluate, text
from adkd.fetch import checkpoints, tiny_bert
from adkd.methods.settings import Training
from adkd.plan.results import Results
from adkd.plan.specs import OfData, TeacherSpec
from adkd.training import teacher
from tests.conftest import DATA_SPEC

ROWS = {"train": 256, "validation": 128, "test": 5}
LABELS = ("entailment", "neutral", "contradiction")
TINY = Path(__file__).parents[2] / "workflow/config/tiny.yaml"
VOCABULARY = ("vocab.txt", "tokenizer_config.json")
BERT = BertConfig(**tiny_bert.TINY, vocab_size=len(tiny_bert.VOCABULARY), num_labels=2, type_vocab_size=2)
DISTILBERT = DistilBertConfig(
    vocab_size=len(tiny_bert.VOCABULARY), dim=32, n_layers=2, n_heads=4, hidden_dim=64, num_labels=2
)


def spec(model: object, **changed: object) -> dict[str, object]:
    return {
        "model": str(model),
        "tokenizer": None,
        "task": "mnli",
        "source": {"name": "generated", "rows": ROWS},
        "exceptions": {},
        "variants": {},
        "max_length": 32,
        "labels": None,
        "device": "cpu",
        "threads": 1,
    } | changed


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A teacher that the suite has trained: ``metrics.json`` and ``model``, without a tokenizer."""
    results = Results(tmp_path_factory.mktemp("trained"))
    prepare(DATA_SPEC.model_copy(update={"source": {"name": "generated", "rows": ROWS}}), results)
    spec = TeacherSpec(
        result="teacher",
        code="",
        task="mnli",
        seed=1,
        model="tiny_bert",
        training=Training(batch_size=8, epochs=6, learning_rate=2e-3),
        selection="dev",
        margin=0.0,
        evaluate=("validation_matched", "validation_mismatched"),
        inputs=OfData(data=DATA_SPEC.result),
        device="cpu",
        threads=1,
    )
    teacher.train(spec, results)
    return results.directory(spec.result)


@pytest.fixture(scope="module")
def whole(trained, tmp_path_factory) -> Path:
    """The same model with its tokenizer, as in published checkpoints."""
    directory = tmp_path_factory.mktemp("whole") / "model"
    shutil.copytree(trained / "model", directory)
    return with_vocabulary(directory)


def with_vocabulary(directory: Path) -> Path:
    for name in VOCABULARY:
        shutil.copy(Path(checkpoints.location("tiny_bert")[0]) / name, directory)
    return directory


def reordered(whole: Path, out: Path, order: tuple[int, ...], names: list[str]) -> Path:
    """The same classifier with its outputs in another order, under these names."""
    model = AutoModelForSequenceClassification.from_pretrained(whole)
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight[list(order)].clone())
        model.classifier.bias.copy_(model.classifier.bias[list(order)].clone())
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: number for number, name in enumerate(names)}
    model.save_pretrained(out)
    return with_vocabulary(out)


def test_a_model_of_the_suite_has_the_scores_of_its_metrics(trained, whole):
    recorded = read_json(trained / "metrics.json")["scores"]
    report = evaluate(spec(trained / "model", tokenizer="tiny_bert"))
    assert report["scores"] == recorded
    matched, constant = (report[key]["validation_matched"]["accuracy"] for key in ("scores", "constant"))
    assert matched > constant + 0.1
    assert report["rows"] == {"validation_matched": 128, "validation_mismatched": 128}
    assert report["warnings"] == []
    assert evaluate(spec(whole))["scores"] == recorded


def test_the_best_constant_prediction_is_the_most_frequent_class(whole):
    labels = generated.read(TASKS["mnli"], "validation_matched", 128)["label"]
    accuracy = evaluate(spec(whole))["constant"]["validation_matched"]["accuracy"]
    assert accuracy == np.bincount(labels).max() / 128


@pytest.mark.parametrize(
    "names", [["contradiction", "entailment", "neutral"], ["CONTRADICTION", "Entailment", "neutral"]]
)
def test_classes_are_matched_by_their_names(whole, tmp_path, names):
    report = evaluate(spec(reordered(whole, tmp_path / "model", (2, 0, 1), names)))
    assert report["scores"] == evaluate(spec(whole))["scores"]
    assert report["classes"] == ["contradiction", "entailment", "neutral"]
    assert report["warnings"] == []


def test_unnamed_classes_keep_the_order_of_the_task_and_a_warning_suggests_a_better_one(whole, tmp_path):
    model = reordered(whole, tmp_path / "model", (2, 0, 1), ["LABEL_0", "LABEL_1", "LABEL_2"])
    truth, report = evaluate(spec(whole))["scores"], evaluate(spec(model))
    assert report["classes"] == list(LABELS)
    assert "LABEL_0, LABEL_1, LABEL_2" in report["classes_known"]
    for split, scores in report["scores"].items():
        assert scores["accuracy"] < truth[split]["accuracy"] - 0.1
    (warning,) = report["warnings"]
    option = warning.split("--labels ")[1]
    assert f"warning: {warning}" in text(report)
    given = evaluate(spec(model, labels=option.split(",")))
    assert option == "contradiction,entailment,neutral"
    assert given["scores"] == truth
    assert given["warnings"] == []


def test_a_constant_model_gives_no_warning_about_the_order(tmp_path):
    model = AutoModelForSequenceClassification.from_config(BERT)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, 0.0]))  # "not equivalent" has an F1 of 0, the other one of 0.7
    model.save_pretrained(tmp_path)
    report = evaluate(spec(with_vocabulary(tmp_path), task="mrpc"))
    assert report["scores"]["validation"]["f1"] == 0
    assert report["constant"]["validation"]["f1"] > 0.5
    assert report["warnings"] == []


@pytest.mark.parametrize("config", [DISTILBERT, BERT], ids=["distilbert", "bert"])
def test_token_types_are_not_passed_if_the_tokenizer_has_none(tmp_path, config):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():  # larger weights, so that token types would change the scores
        for weight in (weight for weight in model.parameters() if weight.ndim > 1):
            weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(tmp_path)
    settings = read_json(with_vocabulary(tmp_path) / "tokenizer_config.json")
    write_json(tmp_path / "tokenizer_config.json", settings | {"model_input_names": ["input_ids", "attention_mask"]})
    raw, tokenizer = generated.read(TASKS["rte"], "validation", 128), AutoTokenizer.from_pretrained(tmp_path)
    margins = []
    for pair in zip(raw["sentence1"], raw["sentence2"], strict=True):
        inputs = tokenizer(*pair, return_tensors="pt", truncation=True, max_length=32)
        with torch.no_grad():
            no, yes = model(inputs["input_ids"], inputs["attention_mask"]).logits[0]
        margins.append((yes - no).item())
    middle = float(np.median(margins))
    with torch.no_grad():
        model.classifier.bias[1] -= middle  # now half of the predictions are yes
    model.save_pretrained(tmp_path)
    accuracy = evaluate(spec(tmp_path, task="rte"))["scores"]["validation"]["accuracy"]
    assert accuracy == np.mean((np.array(margins) > middle) == raw["label"])


def test_regression_has_no_classes(tmp_path):
    config = BertConfig(**tiny_bert.TINY, vocab_size=len(tiny_bert.VOCABULARY), num_labels=1)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    report = evaluate(spec(with_vocabulary(tmp_path), task="stsb"))
    assert report["constant"] == {"validation": {"spearmanr": 0.0, "pearsonr": 0.0}}
    assert "in the order of the outputs" not in text(report)
    error = refused(spec(tmp_path, task="stsb", labels=["a"]))
    assert (error.what, error.value) == ("labels", "a")


def refused(of: dict[str, object]) -> InputError:
    with pytest.raises(InputError) as caught:
        evaluate(of)
    return caught.value


@pytest.mark.parametrize(
    ("changed", "value", "allowed"),
    [
        ({"task": "mnly"}, "mnly", "mnli"),
        ({"task": "rte"}, 3, "2 (entailment, not_entailment)"),
        ({"model": "no/such/place"}, "no/such/place", "an existing directory"),
        ({"model": "nowhere"}, "nowhere", "a directory or OWNER/NAME on the hub"),
        ({"labels": ["neutral", "entailment", "contradictory"]}, "contradictory", "contradiction"),
        ({"labels": ["neutral", "entailment"]}, "neutral,entailment", f"each of {', '.join(LABELS)} exactly once"),
        ({"max_length": 129}, 129, "an integer from 8 to 128, the model's limit"),
        ({"source": {"name": "embedded"}}, "mnli", "stsb"),
    ],
)
def test_a_wrong_setting_is_refused(whole, changed, value, allowed):
    error = refused(spec(whole) | changed)
    assert error.value == value
    assert allowed == error.allowed or allowed in error.allowed


def test_a_directory_without_a_vocabulary_a_head_or_a_model_is_refused(trained, tmp_path):
    assert "--tokenizer" in refused(spec(trained / "model")).remedy
    shutil.copytree(checkpoints.location("tiny_bert")[0], tmp_path / "encoder")
    assert "classifier.bias, classifier.weight" in refused(spec(tmp_path / "encoder", task="rte")).what
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(spec(tmp_path / "empty")).what


def test_the_command_reads_a_config_and_writes_a_report(whole, trained, tmp_path):
    def command(*more: object):
        options = ["evaluate", "--model", whole, "--task", "mnli", "--configfile", TINY, *more]
        return CliRunner().invoke(app, [str(option) for option in options])

    shown = command("--out", tmp_path / "report.json")
    assert shown.exit_code == 0
    report = read_json(tmp_path / "report.json")
    assert report["scores"] == read_json(trained / "metrics.json")["scores"]
    assert report["spec"]["max_length"] == 32
    assert f"{100 * report['scores']['validation_matched']['accuracy']:.1f}" in shown.output
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert "give one of them" in str(command("--data", tmp_path).exception)
