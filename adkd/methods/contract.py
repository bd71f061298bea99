"""The contract between the training loop and a method: all that a method sees and gives back.

Shape letters, here and everywhere: B examples, L tokens, H hidden size, C classes (1 for regression), V views,
N encoder layers, A attention heads.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

from torch import Tensor, nn

from adkd.data.batches import Batch
from adkd.fetch.checkpoints import Shape
from adkd.methods.method_config import MethodConfig


@dataclass(frozen=True)
class Pass:
    """What one model made of one batch. A method that did not ask for an output finds ``None`` there."""

    logits: Tensor
    """[B, C]"""
    cls: Tensor | None = None
    """[B, N, H]: the state of the first token after every encoder layer."""
    embeddings: Tensor | None = None
    """[B, L, H]: output of the embedding block, after LayerNorm and dropout."""
    hidden: tuple[Tensor, ...] | None = None
    """N x [B, L, H]: output of every encoder layer."""
    attentions: tuple[Tensor, ...] | None = None
    """N x [B, A, L, L]: attention scores before mask and softmax, QK^T/sqrt(H/A)."""
    token_maps: Tensor | None = None
    """[B, V, L]: normalised token attributions of the teacher; exactly 0 at padding."""
    states: Tensor | None = None
    """[B, L, H]: what token maps are attributed to, the input of an encoder layer; the embeddings unless the method's
    ``token_map`` names a later layer."""
    logits_from: Callable[[Tensor], Tensor] | None = None
    """The rest of the model as a function: states [B, L, H] -> logits [B, C]."""

    def float(self) -> Self:
        """The same pass with every tensor in float32, for losses after a pass in bfloat16."""

        def cast(value: object) -> object:
            if isinstance(value, tuple):
                return tuple(map(cast, value))
            return value.float() if isinstance(value, Tensor) else value

        return type(self)(*(cast(getattr(self, f.name)) for f in fields(self)))


LossTerms = dict[str, tuple[float, Tensor]]
"""Name -> (weight, unweighted scalar). The loop adds them up and logs each one unweighted."""


@dataclass(frozen=True)
class Setup:
    """What a method is fitted to: the outputs of the task and the two models."""

    outputs: int
    """C: number of classes, or 1 for regression."""
    regression: bool
    teacher: Shape
    student: Shape


@dataclass(frozen=True)
class Phase:
    """One phase of training. A method with more than one phase goes through the same loop once for each."""

    name: str
    loss: Callable[[Pass, Pass, Batch, float], LossTerms]
    needs: frozenset[str]
    """Outputs that this phase reads: see ``adkd.methods.method_config.OUTPUTS``."""
    training: dict[str, object]
    """Training settings that this phase has of its own; the run's settings hold for the others."""
    selects: bool = True
    """Whether the best epoch of this phase is kept; otherwise its last one goes on into the next phase."""


class Method(nn.Module):
    """Base class of every method. A file that defines ``Config`` and ``Method`` is a method of the suite.

    A ``Method`` is a module, so that a projection it owns trains along with the student.
    """

    Config: type = MethodConfig
    second_order: bool = False
    """True if the loss differentiates through a gradient: eager attention and float32 then."""

    def __init__(self, config: MethodConfig, setup: Setup):
        super().__init__()
        self.config = config
        self.setup = setup

    @property
    def depth(self) -> int:
        """The 0-based layer of the student whose input its token maps are attributed to."""
        how = self.config.token_map
        return how.depth(self.setup.student.layers) if how else 0

    def loss(self, student: Pass, teacher: Pass, batch: Batch, progress: float) -> LossTerms:
        """The loss terms of one batch.

        Args:
            student: the student's pass over the batch, with gradients.
            teacher: the teacher's outputs, detached; only those that ``needs`` names.
            batch: the batch itself.
            progress: 0 in the first epoch to 1 in the last; constant within an epoch.
        """
        raise NotImplementedError

    def phases(self) -> list[Phase]:
        """The phases of training, in order; one unless a method says otherwise."""
        return [Phase("train", self.loss, self.config.needs, {})]
