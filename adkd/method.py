"""AD-KD: attribution-driven knowledge distillation (Wu et al., ACL 2023, arXiv:2305.10010).

``L = alpha L_KD + (1 - alpha) L_CE + beta L_attr``: the student learns the teacher's answers and, as maps of token
attributions, its reasons for every class. What departs from the released code, and why:

* the teacher's maps come from stored signals: normalised per example, they do not depend on the batch or the epoch;
* maps are differentiated from logit differences, not from the loss against the true label (see ``adkd.attribution``:
  the same maps for m = 1, finite where a softmax saturates);
* L_attr is divided by the number of tokens, from the attention mask; the code counts non-zero scores of the teacher,
  which is the same number in float32 and a smaller one under bf16;
* the code's division by E - 1 in the annealed temperature fails for one epoch; here the temperature then stays T.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Interval
from torch import Tensor

from adkd import contract
from adkd.attribution import token_maps
from adkd.contract import Batch, LossTerms, Pass
from adkd.losses import soft_loss, task_loss
from adkd.outline import Outline, Shape


@dataclass(frozen=True)
class Config(Outline):
    alpha: Annotated[float, Interval(ge=0, le=1)] = 0.9
    """Weight of the teacher's soft answers; the gold labels get 1 - alpha."""
    temperature: Annotated[float, Gt(0)] = 2.0
    """Softmax temperature T of the soft answers; the loss is not multiplied by T^2."""
    anneal: bool = False
    """Let the temperature fall from T in the first epoch to 1 in the last, linearly."""
    beta: Annotated[float, Ge(0)] = 10.0
    """Weight of the attribution loss."""
    top_k: Annotated[int, Ge(1)] | None = None
    """How many of a token's hidden dimensions, the largest, count in the teacher's maps; null for all."""
    steps: Annotated[int, Ge(1)] = 1
    """Steps m of integrated gradients, for teacher and student."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "token_maps"})

    @property
    def token_map(self) -> tuple[int | None, int] | None:
        return self.top_k, self.steps

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        if self.top_k is not None and self.top_k > teacher.hidden:
            return f"top_k {self.top_k} is more than the teacher's {teacher.hidden} hidden dimensions"
        return None


class Method(contract.Method):
    Config = Config
    second_order = True

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        config, regression = self.config, self.setup.regression
        temperature = config.temperature
        if config.anneal:
            temperature += (1 - temperature) * progress
        maps = token_maps(
            student.logits_from,
            student.embeddings,
            batch.mask,
            logits=student.logits,
            steps=config.steps,
            create_graph=True,
        )
        return {
            "task": (1 - config.alpha, task_loss(student.logits, batch.labels, regression=regression)),
            "kd": (
                config.alpha,
                soft_loss(student.logits, teacher.logits, temperature, regression=regression),
            ),
            "attribution": (config.beta, attribution_loss(maps, teacher.token_maps, batch.mask)),
        }


def attribution_loss(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Squared difference of two maps [B, V, L], summed over views and divided by the number of tokens in ``mask``
    [B, L] (L_attr of the paper)."""
    return (student - teacher).square().sum() / mask.sum()
