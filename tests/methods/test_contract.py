"""What every method owes the loop. A new file in ``baselines/`` is tested here by existing."""

import itertools

import pytest
import torch

from adkd.data.batches import Batch, Counts
from adkd.data.batching import expected_counts
from adkd.data.tasks import TASKS
from adkd.methods import registry
from adkd.methods.contract import Pass, Setup
from adkd.methods.method_config import OUTPUTS
from adkd.models.encoder import frozen
from adkd.models.passes import forward
from adkd.training.signals import one_batch
from tests.small_models import STUDENT, TEACHER, batch, classifier, part

OUTPUT_COUNTS = {"regression": 1, "binary": 2, "three_class": 3}
KINDS = {1: TASKS["stsb"], 2: TASKS["sst2"], 3: TASKS["mnli"]}


def build(name, outputs):
    """The method with its default settings, a student and a frozen teacher; skips a task it does not apply to."""
    config = registry.configure(name, {})
    if reason := config.applies_to(KINDS[outputs]):
        pytest.skip(f"{name} does not apply: {reason}")
    assert config.fits(TEACHER, STUDENT) is None
    kind = registry.load(name)
    method = kind(config, Setup(outputs, outputs == 1, TEACHER, STUDENT)).double()
    student = classifier(STUDENT, outputs, seed=3)
    if not kind.second_order:
        student.set_attn_implementation("sdpa")
    return method, student, frozen(classifier(TEACHER, outputs))


def teacher_pass(teacher, examples, config, needs):
    """Just what the method asks the teacher for: anything else is None, so that reading it fails here."""
    found = {}
    live = forward(teacher, examples, needs - {"token_maps"})
    for name in needs - {"token_maps"}:
        found[name] = getattr(live, name)
    if "token_maps" in needs:
        found["token_maps"] = one_batch(teacher, examples, "token_maps", config.token_map)
    return Pass(**{"logits": None, **found})


def phase_terms(method, phase, student, teacher, examples, progress=0.5):
    theirs = teacher_pass(teacher, examples, method.config, phase.needs)
    return phase.loss(forward(student, examples, phase.needs, method.depth), theirs, examples, progress)


@pytest.fixture(params=registry.names())
def name(request):
    return request.param


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("outputs", OUTPUT_COUNTS.values(), ids=OUTPUT_COUNTS)
def test_every_phase_gives_finite_scalars_that_reach_the_student(name, outputs, mode):
    method, student, teacher = build(name, outputs)
    student.train(mode == "train")
    for phase in method.phases():
        student.zero_grad()
        terms = phase_terms(method, phase, student, teacher, batch(outputs))
        assert terms, f"phase {phase.name} has no loss term"
        for term, (weight, value) in terms.items():
            assert value.shape == (), f"{term} has shape {tuple(value.shape)}; a scalar is needed"
            assert value.isfinite(), f"{term} = {value}"
            assert weight >= 0, f"{term} has weight {weight}"
        sum(weight * value for weight, value in terms.values()).backward()
        reached = sum(p.grad is not None and bool(p.grad.any()) for p in student.bert.encoder.parameters())
        assert reached > 0, f"phase {phase.name} leaves the student's encoder without a gradient"
        assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("outputs", OUTPUT_COUNTS.values(), ids=OUTPUT_COUNTS)
def test_padding_does_not_change_the_loss(name, outputs):
    method, student, teacher = build(name, outputs)
    for phase in method.phases():
        tight, padded = (phase_terms(method, phase, student, teacher, batch(outputs, extra=e)) for e in (0, 6))
        for term, (_, value) in tight.items():
            torch.testing.assert_close(padded[term][1], value, msg=lambda m, t=term: f"{t}: {m}")


