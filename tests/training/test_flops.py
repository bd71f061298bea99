"""Counted operations are those of the run, whatever computes attention; and counting leaves the run as it was."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from adkd.data.batches import Examples
from adkd.methods import registry
from adkd.methods.contract import Setup
from adkd.methods.method_config import STORED
from adkd.methods.settings import Training
from adkd.models import kernels
from adkd.models.encoder import frozen, new_classifier, shape
from adkd.models.passes import logits_of
from adkd.training.flops import counted, training_flops
from adkd.training.loop import Fit, fit
from adkd.training.signals import Teacher, one_batch
from tests.small_models import STUDENT, batch, classifier


class Stored:
    """A signal of all rows, in memory."""

    def __init__(self, signal):
        self.rows = signal.__getitem__


def set_up(data, name, outputs=3):
    """A student of the tiny encoder, its method, and all that a run of it is made of; 25 rows in batches of 9."""
    examples = Examples.load(data, "train")
    examples = replace(examples, lengths=examples.lengths[:25])
    if outputs == 1:
        examples = replace(examples, labels=examples.labels.float())
    teacher = frozen(new_classifier("tiny_bert", outputs, task="mnli", seed=0))
    kind, config = registry.load(name), registry.configure(name, {})
    student = new_classifier("tiny_bert", outputs, task="mnli", seed=1, layers=[1, 3], eager=kind.second_order)
    everything = examples.batch(torch.arange(len(examples)))
    signals = {one: {"kind": one, "top_k": None, "steps": 1} for one in config.needs & STORED}
    stored = {one: Stored(one_batch(teacher, everything, signal)) for one, signal in signals.items()}
    method = kind(config, Setup(outputs, outputs == 1, shape(teacher), shape(student)))
    training = Training(batch_size=9, epochs=2, learning_rate=1e-3)
    live = teacher if config.needs - STORED else None
    run = Fit(examples, Teacher(stored, live), training, lambda _: 0.0, False, "mnli", 1, torch.device("cpu"))
    return student, method, run


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", registry.names())
def test_the_count_is_that_of_the_steps_themselves(data, name, outputs):
    student, method, run = set_up(data, name, outputs)
    found = training_flops(student, method, run)
    for network in filter(None, (student, run.teacher.live)):
        network.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    with FlopCounterMode(display=False) as counter:
        fit(student, method, run)
    assert found == counter.get_total_flops() > 10**6


@pytest.mark.parametrize("training", [False, True])
def test_a_pass_is_counted_alike_whatever_kernel_computes_its_attention(training):
    """Padded and not; without dropout, which would keep off the fused kernel."""
    found = set()
    for implementation in (kernels.TWICE_DIFFERENTIABLE, kernels.FUSED):
        for lengths in ((9, 9, 9), (9, 5, 7)):
            model = classifier(STUDENT, 3).train(training)
            model.set_attn_implementation(implementation)
            for layer in model.base_model.encoder.layer:
                layer.attention.self.dropout.p = 0.0
            with torch.no_grad():
                found.add(counted(lambda m=model, of=lengths: logits_of(m, batch(3, lengths=of))))
    assert len(found) == 1
    assert found.pop() > 0


@pytest.mark.parametrize("name", ["adkd", "tinybert"])
def test_counting_leaves_the_run_as_it_was(data, name):
    def trained(count):
        torch.manual_seed(3)
        student, method, run = set_up(data, name)
        before = copy.deepcopy(student.state_dict())
        networks = [network for network in (student, run.teacher.live) if network]
        looks = [(network.training, network.config._attn_implementation) for network in networks]
        if count:
            training_flops(student, method, run)
        assert [(network.training, network.config._attn_implementation) for network in networks] == looks
        assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
        assert all(parameter.grad is None for parameter in student.parameters())
        history = fit(student, method, run)
        return [record["terms"] for record in history]

    assert trained(count=True) == trained(count=False)
