"""What is known of a method before any tensor exists: the base of every ``Config``. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar

from adkd.data.tasks import Task
from adkd.fetch.checkpoints import Shape

__all__ = ["OUTPUTS", "STORED", "MethodConfig", "Shape", "TokenMap"]

OUTPUTS = frozenset({"logits", "cls", "token_maps", "embeddings", "hidden", "attentions"})
"""Outputs that a method can ask for. The teacher's first three are small per example and come from stored signals;
the others are computed live, by a teacher in memory."""

STORED = frozenset({"logits", "cls", "token_maps"})


@dataclass(frozen=True)
class TokenMap:
    """How the token maps of a teacher are made; see ``adkd.methods.attribution``."""

    top_k: int | None = None
    """How many hidden dimensions of a token count, those of largest magnitude; None for all."""
    steps: int = 1
    """Steps m of integrated gradients."""
    layer: float = 0.0
    """Where in the encoder, from 0 (the input of its first layer: the embeddings) to 1 (the input of its last)."""

    def depth(self, layers: int) -> int:
        """The 0-based layer, of an encoder of so many, whose input is attributed."""
        return round(self.layer * (layers - 1))


@dataclass(frozen=True)
class MethodConfig:
    """Base of every method's ``Config``: its settings are the fields of the subclass.

    The class stands on ``dataclasses``, ``typing``, ``annotated_types`` and this module alone, so that methods are
    listed and their settings checked without importing torch.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    """Outputs of the teacher that the loss reads; the same outputs of the student are computed along with them."""

    @property
    def token_map(self) -> TokenMap | None:
        """How the teacher's token maps are made, for a method that needs them."""
        return None

    def applies_to(self, task: Task) -> str | None:
        """Why the method has no meaning on a task, or None. The table then prints a dash and the reason."""
        return None

    def fits(self, teacher: Shape, student: Shape) -> str | None:
        """Why the method cannot teach this student with this teacher, or None."""
        return None
