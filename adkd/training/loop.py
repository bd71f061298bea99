"""The training loop, the only one of the suite. It knows no method and no task by name."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from adkd.base.errors import Diverged
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Batch, Examples, shuffled
from adkd.methods.contract import LossTerms, Method, Phase
from adkd.methods.settings import Training
from adkd.models.passes import forward
from adkd.training.runtime import tensor_cores
from adkd.training.signals import Teacher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """What a run is made of, apart from the student and the method."""

    examples: Examples
    teacher: Teacher
    training: Training
    score: Callable[[nn.Module], float]
    """Higher is better; called after every epoch of a phase that selects, with the model in eval mode."""
    keep_best: bool
    """Keep the epoch of the best score; otherwise the last."""
    task: str
    seed: int
    device: torch.device


def fit(model: nn.Module, method: Method, run: Fit) -> list[dict[str, Any]]:
    """Train ``model`` in place, through every phase of the method, and leave it at the selected epoch.

    Returns:
        One record per epoch: phase, epoch (from 1), seconds, the mean of every unweighted loss term, the score (None in
        a phase that does not select), and whether this epoch is the one kept.

    Raises:
        Diverged: a loss term or the gradient is not a finite number; names phase, epoch, step and term.
    """
    model.to(run.device)
    method.to(run.device)
    history: list[dict[str, Any]] = []
    for phase in method.phases():
        history += fit_phase(model, method, phase, run)
    return history


def fit_phase(model: nn.Module, method: Method, phase: Phase, run: Fit) -> list[dict[str, Any]]:
    """One phase: optimizer and schedule of its own, the same order of batches in every phase."""
    training = replace(run.training, **phase.training)
    order = batch_order(run)
    descent = Descent(model, method, training, steps=training.epochs * -(-len(run.examples) // training.batch_size))
    records: list[dict[str, Any]] = []
    best: dict[str, Tensor] = {}
    for epoch in range(training.epochs):
        began = time.perf_counter()
        batches = shuffled(run.examples.lengths, training.batch_size, order)
        progress = epoch / max(1, training.epochs - 1)
        label = f"{phase.name} {epoch + 1}/{training.epochs}"
        model.train()
        terms = fit_epoch(model, method, phase, run, descent, track(batches, label), progress, f"epoch {epoch + 1}")
        score = run.score(model.eval()) if phase.selects else None
        if phase.selects and run.keep_best and (not records or score > max(r["score"] for r in records)):
            best = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        seconds = time.perf_counter() - began
        records.append({"phase": phase.name, "epoch": epoch + 1, "terms": terms, "score": score, "seconds": seconds})
        shown = ", ".join(f"{name} {value:.4f}" for name, value in terms.items())
        log.info("%s: %s%s; %.1f s", label, shown, "" if score is None else f"; score {score:.4f}", seconds)
    kept = records[-1]
    if best:
        model.load_state_dict(best)
        kept = max(records, key=lambda r: r["score"])  # the first of equal ones, as above
    return [record | {"kept": phase.selects and record is kept} for record in records]


def fit_epoch(
    model: nn.Module,
    method: Method,
    phase: Phase,
    run: Fit,
    descent: "Descent",
    batches: Iterable[Tensor],
    progress: float,
    name: str,
) -> dict[str, float]:
    """One pass over the batches, rows of the train set each; the mean of every unweighted loss term over them."""
    sums: dict[str, Tensor] = {}
    for step, rows in enumerate(batches, start=1):
        with tensor_cores(run.device):
            terms = loss_terms(model, method, phase, run, rows, progress)
            total = sum(weight * value for weight, value in terms.values())
            where = f"phase {phase.name}, {name}, step {step}"
            check_finite(total, terms, where)
            descent.step(total, where)
        for term, (_, value) in terms.items():
            sums[term] = sums.get(term, 0.0) + value.detach()
    return {term: (value / step).item() for term, value in sums.items()}


class Descent:
    """AdamW with its schedule and gradient clipping, over the student's parameters and the method's own."""

    def __init__(self, model: nn.Module, method: Method, training: Training, steps: int):
        self.parameters = [p for module in (model, method) for p in module.parameters() if p.requires_grad]
        # Fused: the embedding matrix makes the plain AdamW a third of a step on a CPU.
        self.optimizer = AdamW(
            groups(self.parameters, training.weight_decay),
            lr=training.learning_rate,
            eps=training.adam_epsilon,
            fused=True,
        )
        self.schedule = LambdaLR(self.optimizer, rate(training, steps))
        self.clip = training.clip

    def step(self, loss: Tensor, where: str) -> None:
        """Go one step down the gradient of ``loss``.

        Raises:
            Diverged: the gradient is not finite.
        """
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if not torch.isfinite(norm):
            raise Diverged(f"the gradient's norm is {norm.item()} at {where}; its loss terms were finite")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()


def loss_terms(model: nn.Module, method: Method, phase: Phase, run: Fit, rows: Tensor, progress: float) -> LossTerms:
    """The method's loss terms for these rows of the train set."""
    return batch_terms(model, method, phase, run, run.examples.batch(rows), progress)


def batch_terms(model: nn.Module, method: Method, phase: Phase, run: Fit, batch: Batch, progress: float) -> LossTerms:
    """The method's loss terms for a batch of the train set."""
    teacher = run.teacher.outputs(batch, phase.needs, run.device)
    batch = batch.to(run.device)
    # A gradient of a gradient underflows in bfloat16: second-order methods stay in float32.
    mixed = run.device.type == "cuda" and not method.second_order
    with torch.autocast(run.device.type, torch.bfloat16, enabled=mixed):
        student = forward(model, batch, phase.needs, method.depth)
    return phase.loss(student.float() if mixed else student, teacher, batch, progress)


def check_finite(total: Tensor, terms: LossTerms, where: str) -> None:
    """Raises Diverged if the loss is NaN or infinite, naming the terms that are."""
    if torch.isfinite(total):
        return
    bad = [f"{name} = {value.item()}" for name, (_, value) in terms.items() if not torch.isfinite(value)]
    raise Diverged(f"the loss is {total.item()} at {where}: {', '.join(bad) or 'the weighted sum overflows'}")


def batch_order(run: Fit) -> torch.Generator:
    """Where the order of a run's batches comes from; every phase starts with a new one."""
    return torch.Generator().manual_seed(derived(run.task, run.seed, "order"))


def groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on matrices, none on biases and LayerNorm."""
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def rate(training: Training, steps: int) -> Callable[[int], float]:
    """The learning rate's factor at a step: linear warm-up, then linear decay to 0 or constant."""
    warm = round(training.warmup * steps)

    def factor(step: int) -> float:
        if step < warm:
            return step / warm
        if training.schedule == "constant":
            return 1.0
        return max(0.0, (steps - step) / max(1, steps - warm))

    return factor
