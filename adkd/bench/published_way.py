"""AD-KD as published: a live teacher in every step, every example padded to 128 tokens, a gradient per view taken from
the loss itself, PyTorch's plain AdamW.

Written from the paper and its released code, and independent of the rest of the suite: `make bench` compares the suite
with it, and tests require the fast version to give the same losses.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize, pad

from adkd.data.batches import Batch


def padded(batch: Batch, length: int) -> Batch:
    """The same batch, with every example padded to ``length`` tokens."""
    more = length - batch.mask.shape[1]
    fields: dict[str, Any] = {
        name: pad(getattr(batch, name), (0, more)) for name in ("input_ids", "token_type_ids", "mask")
    }
    return replace(batch, **fields)


class Descent:
    """The released optimisation: AdamW, linear decay to 0 without warm-up, gradients clipped at norm 1."""

    def __init__(self, student: nn.Module, learning_rate: float, steps: int):
        self.parameters = list(student.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=learning_rate, eps=1e-8, weight_decay=0.0)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: max(0.0, 1 - step / steps))

    def step(self, loss: Tensor) -> None:
        """Update the student's weights from the loss of a batch."""
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.schedule.step()


@torch.no_grad()
def predict(student: nn.Module, batches: Iterable[Batch]) -> Tensor:
    """Logits [rows, C] of the student in eval mode, in the order of the batches."""
    student.eval()
    return torch.cat([embeddings_and_logits(student, batch)[1] for batch in batches])


def embeddings_and_logits(model: nn.Module, batch: Batch, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """[B, L, H] the output of the embedding block, multiplied by ``scale``, and [B, C] logits."""
    with ExitStack() as stack:
        if scale != 1:
            block: Any = model.get_submodule("bert.embeddings")
            hook = block.register_forward_hook(lambda module, inputs, output: output * scale)
            stack.callback(hook.remove)
        out = model(
            input_ids=batch.input_ids,
            attention_mask=batch.mask,
            token_type_ids=batch.token_type_ids,
            output_hidden_states=True,
        )
    return out.hidden_states[0], out.logits


def view_losses(logits: Tensor, labels: Tensor) -> list[Tensor]:
    """One loss per view: of the true label for regression and two classes, otherwise -log p_c for every class c."""
    if logits.shape[1] == 1:
        return [mse_loss(logits[:, 0], labels)]
    if logits.shape[1] == 2:
        return [cross_entropy(logits, labels)]
    return [-torch.log(torch.softmax(logits, dim=1))[:, c].mean() for c in range(logits.shape[1])]


def maps_and_logits(
    model: nn.Module, batch: Batch, steps: int, top_k: int | None, create_graph: bool
) -> tuple[Sequence[Tensor], Tensor]:
    """Normalised token maps [B, L], one per view, and the logits [B, C] of the last step, the whole input."""
    gradients: list[list[Tensor]] = []
    for k in range(1, steps + 1):
        embeddings, logits = embeddings_and_logits(model, batch, k / steps)
        losses = view_losses(logits, batch.labels)
        gradients.append(
            [torch.autograd.grad(x, embeddings, create_graph=create_graph, retain_graph=True)[0] for x in losses]
        )
    normalised = []
    for of_view in zip(*gradients, strict=True):
        saliency = (reduce(torch.add, of_view) / steps * embeddings).abs()
        if top_k is not None:
            saliency = saliency.sort(dim=-1, descending=True).values[..., :top_k]
        normalised.append(normalize(saliency.norm(dim=-1), dim=-1))
    return normalised, logits


def adkd_loss(
    student: nn.Module,
    teacher: nn.Module,
    batch: Batch,
    *,
    alpha: float,
    temperature: float,
    beta: float,
    top_k: int | None,
    steps: int = 1,
) -> Tensor:
    """The loss of one batch. ``student`` may be in train mode; ``teacher`` is in eval mode."""
    theirs, teacher_logits = maps_and_logits(teacher, batch, steps, top_k, create_graph=False)
    ours, logits = maps_and_logits(student, batch, steps, None, create_graph=True)
    soft, hard = teacher_logits.detach() / temperature, logits / temperature
    if logits.shape[1] == 1:
        kd, task = mse_loss(hard, soft), mse_loss(logits[:, 0], batch.labels)
    else:
        kd = -(torch.softmax(soft, 1) * torch.log_softmax(hard, 1)).sum(1).mean()
        task = cross_entropy(logits, batch.labels)
    tokens = batch.mask.sum()
    attribution = sum(((t.detach() - s) ** 2).sum() / tokens for t, s in zip(theirs, ours, strict=True))
    return alpha * kd + (1 - alpha) * task + beta * attribution
