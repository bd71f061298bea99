"""The base of every method's ``Config``: what is known of a method before any tensor exists. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from adkd.data.tasks import Task
from adkd.fetch.checkpoints import Shape

__all__ = ["OUTPUTS", "STORED", "MethodConfig", "Shape", "TokenMap"]

OUTPUTS = frozenset({"logits", "cls", "token_maps", "embeddings", "hidden", "attentions"})
"""Outputs that a method can need."""

STORED = frozenset({"logits", "cls", "token_maps"})
"""Outputs of the teacher that are small per example and stored as signals; it computes the others during training."""


@dataclass(frozen=True)
class TokenMap:
    """How the token maps of a teacher are made; see ``adkd.methods.attribution``."""

    top_k: int | None = None
    """Number of a token's hidden dimensions that count, those of largest magnitude; None for all."""
    steps: int = 1
    """Number of steps m of integrated gradients."""
    layer: float = 0.0
    """The layer whose input is attributed, from 0, the first (its input are the embeddings), to 1, the last."""
    step_weights: Literal["equal", "released"] = "equal"
    """Whether all steps weigh alike, or as in the released code of AD-KD, by the gold label's error."""

    def depth(self, layers: int) -> int:
        """The 0-based layer whose input is attributed, in an encoder of ``layers`` layers."""
        return round(self.layer * (layers - 1))


@dataclass(frozen=True)
class MethodConfig:
    """Base of every method's ``Config``: its settings are the fields of the subclass.

    The class may import from ``registry.MODULES`` alone, so that methods are listed and their settings are checked
    without torch.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    """Outputs of the teacher that the loss reads, names in ``OUTPUTS``. The student computes the same outputs."""

    @property
    def token_map(self) -> TokenMap | None:
        """How token maps are made; None for a method that does not need them."""
        return None

    def applies_to(self, task: Task) -> str | None:
        """Why the method does not apply to a task, or None if it does. Tables print a dash and this text."""
        return None

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        """Why the method cannot train this student with this teacher, or None if it can."""
        return None
