"""Fine-tuning without a teacher: what a student reaches on the gold labels alone."""

from dataclasses import dataclass
from typing import ClassVar

from adkd import contract
from adkd.contract import Batch, LossTerms, Pass
from adkd.losses import task_loss
from adkd.outline import Outline


@dataclass(frozen=True)
class Config(Outline):
    needs: ClassVar[frozenset[str]] = frozenset()


class Method(contract.Method):
    Config = Config

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        return {"task": (1.0, task_loss(student.logits, batch.labels, regression=self.setup.regression))}
