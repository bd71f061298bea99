"""Every convention in which published codes differ, each against its formula."""

import pytest
import torch
from torch import nn

from adkd.methods.losses import mean, soft_loss, task_loss

T = 3.0


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 3, generator=generator, dtype=torch.float64).unbind()


def test_cross_entropy_without_t_squared_is_the_default(logits):
    student, teacher = logits
    p, q = (teacher / T).softmax(1), (student / T).softmax(1)
    assert soft_loss(student, teacher, T, regression=False).mean() == pytest.approx(-(p * q.log()).sum(1).mean().item())


@pytest.mark.filterwarnings("ignore:reduction")
def test_flags_equal_torch_kldivloss(logits):
    student, teacher = logits
    q, p = (student / T).log_softmax(1), (teacher / T).softmax(1)
    batchmean, of_all = (nn.KLDivLoss(reduction=r)(q, p).item() for r in ("batchmean", "mean"))
    options = {"regression": False, "divergence": True}
    assert soft_loss(student, teacher, T, **options).mean() == pytest.approx(batchmean)
    assert soft_loss(student, teacher, T, squared_temperature=True, **options).mean() == pytest.approx(T**2 * batchmean)
    assert soft_loss(student, teacher, T, mean_over_classes=True, **options).mean() == pytest.approx(of_all)


def test_divergence_has_the_gradient_of_the_cross_entropy_and_is_zero_at_the_teacher(logits):
    student, teacher = (x.clone().requires_grad_() for x in logits)
    gradients = [
        torch.autograd.grad(soft_loss(student, teacher.detach(), T, regression=False, divergence=d).sum(), student)[0]
        for d in (False, True)
    ]
    torch.testing.assert_close(*gradients)
    assert soft_loss(teacher, teacher, T, regression=False, divergence=True).sum().item() == pytest.approx(0, abs=1e-12)


def test_a_teacher_that_is_certain_gives_no_nan():
    student, teacher = torch.zeros(1, 2, requires_grad=True), torch.tensor([[1000.0, -1000.0]])
    loss = soft_loss(student, teacher, 1.0, regression=False, divergence=True)
    loss.backward()
    assert loss.item() == pytest.approx(0.6931472)
    assert student.grad.isfinite().all()


def test_regression_is_the_squared_error():
    student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [5.0]])
    assert soft_loss(student, teacher, 2.0, regression=True).tolist() == [0.25, 1.0]
    assert soft_loss(student, teacher, 2.0, regression=True, squared_temperature=True).tolist() == [1.0, 4.0]
    assert task_loss(student, torch.tensor([2.0, 5.0]), regression=True).tolist() == [1.0, 4.0]


def test_a_mean_is_over_the_count_and_not_over_what_it_gets():
    values = torch.tensor([2.0, 6.0])
    assert mean(values, torch.tensor(4)) == 2.0
    assert mean(values, torch.tensor([2.0, 3.0], dtype=torch.float64)) == 3.0
    assert mean(values, torch.tensor(4)).dtype == torch.float32
