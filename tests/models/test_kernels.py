"""The faster versions of operations inside the encoder against PyTorch's own, including gradients of gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers.activations import GELUActivation

from adkd.models import kernels
from adkd.models.encoder import layers
from adkd.models.passes import forward, logits_of
from tests.small_models import STUDENT, batch, classifier

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gelu_and_its_two_gradients_are_those_of_pytorch(dtype):
    x, gradient, second = torch.randn(3, 4, 257, dtype=torch.float64).to(dtype).unbind()

    def all_of(function):
        leaf, seed = x.clone().requires_grad_(), gradient.clone().requires_grad_()
        (first,) = torch.autograd.grad(function(leaf), leaf, seed, create_graph=True)
        return (function(x), first, *torch.autograd.grad(first, (leaf, seed), second))

    for ours, theirs in zip(all_of(kernels.gelu), all_of(functional.gelu), strict=True):
        assert torch.allclose(ours, theirs, atol=TOLERANCE[dtype])


def test_gelu_refuses_a_third_gradient():
    x = torch.randn(5, requires_grad=True)
    (first,) = torch.autograd.grad(kernels.gelu(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        second.sum().backward()


def test_dropout_drops_a_share_p_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.full((1_000_003,), 3.0)
    dropped = kernels.drop(x, 0.1, training=True)
    assert abs((dropped == 0).float().mean().item() - 0.1) < 0.001  # 3 standard errors
    assert len(dropped.unique()) == 2
    assert dropped.mean().item() == pytest.approx(3.0, abs=0.005)
    assert torch.equal(kernels.drop(x, 0.1, training=False), x)
    torch.manual_seed(0)
    assert torch.equal(kernels.drop(x, 0.1, training=True), dropped)


def test_dropout_draws_every_element_independently():
    torch.manual_seed(0)
    kept = (kernels.drop(torch.ones(400_000), 0.5, training=True) > 0).double() - 0.5
    for shift in range(1, 9):
        correlation = 4 * (kept[shift:] * kept[:-shift]).mean().item()
        assert abs(correlation) < 0.008, f"elements {shift} apart"  # 5 standard errors


def test_a_dropped_element_has_no_gradient_of_any_order():
    torch.manual_seed(0)
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    y = kernels.drop(x, 0.3, training=True)
    factor = (y / x).detach()
    (first,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    assert torch.allclose(first, 3 * factor**3 * x**2)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert torch.allclose(second, 6 * factor**3 * x)


@pytest.mark.parametrize("implementation", [kernels.TWICE_DIFFERENTIABLE, kernels.FUSED])
@pytest.mark.parametrize("training", [False, True])
def test_a_model_with_the_faster_versions_is_the_same_model(implementation, training):
    """In train mode with a dropout probability of 0, so that the code paths of training run without randomness."""
    data, gradients = batch(3, extra=2), []
    for faster in (False, True):
        model = classifier(STUDENT, 3).train(training)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if faster:
            model.set_attn_implementation(implementation)
            kernels.install(model)
            assert not any(isinstance(m, (nn.Dropout, GELUActivation)) for m in model.modules())
        logits = logits_of(model, data, whole_last_layer=not faster)
        logits[:, 0].sum().backward()
        gradients.append({"logits": logits} | {n: p.grad for n, p in model.named_parameters()})
    for name, plain in gradients[0].items():
        assert torch.allclose(gradients[1][name], plain, atol=1e-8), name


def test_fused_attention_with_dropout_masks_padding():
    """The path on a CPU in train mode: padding must not reach the logits of an example."""
    model = classifier(STUDENT, 3).train()
    model.set_attn_implementation(kernels.FUSED)
    kernels.install(model)
    for module in model.modules():
        if isinstance(module, kernels.Dropout):
            module.p = 0.0
    logits = {}
    for layer in layers(model):
        layer.attention.self.dropout.p = 1e-4  # rounds to 7 in 65536: dropout is applied, but drops hardly anything
    for extra in (0, 5):
        torch.manual_seed(0)
        logits[extra] = logits_of(model, batch(3, extra=extra))
    assert torch.allclose(logits[0], logits[5], atol=0.05)


@pytest.mark.parametrize("needs", [set(), {"cls"}, {"token_maps"}])
def test_the_last_layer_computes_the_first_token_alone_unless_other_states_are_needed(needs):
    model, data = classifier(STUDENT, 3), batch(3)
    seen = []
    hook = layers(model)[-1].output.register_forward_hook(lambda m, i, out: seen.append(out.shape[1]))
    lean = forward(model, data, frozenset(needs))
    whole = forward(model, data, frozenset(needs | {"hidden"}))
    hook.remove()
    assert seen == [1, 9]
    assert torch.allclose(lean.logits, whole.logits, atol=1e-12)
    if needs == {"cls"}:
        assert torch.allclose(lean.cls, whole.cls, atol=1e-12)
    assert "forward" not in vars(layers(model)[-1])
