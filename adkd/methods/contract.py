"""The contract between the training loop and a method: what a method receives and what it returns.

Shape letters, here and everywhere: B examples, L tokens, H hidden size, C classes (1 for regression), V views,
N encoder layers, A attention heads.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar

from torch import Tensor, nn

from adkd.data.batches import Batch
from adkd.fetch.checkpoints import Shape
from adkd.methods.method_config import MethodConfig

C = TypeVar("C", bound=MethodConfig)
LossTerms = dict[str, tuple[float, Tensor]]
"""Name of a term -> its weight and its unweighted value, a scalar. The loop sums the products and logs the values."""

_NOT_REQUESTED: Any = None


@dataclass(frozen=True)
class Pass:
    """The outputs of one model for one batch.

    An output that the method's ``needs`` does not name is ``None``. The types do not say so: a method reads what it
    needs, and nothing else.
    """

    logits: Tensor
    """[B, C]"""
    cls: Tensor = _NOT_REQUESTED
    """[B, N, H]: the state of the first token after every encoder layer."""
    embeddings: Tensor = _NOT_REQUESTED
    """[B, L, H]: output of the embedding block, after LayerNorm and dropout."""
    hidden: tuple[Tensor, ...] = _NOT_REQUESTED
    """N x [B, L, H]: output of every encoder layer."""
    attentions: tuple[Tensor, ...] = _NOT_REQUESTED
    """N x [B, A, L, L]: attention scores before mask and softmax, QK^T/sqrt(H/A)."""
    token_maps: Tensor = _NOT_REQUESTED
    """[B, V, L]: normalised token attributions of the teacher; exactly 0 at padding."""
    states: Tensor = _NOT_REQUESTED
    """[B, L, H]: what token maps are attributed to, the input of an encoder layer; the embeddings unless the method's
    ``token_map`` names a later layer."""
    logits_from: Callable[[Tensor], Tensor] = _NOT_REQUESTED
    """The rest of the model as a function: states [B, L, H] -> logits [B, C]."""
    redrawn_states: Callable[[], Tensor] = _NOT_REQUESTED
    """``states`` [B, L, H] of another pass over the same batch: with new dropout in train mode."""

    def float(self) -> Self:
        """The same pass with every tensor in float32, for losses after a pass in bfloat16."""

        def cast(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(cast, value))
            return value.float() if isinstance(value, Tensor) else value

        return type(self)(*(cast(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class Setup:
    """What a method is made for: the outputs of a task and the sizes of two models."""

    outputs: int
    """C: number of classes, or 1 for regression."""
    regression: bool
    teacher: Shape
    student: Shape


@dataclass(frozen=True)
class Phase:
    """One phase of training. A method with several phases goes through the same loop once for each."""

    name: str
    loss: Callable[[Pass, Pass, Batch, float], LossTerms]
    needs: frozenset[str]
    """Outputs that this phase reads: see ``adkd.methods.method_config.OUTPUTS``."""
    training: dict[str, Any]
    """Training settings that this phase has of its own; the run's settings hold for the others."""
    selects: bool = True
    """Whether the best epoch of this phase is kept; otherwise the next phase starts from its last epoch."""


class Method(nn.Module, Generic[C]):
    """Base class of every method. A file that defines ``Config`` and ``Method`` is a method of the suite.

    ``class Method(contract.Method[Config])`` gives ``self.config`` the type ``Config``. A ``Method`` is a module: a
    projection that it owns is trained along with the student.
    """

    second_order: bool = False
    """True if the loss differentiates through a gradient; attention is then eager, and the loss in float32."""
    config: C
    setup: Setup

    def __init__(self, config: C, setup: Setup):
        super().__init__()
        self.config = config
        self.setup = setup

    @property
    def depth(self) -> int:
        """The 0-based layer of the student whose input its token maps are attributed to."""
        token_map = self.config.token_map
        return token_map.depth(self.setup.student.layers) if token_map else 0

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        """The loss terms of one batch.

        Args:
            student: the student's pass over the batch, with gradients.
            teacher: the teacher's outputs, detached; only those that ``needs`` names.
            batch: the batch itself.
            progress: 0 in the first epoch to 1 in the last; constant within an epoch.
        """
        raise NotImplementedError  # not abstract: a method whose phases all have losses of their own needs none

    def phases(self) -> list[Phase]:
        """The phases of training, in order: one, unless a method overrides this."""
        return [Phase("train", self.loss, self.config.needs, {})]
