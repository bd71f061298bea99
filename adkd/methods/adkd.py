"""AD-KD: attribution-driven knowledge distillation (Wu et al., ACL 2023, arXiv:2305.10010).

``L = alpha L_KD + (1 - alpha) L_CE + beta L_attr``: the student learns the teacher's answers and its token maps, one
map of token attributions for every class. Departures from the released code, and why:

* The teacher's maps come from stored signals. They are normalised per example, so they depend neither on the batch nor
  on the epoch.
* Attributions are gradients of logit differences, not of the loss against the true label (see
  ``adkd.methods.attribution``). For m = 1 the maps are the same, and they stay finite where the softmax saturates.
* L_attr is divided by the number of tokens, from the attention mask. The code divides by the number of the teacher's
  non-zero scores, which is the same number in float32 and a smaller one in bfloat16. With batches of like length every
  example is divided by the number that it would meet in random batches (``adkd.data.batching``).
* For more than one step of integrated gradients the code weighs step k by p_k - y, and draws new dropout at every step:
  ``step_weights: released``. By default all steps weigh alike, as in the paper. With confident teachers the released
  L_attr of two classes is about half as large (cosine of the gradients 0.88); on STS-B the cosine is -0.24 to 0.7.
* The annealed temperature divides by E - 1 in the code, which fails for one epoch. Here the temperature then stays T.
* AdamW of the released code's transformers 3.0.2 adds epsilon before it corrects the bias of the second moment. After
  20 steps losses differ by 1e-4, and weights by 0.2 to 0.8 % of the distance that they have moved.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Interval
from torch import Tensor

from adkd.data.tasks import TASKS, Task
from adkd.methods import contract
from adkd.methods.attribution import token_maps
from adkd.methods.contract import Batch, LossTerms, Pass
from adkd.methods.losses import mean, soft_loss, task_loss
from adkd.methods.method_config import MethodConfig, Shape, TokenMap


@dataclass(frozen=True)
class Config(MethodConfig):
    alpha: Annotated[float, Interval(ge=0, le=1)] = 0.9
    """Weight of the teacher's soft answers; the gold labels get 1 - alpha."""
    temperature: Annotated[float, Gt(0)] = 2.0
    """Softmax temperature T of the soft answers; the loss is not multiplied by T^2."""
    anneal: bool = False
    """Lower the temperature linearly, from T in the first epoch to 1 in the last."""
    beta: Annotated[float, Ge(0)] = 10.0
    """Weight of the attribution loss."""
    top_k: Annotated[int, Ge(1)] | None = None
    """Number of a token's hidden dimensions that count in the teacher's maps, the largest ones; null for all."""
    steps: Annotated[int, Ge(1)] = 1
    """Number of steps m of integrated gradients, for teacher and student."""
    step_weights: Literal["equal", "released"] = "equal"
    """How the steps are weighed where there are several: ``equal``, as in the paper, or as in the ``released`` code, by
    p - y for two classes and z - y for regression, with new dropout at every step."""
    layer: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """The layer whose input is attributed, in teacher and student: from 0, the first layer of the encoder (its input
    are the embeddings), to 1, its last. The output of the last layer is only read at the first token."""
    views: tuple[Annotated[int, Ge(0)], ...] | None = None
    """Numbers of the classes whose maps are compared; null for all. Two classes share one map."""
    terms: tuple[Literal["task", "kd", "attribution"], ...] = ("task", "kd", "attribution")
    """The terms of the loss. A term that is left out is not computed; the others keep their weights."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "token_maps"})

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("terms must name at least one term of the loss")
        views, classes = self.views or (), max(task.outputs for task in TASKS.values())
        if len(set(views)) < len(views) or any(view >= classes for view in views):
            raise ValueError(f"views must be distinct classes, 0 to {classes - 1}, got {list(views)}")

    @property
    def token_map(self) -> TokenMap:
        return TokenMap(self.top_k, self.steps, self.layer, self.step_weights if self.steps > 1 else "equal")

    def applies_to(self, task: Task) -> str | None:
        if self.views is None:
            return None
        if task.outputs <= 2:
            return "views can be chosen only for tasks of three or more classes"
        if not self.views or max(self.views) >= task.outputs:
            return f"views {list(self.views)} are not classes of this task, 0 to {task.outputs - 1}"
        return None

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        if self.top_k is not None and self.top_k > teacher.hidden:
            return f"top_k {self.top_k} is more than the teacher's {teacher.hidden} hidden dimensions"
        return None


SPACE = {
    "alpha": {"low": 0.0, "high": 1.0},
    "temperature": {"low": 1.0, "high": 8.0, "log": True},
    "beta": {"low": 0.1, "high": 500.0, "log": True},
}
"""The search space of a sweep. It leaves out ``top_k``, as every value needs token maps of its own from the teacher; a
config may add choices."""
GRID = {
    "alpha": {"choices": [0.8, 0.9, 1.0]},
    "temperature": {"choices": [1.0, 2.0, 3.0, 4.0]},
    "anneal": {"choices": [False, True]},
    "beta": {"choices": [1.0, 10.0, 50.0, 100.0]},
    "learning_rate": {"choices": [2.0e-5, 3.0e-5, 4.0e-5, 5.0e-5]},
    "epochs": {"choices": [6, 8, 10, 12]},
    "batch_size": {"choices": [16, 32, 64]},
}
"""The paper does not give its grid. These values occur in the released run scripts, where a search chose them. Their
``top_k``, 640 to 768, does not fit other hidden sizes and is left out."""


class Method(contract.Method[Config]):
    second_order = True

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        config = self.config
        terms = {
            "task": (1 - config.alpha, self.task_loss),
            "kd": (config.alpha, self.soft_loss),
            "attribution": (config.beta, self.attribution_loss),
        }
        return {
            name: (weight, value(student, teacher, batch, progress))
            for name, (weight, value) in terms.items()
            if name in config.terms
        }

    def task_loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> Tensor:
        """L_CE: against the gold labels."""
        loss = task_loss(student.logits, batch.labels, regression=self.setup.regression)
        return mean(loss, batch.counts.examples)

    def soft_loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> Tensor:
        """L_KD: against the teacher's answers."""
        temperature = self.config.temperature
        if self.config.anneal:
            temperature += (1 - temperature) * progress
        loss = soft_loss(student.logits, teacher.logits, temperature, regression=self.setup.regression)
        return mean(loss, batch.counts.examples)

    def attribution_loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> Tensor:
        """L_attr: against the teacher's token maps."""
        released = self.config.token_map.step_weights == "released"
        maps = token_maps(
            student.logits_from,
            student.states,
            batch.mask,
            logits=student.logits,
            steps=self.config.steps,
            create_graph=True,
            labels=batch.labels if released else None,
            redrawn=student.redrawn_states if released else None,
        )
        theirs = teacher.token_maps
        if (views := self.config.views) is not None:
            maps, theirs = maps[:, views], theirs[:, views]
        return mean((maps - theirs).square().sum((1, 2)), batch.counts.tokens)