@pytest.mark.parametrize("outputs", OUTPUT_COUNTS.values(), ids=OUTPUT_COUNTS)
def test_a_batch_in_parts_has_the_gradient_of_the_whole(name, outputs):
    """So that steps can be accumulated or spread over processes: a loss divides by ``batch.counts`` alone."""
    method, student, teacher = build(name, outputs)
    whole = batch(outputs)
    for phase in method.phases():
        gradients = []
        for rows in ([slice(0, 3)], [slice(0, 1), slice(1, 3)]):
            student.zero_grad()
            for chosen in rows:
                terms = phase_terms(method, phase, student, teacher, part(whole, chosen))
                sum(weight * value for weight, value in terms.values()).backward()
            gradients.append({n: p.grad.clone() for n, p in student.named_parameters() if p.grad is not None})
        for parameter, gradient in gradients[0].items():
            message = f"phase {phase.name}, {parameter}: the loss divides by something else than batch.counts"
            torch.testing.assert_close(gradients[1][parameter], gradient, msg=lambda m, t=message: f"{t}\n{m}")


def test_like_lengths_and_random_batches_have_one_expected_gradient(name):
    """For every example, whatever its length: each has tokens of its own, and so rows of the embedding matrix."""
    lengths, size = torch.tensor([3, 4, 8, 12, 20, 30]), 2
    method, student, teacher = build(name, 3)
    mask = (torch.arange(30) < lengths[:, None]).long()
    ids = (1 + 8 * torch.arange(6)[:, None] + torch.arange(30) % 8) * mask
    labels = torch.arange(6) % 3

    def gradient(phase, rows, counts=None):
        student.zero_grad()
        chosen = Batch(ids[rows], torch.zeros_like(ids[rows]), mask[rows], labels[rows], rows, counts)
        terms = phase_terms(method, phase, student, teacher, chosen)
        sum(weight * value for weight, value in terms.values()).backward()
        return student.bert.embeddings.word_embeddings.weight.grad[1:49].unflatten(0, (6, 8)).clone()

    tokens, pairs = (expected_counts(lengths**power, size) for power in (1, 2))
    for phase in method.phases():
        random = [gradient(phase, torch.tensor(rows)) for rows in itertools.combinations(range(6), size)]
        like_length = [
            gradient(phase, rows, Counts(torch.tensor(size), tokens[rows], pairs[rows]))
            for rows in torch.arange(6).split(size)
        ]
        expected, ours = torch.stack(random).mean(0), torch.stack(like_length).mean(0)
        for length, one, other in zip(lengths.tolist(), ours, expected, strict=True):
            error = ((one - other).norm() / other.norm()).item()
            assert error < 0.01, f"phase {phase.name}: an example of {length} tokens is off by {error:.1%}"


def test_a_student_that_is_its_teacher_has_nothing_left_to_imitate(name):
    """Every term but the gold labels' is at its minimum, with no gradient, where student and teacher are the same."""
    config = registry.configure(name, {})
    if config.fits(TEACHER, TEACHER):
        pytest.skip("the method cannot teach a student of the teacher's size")
    method = registry.load(name)(config, Setup(3, False, TEACHER, TEACHER)).double()
    for module in method.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.eye_(module.weight)
            torch.nn.init.zeros_(module.bias)
    teacher, student = frozen(classifier(TEACHER, 3)), classifier(TEACHER, 3)
    for phase in method.phases():
        terms = phase_terms(method, phase, student, teacher, batch(3), progress=1.0)
        rest = sum(weight * value for term, (weight, value) in terms.items() if term != "task")
        if isinstance(rest, int):
            continue
        student.zero_grad()
        rest.backward()
        gradients = [p.grad.abs().max() for p in student.parameters() if p.grad is not None]
        assert max(gradients) < 1e-9, f"phase {phase.name} moves a student that equals its teacher"


def test_needs_are_declared_before_any_tensor_exists(name):
    method, _, _ = build(name, 2)
    needs = method.config.needs
    assert needs <= OUTPUTS, f"{needs - OUTPUTS} are no outputs of a model"
    assert frozenset().union(*(phase.needs for phase in method.phases())) == needs
    assert ("token_maps" in needs) == (method.config.token_map is not None)
    assert registry.outline(name)().needs == needs, "listing and loading the method disagree"


def test_every_setting_is_documented(name):
    assert registry.summary(name)
    for setting in registry.fields(name):
        assert setting.doc, f"{setting.name} has no docstring"
