"""The number of operations is that of the run, whichever kernel computes attention, and counting changes nothing."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from adkd.data.batches import Examples
from adkd.methods import registry
from adkd.methods.contract import Setup
from adkd.methods.method_config import STORED, TokenMap
from adkd.methods.settings import Training
from adkd.models import kernels
from adkd.models.encoder import frozen, layers, new_classifier, shape
from adkd.models.passes import logits_of
from adkd.training.flops import counted, training_flops
from adkd.training.loop import Trainer
from adkd.training.signals import Teacher, one_batch
from tests.small_models import STUDENT, batch, classifier


class Stored:
    """A signal of all rows, in memory."""

    def __init__(self, signal):
        self.rows = signal.__getitem__


def trainer(data, name, outputs=3):
    """Trains a student of the tiny encoder by a method, on 25 rows in batches of 9."""
    examples = Examples.load(data, "train")
    examples = replace(examples, lengths=examples.lengths[:25])
    if outputs == 1:
        examples = replace(examples, labels=examples.labels.float())
    teacher = frozen(new_classifier("tiny_bert", outputs, task="mnli", seed=0))
    few = {setting.name: 2 for setting in registry.fields(name) if setting.name.endswith("epochs")}
    kind, config = registry.load(name), registry.configure(name, few)
    student = new_classifier("tiny_bert", outputs, task="mnli", seed=1, layers=[1, 3], eager=kind.second_order)
    everything = examples.batch(torch.arange(len(examples)))
    parameters = {"token_maps": TokenMap(top_k=None, steps=1)}
    kinds = config.needs & STORED
    stored = {kind: Stored(one_batch(teacher, everything, kind, parameters.get(kind))) for kind in kinds}
    method = kind(config, Setup(outputs, outputs == 1, shape(teacher), shape(student)))
    training = Training(batch_size=9, epochs=2, learning_rate=1e-3)
    return Trainer(
        model=student,
        method=method,
        teacher=Teacher(stored, teacher if config.needs - STORED else None),
        examples=examples,
        training=training,
        score=lambda model: 0.0,
        keep_best=False,
        task="mnli",
        seed=1,
        device=torch.device("cpu"),
    )


@pytest.mark.workflow
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", registry.names())
def test_the_count_equals_that_of_a_complete_run(data, name, outputs):
    run = trainer(data, name, outputs)
    flops = training_flops(run)
    for network in filter(None, (run.model, run.teacher.live)):
        network.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    with FlopCounterMode(display=False) as counter:
        run.fit()
    assert flops == counter.get_total_flops() > 10**6


@pytest.mark.parametrize("training", [False, True])
def test_the_count_of_a_pass_does_not_depend_on_the_attention_kernel(training):
    """With and without padding. Dropout is 0, because the fused kernel does not support it."""
    counts = set()
    for implementation in (kernels.TWICE_DIFFERENTIABLE, kernels.FUSED):
        for lengths in ((9, 9, 9), (9, 5, 7)):
            model = classifier(STUDENT, 3).train(training)
            model.set_attn_implementation(implementation)
            for layer in layers(model):
                layer.attention.self.dropout.p = 0.0
            with torch.no_grad():
                counts.add(counted(lambda m=model, of=lengths: logits_of(m, batch(3, lengths=of))))
    assert len(counts) == 1
    assert counts.pop() > 0


@pytest.mark.parametrize("name", ["adkd", "tinybert"])
def test_counting_does_not_change_the_run(data, name):
    def trained(count):
        torch.manual_seed(3)
        run = trainer(data, name)
        student, before = run.model, copy.deepcopy(run.model.state_dict())
        networks = [network for network in (student, run.teacher.live) if network]
        looks = [(network.training, network.config._attn_implementation) for network in networks]
        if count:
            training_flops(run)
        assert [(network.training, network.config._attn_implementation) for network in networks] == looks
        assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
        assert all(parameter.grad is None for parameter in student.parameters())
        return [record["terms"] for record in run.fit()]

    assert trained(count=True) == trained(count=False)
