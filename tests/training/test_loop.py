"""The training loop: schedule, selection, records of epochs, and divergence."""

import pytest
import torch

from adkd.base.errors import RunError
from adkd.data.batches import Examples
from adkd.methods.contract import Method, Setup
from adkd.methods.losses import task_loss
from adkd.methods.method_config import MethodConfig
from adkd.methods.settings import Training
from adkd.models.encoder import head, new_classifier, shape
from adkd.training.loop import Trainer, groups, rate
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
        return {"task": (1.0, task_loss(student.logits, batch.labels, regression=False)), "extra": (0.5, extra)}


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
