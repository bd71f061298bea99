"""Losses of the baselines, by hand, with every convention of their released codes."""

import pytest

from adkd.methods import registry
from adkd.methods.contract import Pass, Setup
from adkd.models.encoder import frozen
from adkd.models.passes import forward
from tests.small_models import STUDENT, TEACHER, batch, classifier


def passes(outputs, needs):
    """A batch, and the passes of a student and of a teacher over it."""
    examples = batch(outputs, extra=2)
    student, teacher = classifier(STUDENT, outputs, seed=3), frozen(classifier(TEACHER, outputs))
    return examples, forward(student, examples, needs), forward(teacher, examples, needs)


def terms(name, outputs, phase=-1, **settings):
    """The unweighted terms of a method's last phase, with the batch and the passes that they are made from."""
    config = registry.configure(name, settings)
    method = registry.load(name)(config, Setup(outputs, outputs == 1, TEACHER, STUDENT)).double()
    chosen = method.phases()[phase]
    examples, student, teacher = passes(outputs, chosen.needs)
    values = {term: value.item() for term, (_, value) in chosen.loss(student, teacher, examples, 0.0).items()}
    return values, examples, student, teacher, method


def divergence(student: Pass, teacher: Pass, temperature: float) -> float:
    """Sum over classes, mean over examples, of KL(teacher || student)."""
    p, q = ((x.logits / temperature).softmax(1) for x in (teacher, student))
    return (p * (p / q).log()).sum(1).mean().item()


@pytest.mark.parametrize("outputs", [2, 3])
def test_vanilla_kd_divides_by_the_classes_only_where_asked_to(outputs):
    for divided in (False, True):
        values, _, student, teacher, _ = terms("vanilla_kd", outputs, temperature=5.0, mean_over_classes=divided)
        expected = 25 * divergence(student, teacher, 5.0) / (outputs if divided else 1)
        assert values["kd"] == pytest.approx(expected)


@pytest.mark.parametrize("outputs", [2, 3])
def test_pkd_is_that_of_its_released_code(outputs):
    values, examples, student, teacher, _ = terms("pkd", outputs, temperature=5.0)
    assert values["kd"] == pytest.approx(25 * divergence(student, teacher, 5.0) / outputs)
    ours, theirs = student.cls[:, 0], teacher.cls[:, 1]  # of layers 2 and 4, the student's first learns from the second
    ours, theirs = ours / ours.norm(dim=-1, keepdim=True), theirs / theirs.norm(dim=-1, keepdim=True)
    assert values["patient"] == pytest.approx(((ours - theirs) ** 2).mean().item())
    log_p = student.logits.log_softmax(1)
    assert values["task"] == pytest.approx(-sum(log_p[i, c].item() for i, c in enumerate(examples.labels)) / 3)


def test_tinybert_divides_by_the_classes_only_where_asked_to():
    for divided in (False, True):
        values, _, student, teacher, _ = terms("tinybert", 3, mean_over_classes=divided)
        cross_entropy = -(teacher.logits.softmax(1) * student.logits.log_softmax(1))
        assert values["kd"] == pytest.approx((cross_entropy.mean() if divided else cross_entropy.sum(1).mean()).item())


def test_tinybert_learns_gold_scores_only_where_asked_to():
    values, examples, student, teacher, _ = terms("tinybert", 1)
    assert values == {"kd": pytest.approx((student.logits - teacher.logits).square().mean().item())}
    values, examples, student, teacher, _ = terms("tinybert", 1, gold_scores=True)
    assert values == {"task": pytest.approx((student.logits[:, 0] - examples.labels).square().mean().item())}


def test_tinybert_compares_real_tokens_and_pairs_alone():
    """Every layer's mean over the 21 tokens of 9, 5 and 7, and over their 155 pairs, as plain loops."""
    values, _, student, teacher, method = terms("tinybert", 2, phase=0)
    lengths, hidden, attention = (9, 5, 7), 0.0, 0.0
    ours, theirs = [student.embeddings, *student.hidden], [teacher.embeddings, teacher.hidden[1], teacher.hidden[3]]
    for one, other in zip(ours, theirs, strict=True):
        error = (method.projection(one) - other).square().mean(-1)
        hidden += sum(error[i, :n].sum().item() for i, n in enumerate(lengths)) / 21
    for one, other in zip(student.attentions, teacher.attentions[1::2], strict=True):
        error = (one - other).square().mean(1)
        attention += sum(error[i, :n, :n].sum().item() for i, n in enumerate(lengths)) / 155
    assert values == {"hidden": pytest.approx(hidden), "attention": pytest.approx(attention)}
