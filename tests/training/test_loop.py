"""The training loop: schedule, selection, records of epochs, and divergence."""

import pytest
import torch

from adkd.base.errors import RunError
from adkd.data.batches import Examples
from adkd.methods.contract import Method, Setup
from adkd.methods.losses import mean, task_loss
from adkd.methods.method_config import MethodConfig
from adkd.methods.settings import Training
from adkd.models.encoder import head, new_classifier, shape
from adkd.training.loop import Descent, Trainer, groups, rate
from adkd.training.runtime import tensor_cores
from adkd.training.signals import Teacher


class Plain(Method):
    """The task's loss, with a second term that becomes NaN at a chosen step."""

    bad_step = None

    def __init__(self, setup):
        super().__init__(MethodConfig(), setup)
        self.step = 0

    def phases(self):
        (phase,) = super().phases()
        return [type(phase)("train", self.loss, frozenset(), {})]

    def loss(self, student, teacher, batch, progress):
        self.step += 1
        extra = student.logits.sum() * (float("nan") if self.step == self.bad_step else 0.0)
        task = mean(task_loss(student.logits, batch.labels, regression=False), batch.counts.examples)
        return {"task": (1.0, task), "extra": (0.5, extra)}


def run(data, scores, *, keep_best, bad_step=None, epochs=4):
    """Fit a tiny student with given scores of its epochs. Also returns the head's weights after every epoch."""
    model = new_classifier("tiny_bert", 3, task="mnli", seed=1, layers=[1, 3])
    method, weights, remaining = Plain(Setup(3, False, shape(model), shape(model))), [], iter(scores)
    method.bad_step = bad_step

    def score(model):
        assert not model.training
        weights.append(head(model).weight.detach().clone())
        return next(remaining)

    trainer = Trainer(
        model=model,
        method=method,
        teacher=Teacher({}),
        examples=Examples.load(data, "train"),
        training=Training(batch_size=16, epochs=epochs, learning_rate=1e-3),
        score=score,
        keep_best=keep_best,
        task="mnli",
        seed=1,
        device=torch.device("cpu"),
    )
    return model, weights, trainer.fit()


@pytest.mark.parametrize(("keep_best", "kept"), [(True, 1), (False, 3)])
def test_the_model_has_the_weights_of_the_selected_epoch(data, keep_best, kept):
    model, weights, history = run(data, [0.1, 0.5, 0.3, 0.5], keep_best=keep_best)
    assert torch.equal(head(model).weight, weights[kept])
    assert [record["kept"] for record in history] == [i == kept for i in range(4)]
    assert not torch.equal(weights[0], weights[kept])


def test_terms_are_logged_without_their_weight(data):
    _, _, history = run(data, [0.0], keep_best=True, epochs=1)
    assert 0.9 < history[0]["terms"]["task"] < 1.4  # about log 3, whatever its weight
    assert history[0]["terms"]["extra"] == 0.0


def test_a_nan_loss_term_stops_the_run_and_is_named(data):
    with pytest.raises(RunError, match=r"phase train, epoch 2, step 3: extra = nan"):
        run(data, [0.1, 0.2], keep_best=True, bad_step=8)  # 70 rows in batches of 16 are 5 steps an epoch


def test_the_same_seed_gives_the_same_weights(data):
    models = []
    for _ in range(2):
        torch.manual_seed(0)  # dropout; a job does this once, when it starts
        models.append(run(data, [0.0, 0.0], keep_best=False, epochs=2)[0])
    one, other = models
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_learning_rate_factors():
    linear = rate(Training(warmup=0.25), 8)
    assert [linear(s) for s in range(9)] == pytest.approx([0, 0.5, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0])
    constant = rate(Training(schedule="constant"), 8)
    assert [constant(s) for s in (0, 4, 8)] == [1, 1, 1]


def test_weight_decay_does_not_apply_to_biases_and_layer_norms():
    model = new_classifier("tiny_bert", 3, task="mnli", seed=1)
    decayed, spared = groups(list(model.parameters()), 0.1)
    named = {id(p): name for name, p in model.named_parameters()}
    assert decayed["weight_decay"] == 0.1
    assert all("bias" not in named[id(p)] and "LayerNorm" not in named[id(p)] for p in decayed["params"])
    assert spared["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(spared["params"]) == len(named)


def test_tensor_cores_are_used_on_a_gpu_and_within_the_block_only():
    before = torch.get_float32_matmul_precision()
    with tensor_cores(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before
    with tensor_cores(torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before


def bert_adam(parameters, gradients, *, learning_rate, weight_decay, clip, steps):
    """BertAdam by its formulas, on lists of tensors: every gradient clipped for itself, moments without correction."""
    means, squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for step, of_step in enumerate(gradients):
        for i, gradient in enumerate(of_step):
            gradient = gradient * min(1.0, clip / gradient.norm().item())
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            decay = weight_decay if parameters[i].ndim > 1 else 0.0
            change = means[i] / (squares[i].sqrt() + 1e-6) + decay * parameters[i]
            parameters[i] = parameters[i] - learning_rate * (1 - step / steps) * change
    return parameters


def test_without_bias_correction_and_clipped_by_tensor_it_is_bert_adam():
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 3).double()
    start = [p.detach().clone() for p in layer.parameters()]
    gradients = [[torch.randn_like(p) * size for p in start] for size in (5.0, 0.1, 1.0, 3.0)]
    training = Training(
        learning_rate=0.1, weight_decay=0.01, bias_correction=False, adam_epsilon=1e-6, clip_by="tensor", clip=0.5
    )
    descent = Descent(layer, torch.nn.Module(), training, steps=4)
    for of_step in gradients:
        loss = sum((p * gradient).sum() for p, gradient in zip(layer.parameters(), of_step, strict=True))
        descent.step(loss, "a test")
    expected = bert_adam(start, gradients, learning_rate=0.1, weight_decay=0.01, clip=0.5, steps=4)
    for ours, theirs in zip(layer.parameters(), expected, strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-6, atol=1e-8)


def test_by_default_it_is_adamw_with_one_gradient_norm():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Linear(4, 3).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    descent = Descent(ours, torch.nn.Module(), Training(learning_rate=0.1, schedule="constant", clip=0.5), steps=4)
    plain = torch.optim.AdamW(theirs.parameters(), lr=0.1, eps=1e-8, weight_decay=0.0)
    for factor in (5.0, 0.1, 3.0):
        descent.step(factor * ours(torch.ones(4).double()).square().sum(), "a test")
        plain.zero_grad()
        (factor * theirs(torch.ones(4).double()).square().sum()).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        plain.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_gradient_that_is_not_finite_stops_the_run_however_it_is_clipped():
    layer = torch.nn.Linear(4, 3)
    for clip_by in ("model", "tensor"):
        descent = Descent(layer, torch.nn.Module(), Training(clip_by=clip_by), steps=4)
        with pytest.raises(RunError, match="gradient's norm is nan at step 1"):
            descent.step(layer.weight.sum() * 0 + layer.bias.sum() * float("nan"), "step 1")


def test_dropout_before_the_head_is_a_setting():
    models = [new_classifier("tiny_bert", 3, task="mnli", seed=1, classifier_dropout=p) for p in (None, 0.0)]
    assert [model.dropout.p for model in models] == [0.1, 0.0]
    assert models[1].config.classifier_dropout == 0.0
    assert torch.equal(head(models[0]).weight, head(models[1]).weight)
