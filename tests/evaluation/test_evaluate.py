"""Scoring an existing classifier: one of the suite, one with other class names, one of another family."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    PretrainedConfig,
    RobertaConfig,
    pipeline,
)
from typer.testing import CliRunner

from adkd.__main__ import app
from adkd.base.errors import InputError
from adkd.base.files import read_json, sha256, write_json
from adkd.data import generated
from adkd.data.prepare import prepare
from adkd.data.tasks import TASKS
from adkd.evaluation.evaluate import evaluate, text
from adkd.fetch import checkpoints, tiny_bert
from adkd.methods.settings import Training
from adkd.models.encoder import name_classes, new_classifier, save_classifier
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
    """A teacher that the suite has trained: ``metrics.json``, ``predictions`` and ``model``."""
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
def whole(trained) -> Path:
    """Its model, which has its tokenizer, as published checkpoints do."""
    return trained / "model"


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
    report = evaluate(spec(whole))
    assert report["scores"] == recorded
    matched, constant = (report[key]["validation_matched"]["accuracy"] for key in ("scores", "constant"))
    assert matched > constant + 0.1
    assert report["rows"] == {"validation_matched": 128, "validation_mismatched": 128}
    assert report["warnings"] == []
    assert evaluate(spec(whole, tokenizer="tiny_bert"))["scores"] == recorded
    assert report["weights"] == {"model.safetensors": sha256(whole / "model.safetensors")}


def test_a_pipeline_of_a_model_of_the_suite_gives_the_stored_predictions(trained, whole):
    classifier = pipeline("text-classification", model=str(whole), top_k=None, truncation=True)
    raw = generated.read(TASKS["mnli"], "validation_matched", 128)
    pairs = zip(raw["premise"], raw["hypothesis"], strict=True)
    answers = classifier([{"text": premise, "text_pair": hypothesis} for premise, hypothesis in pairs])
    given = [[{one["label"]: one["score"] for one in answer}[label] for label in LABELS] for answer in answers]
    stored = pq.read_table(trained / "predictions/validation_matched.parquet")
    logits = torch.tensor(np.stack([stored[f"logit_{number}"] for number in range(3)], axis=1))
    torch.testing.assert_close(torch.tensor(given, dtype=torch.float32), logits.softmax(1), atol=1e-5, rtol=0)
    assert len({answer[0]["label"] for answer in answers}) > 1


def test_a_pipeline_of_a_regression_gives_the_score_itself(tmp_path):
    model = new_classifier("tiny_bert", 1, task="stsb", seed=1).eval()
    name_classes(model, TASKS["stsb"].labels)
    save_classifier(model, checkpoints.tokenizer("tiny_bert"), 32, tmp_path)
    (answer,) = pipeline("text-classification", model=str(tmp_path))(["red1 word2"])
    with torch.no_grad():
        logit = model(**AutoTokenizer.from_pretrained(tmp_path)("red1 word2", return_tensors="pt")).logits
    assert answer == {"label": "score", "score": pytest.approx(logit.item(), abs=1e-5)}


def test_whoever_may_read_the_results_may_read_the_model(whole):
    files = {file.name: file.stat().st_mode & 0o666 for file in whole.iterdir()}
    assert set(files.values()) == {whole.stat().st_mode & 0o666}
    assert files.keys() >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_the_report_records_the_weights_that_were_loaded(trained):
    weights = Path(checkpoints.location("tiny_bert")[0]) / "model.safetensors"
    origin = read_json(trained / "metrics.json")["origin"]
    assert origin == {"name": "tiny_bert", "commit": None, "sha256": {weights.name: sha256(weights)}}


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


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "num_labels": 2}
ROBERTA = {"type_vocab_size": 1, "max_position_embeddings": 34, "pad_token_id": 0}


def saved(config: PretrainedConfig, out: Path) -> Path:
    AutoModelForSequenceClassification.from_config(config).save_pretrained(out)
    return with_vocabulary(out)


def test_a_model_with_one_token_type_reads_pairs(tmp_path):
    model = saved(RobertaConfig(**SIZES, **ROBERTA, vocab_size=len(tiny_bert.VOCABULARY)), tmp_path)
    assert evaluate(spec(model, task="rte"))["rows"] == {"validation": 128}


def test_a_model_with_too_few_positions_is_refused_whatever_its_family_makes_of_them(tmp_path):
    config = RobertaConfig(**SIZES, **ROBERTA, vocab_size=len(tiny_bert.VOCABULARY))
    error = refused(spec(saved(config, tmp_path), task="rte", max_length=34))
    assert error.what.startswith(f"{tmp_path} cannot read a text of 34 tokens")


def test_surplus_layers_are_refused(tmp_path):
    saved(RobertaConfig(**SIZES, **ROBERTA, vocab_size=len(tiny_bert.VOCABULARY)), tmp_path)
    write_json(tmp_path / "config.json", read_json(tmp_path / "config.json") | {"num_hidden_layers": 1})
    assert "roberta.encoder.layer.1." in refused(spec(tmp_path, task="rte")).what


@pytest.mark.parametrize("family", ["bert", "roberta", "albert", "deberta-v2", "distilbert", "electra", "xlnet"])
def test_no_family_gets_a_vocabulary_that_transformers_makes_up(tmp_path, family):
    AutoConfig.for_model(family).save_pretrained(tmp_path)
    with pytest.raises(InputError) as caught:
        checkpoints.tokenizer(str(tmp_path))
    assert caught.value.what == f"{tmp_path} has no vocabulary"


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
    shutil.copytree(trained / "model", tmp_path / "mute", ignore=shutil.ignore_patterns("tokenizer.json"))
    assert "--tokenizer" in refused(spec(tmp_path / "mute")).remedy
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
