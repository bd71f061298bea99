"""What every method owes the loop. A new file in ``baselines/`` is tested here by existing."""

import pytest
import torch

from adkd.data.tasks import TASKS
from adkd.methods import registry
from adkd.methods.contract import Pass, Setup
from adkd.methods.method_config import OUTPUTS
from adkd.models.encoder import frozen
from adkd.models.passes import forward
from adkd.training.signals import one_batch
from tests.small_models import STUDENT, TEACHER, batch, classifier

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
