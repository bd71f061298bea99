"""Counted operations are those of the run, whatever computes attention; and counting leaves the run as it was."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from adkd import methods
from adkd.contract import Setup
from adkd.data.batches import Examples
from adkd.outline import STORED
from adkd.settings import Training
from adkd.training import kernels
from adkd.training.flops import training_flops
from adkd.training.loop import Fit, fit
from adkd.training.models import new_classifier, shape
from adkd.training.signals import Teacher, frozen, one_batch


class Stored:
    """A signal of all rows, in memory."""

    def __init__(self, signal):
        self.rows = signal.__getitem__


def set_up(data, name):
    """A student of the tiny encoder, its method, and all that a run of it is made of."""
    examples = Examples.load(data, "train")
    teacher = frozen(new_classifier("tiny_bert", 3, task="mnli", seed=0))
    kind, config = methods.load(name), methods.configure(name, {})
    student = new_classifier("tiny_bert", 3, task="mnli", seed=1, layers=[1, 3], eager=kind.second_order)
    everything = examples.batch(torch.arange(len(examples)))
    signals = {one: {"kind": one, "top_k": None, "steps": 1} for one in config.needs & STORED}
    stored = {one: Stored(one_batch(teacher, everything, signal)) for one, signal in signals.items()}
    method = kind(config, Setup(3, False, shape(teacher), shape(student)))
    training = Training(batch_size=16, epochs=2, learning_rate=1e-3)
    live = teacher if config.needs - STORED else None
    run = Fit(examples, Teacher(stored, live), training, lambda _: 0.0, False, "mnli", 1, torch.device("cpu"))
    return student, method, run


@pytest.mark.parametrize("name", methods.names())
def test_the_count_is_that_of_the_steps_themselves(data, name):
    student, method, run = set_up(data, name)
    found = training_flops(student, method, run)
    for network in filter(None, (student, run.teacher.live)):
        network.set_attn_implementation(kernels.TWICE_DIFFERENTIABLE)
    with FlopCounterMode(display=False) as counter:
        fit(student, method, run)
    assert found == counter.get_total_flops() > 10**6


@pytest.mark.parametrize("name", ["adkd", "tinybert"])
def test_counting_leaves_the_run_as_it_was(data, name):
    def trained(count):
        torch.manual_seed(3)
        student, method, run = set_up(data, name)
        before = copy.deepcopy(student.state_dict())
        if count:
            training_flops(student, method, run)
        assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
        assert all(parameter.grad is None for parameter in student.parameters())
        history = fit(student, method, run)
        return [record["terms"] for record in history]

    assert trained(count=True) == trained(count=False)
