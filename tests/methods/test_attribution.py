"""Token maps against captum and against themselves: steps, views, padding, saturation."""

import captum.attr
import pytest
import torch
from torch import nn

from adkd.methods.attribution import token_maps, token_scores
from adkd.models.passes import forward
from tests.small_models import TEACHER, batch, classifier, one_example

EMBEDDINGS = frozenset({"embeddings"})


def maps_of(model, examples, **options):
    found = forward(model, examples, EMBEDDINGS)
    embeddings = found.embeddings.detach().requires_grad_()
    return token_maps(found.logits_from, embeddings, examples.mask, **options).detach()


def views(logits):
    """What each view attributes, as a function of the logits: [B, C] -> V x [B]."""
    if logits.shape[1] == 1:
        return [logits[:, 0]]
    if logits.shape[1] == 2:
        return [logits[:, 1] - logits[:, 0]]
    return list((-logits.log_softmax(1)).unbind(1))


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_maps_equal_captum(outputs, steps):
    model, examples = classifier(TEACHER, outputs), batch(outputs)
    found = forward(model, examples, EMBEDDINGS)
    embeddings, block = found.embeddings.detach().requires_grad_(), nn.Identity()
    ours = maps_of(model, examples, steps=steps)
    assert ours.shape == (3, 3 if outputs == 3 else 1, 9)
    for view in range(ours.shape[1]):

        def score(e, view=view):
            return views(found.logits_from(block(e)))[view]

        if steps == 1:
            expected = captum.attr.InputXGradient(score).attribute(embeddings)
        else:
            expected = captum.attr.LayerIntegratedGradients(score, block).attribute(
                embeddings, torch.zeros_like(embeddings), n_steps=steps, method="riemann_right", internal_batch_size=3
            )
        scores = expected.norm(dim=-1)
        torch.testing.assert_close(ours[:, view], scores / scores.norm(dim=-1, keepdim=True), atol=1e-8, rtol=0)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 3])
def test_padding_changes_nothing_and_gets_exactly_zero(outputs, steps):
    model, examples = classifier(TEACHER, outputs), batch(outputs, extra=4)
    whole = maps_of(model, examples, steps=steps, top_k=7)
    assert (whole * (1 - examples.mask)[:, None] == 0).all()
    for row in range(3):
        alone = maps_of(model, one_example(examples, row), steps=steps, top_k=7)[0]
        torch.testing.assert_close(whole[row, :, : alone.shape[1]], alone, atol=1e-10, rtol=0)


def test_maps_are_nonnegative_and_of_unit_norm():
    maps = maps_of(classifier(TEACHER, 3), batch(3))
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.norm(dim=-1), torch.ones(3, 3, dtype=maps.dtype))


@pytest.mark.parametrize("margin", [5.0, 40.0, 200.0])
def test_a_saturated_softmax_gives_the_right_map_in_float32(margin):
    """The map of a class does not depend on how sure the model is of it, so a head shifted towards class 0 is no excuse
    for rounding noise: float32 must say what float64 says, where ``-log(softmax(z))`` is 0 or infinite."""
    model, examples = classifier(TEACHER, 3), batch(3)
    with torch.no_grad():
        model.classifier.bias += torch.tensor([margin, 0.0, 0.0])
    exact = maps_of(model, examples)
    model.float()
    rounded = maps_of(model, examples)
    torch.testing.assert_close(rounded.norm(dim=-1), torch.ones(3, 3))
    torch.testing.assert_close(rounded.double(), exact, atol=1e-4, rtol=0)


def test_top_k_keeps_the_largest_dimensions():
    attributions = torch.tensor([[3.0, -4.0, 0.1, 0.0]])
    assert token_scores(attributions, 2).item() == pytest.approx(5.0)
    assert token_scores(attributions, 1).item() == pytest.approx(4.0)
    assert token_scores(attributions, None) == token_scores(attributions, 4)
