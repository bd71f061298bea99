"""TinyBERT, task-specific distillation without data augmentation (Jiao et al. 2020, arXiv:1909.10351).

Training has two phases. The first imitates the teacher's intermediate states, ``sum_i MSE(A_S^i, A_T^g(i)) + sum_i
MSE(W h_S^i, h_T^g(i))`` with g(i) = i N / M, attention scores A before the softmax, the embedding output as layer 0 and
one shared projection W. The second imitates its answers, by soft cross-entropy at T = 1 without gold labels (squared
error for regression).

Conventions of the released code that are settings: ``mean_over_classes`` and ``gold_scores`` here, and those of
optimisation, ``bias_correction``, ``adam_epsilon``, ``clip_by`` and ``classifier_dropout`` (``paper.yaml`` sets them).

Departures:

* There is no data augmentation; the paper's ablation finds that it matters most for CoLA.
* There is no general distillation: the config decides how the student is initialised, for all methods alike.
* Means run over real tokens. The released code also averages over padding up to a fixed length, which weighs attention
  against hidden states 1.8 times as much for lengths like RTE's and 5 to 10 times as much for lengths like CoLA's; the
  cosine between the two gradients falls to 0.55.
* Attention scores are compared before the mask is added. The code adds -10000 and sets scores below -100 to 0, which
  only matters for padding.
* The classifier reads the pooled state. The code applies a ReLU to it first, which sets its negative entries to 0: half
  of them, and 29 % of its norm (a teacher of 6 x 384 on SST-2). A classifier of transformers could not represent this,
  so a saved model would give other answers.
* The best epoch is kept. The code evaluates every 100 steps and keeps the best of these by accuracy or correlation. In
  two runs on SST-2 with five such evaluations an epoch, the best was 0.0 and 0.3 points above the best epoch.
* Every epoch ends with a smaller batch where the batch size does not divide the examples. The code skips that batch: up
  to one step an epoch.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from adkd.methods import contract
from adkd.methods.contract import Batch, LossTerms, Pass, Phase
from adkd.methods.losses import mean, soft_loss, task_loss
from adkd.methods.method_config import MethodConfig, Shape

INTERMEDIATE = frozenset({"embeddings", "hidden", "attentions"})
PREDICTION = frozenset({"logits"})


@dataclass(frozen=True)
class Config(MethodConfig):
    intermediate_epochs: Annotated[int, Ge(1)] = 10
    """Epochs of the first phase; ``epochs`` are those of the second."""
    intermediate_learning_rate: Annotated[float, Interval(gt=0, le=1)] = 5e-5
    """Learning rate of the first phase, constant as in the released code."""
    mean_over_classes: bool = False
    """Divide the soft cross-entropy by the number of classes, as the released code does."""
    gold_scores: bool = False
    """On regression tasks, the second phase learns the gold scores and not the teacher's, as in the released code. Its
    authors call that an error."""

    needs: ClassVar[frozenset[str]] = frozenset({"embeddings", "hidden", "attentions", "logits"})

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        if teacher.heads != student.heads:
            return f"attention heads differ: student {student.heads}, teacher {teacher.heads}"
        if teacher.layers % student.layers:
            return f"the teacher's {teacher.layers} layers are not a multiple of the student's {student.layers}"
        return None


SPACE = {
    "intermediate_epochs": {"low": 5, "high": 20},
    "intermediate_learning_rate": {"low": 1.0e-5, "high": 2.0e-4, "log": True},
}
GRID = {
    "intermediate_epochs": {"choices": [10, 20]},
    "intermediate_learning_rate": {"choices": [5.0e-5]},
    "learning_rate": {"choices": [1.0e-5, 2.0e-5, 3.0e-5]},
    "epochs": {"choices": [3]},
    "batch_size": {"choices": [16, 32]},
    "bias_correction": {"choices": [False]},
    "adam_epsilon": {"choices": [1.0e-6]},
    "clip_by": {"choices": ["tensor"]},
    "mean_over_classes": {"choices": [True]},
}
"""The paper's grid for the second phase. For the first, whose epochs the paper sets per task, the two usual values."""


class Method(contract.Method[Config]):
    def __init__(self, config: Config, setup: contract.Setup):
        super().__init__(config, setup)
        self.projection = nn.Linear(setup.student.hidden, setup.teacher.hidden)

    def phases(self) -> list[Phase]:
        own = {
            "epochs": self.config.intermediate_epochs,
            "learning_rate": self.config.intermediate_learning_rate,
            "schedule": "constant",
            "warmup": 0.0,
        }
        return [
            Phase("intermediate", self.intermediate_loss, INTERMEDIATE, own, selects=False),
            Phase("prediction", self.loss, PREDICTION, {}),
        ]

    def intermediate_loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        """The first phase: states and attention scores of every student layer against its partner's."""
        every = self.setup.teacher.layers // self.setup.student.layers
        tokens = batch.mask.bool()
        pairs = tokens[:, None, :, None] & tokens[:, None, None, :]  # [B, 1, L, L]
        counts = batch.counts
        ours = (student.embeddings, *student.hidden)
        theirs = (teacher.embeddings, *teacher.hidden[every - 1 :: every])
        hidden = [
            mean(square(self.projection(s) - t, tokens[:, :, None]).mean(-1).sum(-1), counts.tokens)
            for s, t in zip(ours, theirs, strict=True)
        ]
        attention = [
            mean(square(s - t, pairs).mean(1).sum((-2, -1)), counts.pairs)
            for s, t in zip(student.attentions, teacher.attentions[every - 1 :: every], strict=True)
        ]
        return {"hidden": (1.0, reduce(torch.add, hidden)), "attention": (1.0, reduce(torch.add, attention))}

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        """The second phase: the teacher's answers."""
        examples = batch.counts.examples
        if self.setup.regression and self.config.gold_scores:
            return {"task": (1.0, mean(task_loss(student.logits, batch.labels, regression=True), examples))}
        soft = soft_loss(
            student.logits,
            teacher.logits,
            1.0,
            regression=self.setup.regression,
            mean_over_classes=self.config.mean_over_classes,
        )
        return {"kd": (1.0, mean(soft, examples))}


def square(difference: Tensor, where: Tensor) -> Tensor:
    """The squared entries where ``where``, broadcast to the same shape, is true, and 0 elsewhere."""
    return difference.square().masked_fill(~where, 0.0)
