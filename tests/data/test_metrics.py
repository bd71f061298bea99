"""Metrics against formulas written out by hand."""

import numpy as np
import pytest

from adkd.base.errors import InputError, RunError
from adkd.data.glue_metric import glue_scores
from adkd.data.metrics import floor, scores
from adkd.data.tasks import TASKS

RNG = np.random.default_rng(0)
LABELS = RNG.integers(2, size=200)
LOGITS = RNG.normal(size=(200, 2)) + np.eye(2)[LABELS]
PREDICTED = LOGITS.argmax(1)
TP, TN = (int((PREDICTED[label == LABELS] == label).sum()) for label in (1, 0))
FN, FP = (int((PREDICTED[label == LABELS] != label).sum()) for label in (1, 0))


def test_accuracy_and_f1_of_class_1():
    assert scores(TASKS["mrpc"], LOGITS, LABELS) == pytest.approx(
        {"accuracy": (TP + TN) / 200, "f1": 2 * TP / (2 * TP + FP + FN)}, abs=1e-12
    )


def test_matthews_correlation():
    product = float(TP + FP) * (TP + FN) * (TN + FP) * (TN + FN)
    expected = (TP * TN - FP * FN) / product**0.5
    assert scores(TASKS["cola"], LOGITS, LABELS) == pytest.approx({"matthews_correlation": expected}, abs=1e-12)


def test_correlations_with_ties():
    labels = RNG.integers(0, 6, size=150).astype(np.float32)
    logits = (labels + RNG.normal(size=150)).round(1).astype(np.float32)

    def pearson(x, y):
        x, y = x - x.mean(dtype=np.float64), y - y.mean(dtype=np.float64)
        return (x @ y) / np.sqrt((x @ x) * (y @ y))

    def ranks(x):  # the mean rank of equal values
        return np.array([(x < value).sum() + ((x == value).sum() + 1) / 2 for value in x])

    found = scores(TASKS["stsb"], logits[:, None], labels)
    assert found["pearsonr"] == pytest.approx(pearson(logits, labels), abs=1e-6)
    assert found["spearmanr"] == pytest.approx(pearson(ranks(logits), ranks(labels)), abs=1e-12)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("constant", [False, True])
def test_evaluate_gives_the_same_numbers(name, constant):
    task, rng = TASKS[name], np.random.default_rng(1)
    labels = rng.random(90).astype(np.float32) if task.regression else rng.integers(task.outputs, size=90)
    logits = np.tile(np.arange(task.outputs), (90, 1)) if constant else rng.normal(size=(90, task.outputs))
    logits = logits.astype(np.float32)
    assert glue_scores(task, logits, labels) == scores(task, logits, labels)


def test_the_correlation_with_a_constant_is_0():
    assert scores(TASKS["stsb"], np.ones((4, 1)), np.arange(4.0)) == {"spearmanr": 0.0, "pearsonr": 0.0}
    assert scores(TASKS["cola"], np.eye(2)[[1, 1, 1]], np.array([0, 1, 1])) == {"matthews_correlation": 0.0}


def test_the_floor_is_the_best_constant_answer():
    labels = np.array([0] * 7 + [1] * 3)
    assert floor(TASKS["sst2"], labels) == pytest.approx(0.7)
    assert floor(TASKS["mrpc"], labels) == pytest.approx(2 * 3 / (2 * 3 + 7))  # F1 of always answering 1
    assert floor(TASKS["mnli"], np.array([2, 2, 1, 0])) == pytest.approx(0.5)
    assert floor(TASKS["cola"], labels) == floor(TASKS["stsb"], labels / 2) == 0.0


@pytest.mark.parametrize(("task", "labels"), [("rte", [-1, -1]), ("rte", [0, -1]), ("stsb", [-1.0, -1.0])])
def test_hidden_labels_are_not_scored(task, labels):
    logits = np.zeros((2, TASKS[task].outputs))
    for ask in (lambda: scores(TASKS[task], logits, np.array(labels)), lambda: floor(TASKS[task], np.array(labels))):
        with pytest.raises(InputError, match=f"labels of {task} are not published"):
            ask()


def test_no_score_is_made_up():
    with pytest.raises(RunError, match="1 of 2 rte predictions are not finite"):
        scores(TASKS["rte"], np.array([[0.0, 1.0], [np.nan, 0.0]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="expected"):
        scores(TASKS["rte"], np.zeros((2, 3)), np.array([0, 1]))
    with pytest.raises(InputError, match="no examples"):
        scores(TASKS["rte"], np.zeros((0, 2)), np.array([]))
