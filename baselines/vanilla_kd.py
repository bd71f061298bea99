"""Vanilla knowledge distillation (Hinton et al. 2015, arXiv:1503.02531).

``L = alpha T^2 KL(teacher || student) + (1 - alpha) L_task``. PKD's code, whose runs of plain distillation are often
quoted, also divides the divergence by the number of classes C (``mean_over_classes``). Without that division the same
alpha weighs the divergence C times as much: alpha 0.7 with two classes acts like 0.82.

Departure: for regression, which the paper does not treat, the squared error between the two outputs replaces the
divergence, and T has no effect.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Interval

from adkd.methods import contract
from adkd.methods.contract import Batch, LossTerms, Pass
from adkd.methods.losses import mean, soft_loss, task_loss
from adkd.methods.method_config import MethodConfig


@dataclass(frozen=True)
class Config(MethodConfig):
    alpha: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Weight of the teacher's soft answers; the gold labels get 1 - alpha."""
    temperature: Annotated[float, Gt(0)] = 10.0
    """Softmax temperature T; the loss is multiplied by T^2."""
    mean_over_classes: bool = False
    """Also divide the divergence by the number of classes, as PKD's code does."""


SPACE = {"alpha": {"low": 0.0, "high": 1.0}, "temperature": {"low": 1.0, "high": 20.0, "log": True}}
GRID = {
    "alpha": {"choices": [0.2, 0.5, 0.7]},
    "temperature": {"choices": [5.0, 10.0, 20.0]},
    "learning_rate": {"choices": [5.0e-5, 2.0e-5, 1.0e-5]},
    "epochs": {"choices": [4]},
    "batch_size": {"choices": [32]},
    "bias_correction": {"choices": [False]},
    "adam_epsilon": {"choices": [1.0e-6]},
    "clip_by": {"choices": ["tensor"]},
    "mean_over_classes": {"choices": [True]},
}
"""The grid of the distillation runs of PKD (Sun et al. 2019), with the conventions of its released code."""


class Method(contract.Method[Config]):
    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        alpha, regression = self.config.alpha, self.setup.regression
        soft = soft_loss(
            student.logits,
            teacher.logits,
            self.config.temperature,
            regression=regression,
            divergence=True,
            squared_temperature=True,
            mean_over_classes=self.config.mean_over_classes,
        )
        task, examples = task_loss(student.logits, batch.labels, regression=regression), batch.counts.examples
        return {
            "task": (1 - alpha, mean(task, examples)),
            "kd": (alpha, mean(soft, examples)),
        }
