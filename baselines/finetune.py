"""Fine-tuning without a teacher: the student learns from the gold labels alone."""

from dataclasses import dataclass
from typing import ClassVar

from adkd.methods import contract
from adkd.methods.contract import Batch, LossTerms, Pass
from adkd.methods.losses import mean, task_loss
from adkd.methods.method_config import MethodConfig


@dataclass(frozen=True)
class Config(MethodConfig):
    needs: ClassVar[frozenset[str]] = frozenset()


class Method(contract.Method[Config]):
    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        of_examples = task_loss(student.logits, batch.labels, regression=self.setup.regression)
        return {"task": (1.0, mean(of_examples, batch.counts.examples))}
