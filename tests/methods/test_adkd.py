"""AD-KD's loss and its gradient against the plain version, in float64."""

import copy
import math

import pytest
import torch

from adkd.bench import published_way
from adkd.data.tasks import TASKS
from adkd.methods.adkd import Config, Method
from adkd.methods.attribution import released_weight
from adkd.methods.contract import Pass, Setup
from adkd.methods.method_config import TokenMap
from adkd.models import kernels
from adkd.models.encoder import frozen
from adkd.models.passes import forward
from adkd.training.signals import one_batch
from tests.small_models import STUDENT, TEACHER, batch, classifier, fixed_dropout, halve_dropout


def fast_loss(student, teacher, examples, config, progress=0.0):
    """The suite's own loss, from signals as they are stored."""
    outputs = student.config.num_labels
    method = Method(config, Setup(outputs, outputs == 1, TEACHER, STUDENT))
    maps = one_batch(teacher, examples, "token_maps", config.token_map)
    theirs = Pass(logits=one_batch(teacher, examples, "logits"), token_maps=maps)
    terms = method.loss(forward(student, examples, config.needs, method.depth), theirs, examples, progress)
    return sum(weight * value for weight, value in terms.values()), terms


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("special", [{}, {"top_k": 10}, {"steps": 3}], ids=["plain", "top_k", "steps"])
def test_loss_and_gradient_equal_the_plain_version(outputs, mode, special, monkeypatch):
    fixed_dropout(monkeypatch)
    teacher, twin = frozen(classifier(TEACHER, outputs)), halve_dropout(classifier(STUDENT, outputs, seed=3))
    twin.train(mode == "train")
    student, examples = kernels.install(copy.deepcopy(twin)), batch(outputs, extra=2)
    student.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    settings = {"alpha": 0.7, "temperature": 3.0, "beta": 10.0, "top_k": None} | special
    fast, _ = fast_loss(student, teacher, examples, Config(**settings, step_weights="released"))
    fast.backward()
    live = copy.deepcopy(teacher).requires_grad_(True)
    slow = published_way.adkd_loss(twin, live, examples, **settings)
    slow.backward()
    torch.testing.assert_close(fast, slow, atol=1e-8, rtol=1e-8)
    for (name, ours), theirs in zip(student.named_parameters(), twin.parameters(), strict=True):
        expected = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
        torch.testing.assert_close(ours.grad, expected, atol=1e-8, rtol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def test_released_steps_draw_dropout_again_and_equal_steps_do_not():
    student, examples = classifier(STUDENT, 2, seed=3).train(), batch(2)
    passed = forward(student, examples, frozenset({"token_maps"}))
    assert not torch.equal(passed.redrawn_states(), passed.states)
    student.eval()
    torch.testing.assert_close(passed.redrawn_states(), forward(student, examples, frozenset({"token_maps"})).states)


@pytest.mark.parametrize("margin", [30.0, 200.0])
def test_a_sure_teacher_does_not_lose_the_released_weights_of_its_steps(margin):
    """In float32 the probability of the wrong class is 0 at the whole input, and may be large at a part of it."""
    whole = torch.tensor([[margin, 0.0], [0.0, margin]])
    part, labels = torch.tensor([[1.0, 0.0], [margin, 0.0]]), torch.tensor([0, 1])
    weights = released_weight(part, labels, whole)
    error = torch.tensor([1 / (1 + math.e), 1.0]) * math.exp(min(margin, 40.0))
    torch.testing.assert_close(weights, error)
    assert weights.square().isfinite().all()


def test_temperature_anneals_from_t_to_one():
    teacher, student, examples = frozen(classifier(TEACHER, 2)), classifier(STUDENT, 2, seed=3), batch(2)

    def kd(progress, **settings):
        return fast_loss(student, teacher, examples, Config(**settings), progress)[1]["kd"][1]

    assert kd(0.0, temperature=4.0, anneal=True) == kd(0.0, temperature=4.0)
    assert kd(0.5, temperature=4.0, anneal=True) == kd(0.0, temperature=2.5)
    assert kd(1.0, temperature=4.0, anneal=True) == kd(0.0, temperature=1.0)


def test_double_backward_refuses_fused_attention():
    """Why ``second_order`` methods get eager attention; if this stops raising, the restriction can go."""
    teacher, student = frozen(classifier(TEACHER, 2)), classifier(STUDENT, 2, dtype=torch.float32)
    student.set_attn_implementation("sdpa")
    with pytest.raises(RuntimeError, match="not implemented"):
        fast_loss(student, teacher.float(), batch(2), Config())[0].backward()


def test_more_steps_still_reach_the_students_weights():
    teacher, student, examples = frozen(classifier(TEACHER, 3)), classifier(STUDENT, 3, seed=3), batch(3)

    def attribution():
        return fast_loss(student, teacher, examples, Config(steps=3))[1]["attribution"][1]

    attribution().backward()
    weight = student.bert.encoder.layer[0].output.dense.weight
    direction, before = weight.grad.clone(), attribution().item()
    with torch.no_grad():
        step = 1e-6 / direction.norm()
        weight += step * direction
    assert (attribution().item() - before) / step.item() == pytest.approx(direction.square().sum().item(), rel=1e-3)


def attribution(student, teacher, examples, **settings):
    return fast_loss(student, teacher, examples, Config(**settings))[1]["attribution"][1]


def test_the_views_add_up_to_all_of_them():
    teacher, student, examples = frozen(classifier(TEACHER, 3)), classifier(STUDENT, 3, seed=3), batch(3)
    single = [attribution(student, teacher, examples, views=(view,)) for view in range(3)]
    torch.testing.assert_close(sum(single), attribution(student, teacher, examples))
    assert len({round(value.item(), 6) for value in single}) == 3
    assert "three or more classes" in Config(views=(0,)).applies_to(TASKS["rte"])
    for views in ((3,), (1, 1)):
        with pytest.raises(ValueError, match="views must be distinct classes, 0 to 2"):
            Config(views=views)


@pytest.mark.parametrize("left_out", ["task", "kd", "attribution"])
def test_a_term_that_is_left_out_leaves_the_others_as_they_are(left_out):
    teacher, student, examples = frozen(classifier(TEACHER, 3)), classifier(STUDENT, 3, seed=3), batch(3)
    _, whole = fast_loss(student, teacher, examples, Config())
    _, rest = fast_loss(student, teacher, examples, Config(terms=tuple(whole.keys() - {left_out})))
    del whole[left_out]
    assert rest == whole


@pytest.mark.parametrize("layer", [0.0, 0.5, 1.0])
def test_maps_of_a_later_layer_are_those_of_its_input(layer):
    """Against the hidden states that transformers itself returns: gradient times input of layer ``depth``, 0-based."""
    model, examples, how = classifier(TEACHER, 2), batch(2, extra=1), TokenMap(layer=layer)
    inputs = {"input_ids": examples.input_ids, "attention_mask": examples.mask}
    found = model(**inputs, output_hidden_states=True)
    state = found.hidden_states[how.depth(TEACHER.layers)]
    (gradient,) = torch.autograd.grad((found.logits[:, 0] - found.logits[:, 1]).sum(), state)
    norms = (gradient * state).norm(dim=-1) * examples.mask
    expected = (norms / norms.norm(dim=-1, keepdim=True))[:, None]
    torch.testing.assert_close(one_batch(frozen(model), examples, "token_maps", how), expected)
    assert how.depth(TEACHER.layers) == {0.0: 0, 0.5: 2, 1.0: 3}[layer]
