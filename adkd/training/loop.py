"""The training loop, the only one of the suite. It knows no method and no task by name."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from adkd.contract import LossTerms, Method, Stage
from adkd.data.batches import Examples, shuffled
from adkd.errors import RunError
from adkd.settings import Training
from adkd.training.passes import forward
from adkd.training.progress import track
from adkd.training.seeds import generator
from adkd.training.signals import Teacher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """What a run is made of, apart from the student and the method."""

    examples: Examples
    teacher: Teacher
    training: Training
    score: Callable[[nn.Module], float]
    """Higher is better; called after every epoch with the model in eval mode."""
    keep_best: bool
    """Keep the epoch of the best score; otherwise the last."""
    task: str
    seed: int
    device: torch.device


def fit(model: nn.Module, method: Method, run: Fit) -> list[dict[str, Any]]:
    """Train ``model`` in place, through every stage of the method, and leave it at the selected epoch.

    Returns:
        One record per epoch: stage, epoch (from 1), seconds, the mean of every unweighted loss term, the score, and
        whether this epoch is the one kept.

    Raises:
        RunError: a loss term or the gradient is not a finite number; names stage, epoch, step and term.
    """
    model.to(run.device)
    method.to(run.device)
    history: list[dict[str, Any]] = []
    for stage in method.stages():
        history += fit_stage(model, method, stage, run)
    return history


def fit_stage(model: nn.Module, method: Method, stage: Stage, run: Fit) -> list[dict[str, Any]]:
    """One stage: optimizer and schedule of its own, the same order of batches in every stage."""
    training = replace(run.training, **stage.training)
    order = generator(run.task, run.seed, "order")
    parameters = [p for module in (model, method) for p in module.parameters() if p.requires_grad]
    # Fused: the embedding matrix makes the plain AdamW a third of a step on a CPU.
    optimizer = AdamW(groups(model, method, training), lr=training.learning_rate, eps=training.adam_epsilon, fused=True)
    steps = training.epochs * -(-len(run.examples) // training.batch_size)
    schedule = LambdaLR(optimizer, rate(training, steps))
    records: list[dict[str, Any]] = []
    best: dict[str, Tensor] = {}
    for epoch in range(training.epochs):
        began = time.perf_counter()
        progress = epoch / max(1, training.epochs - 1)
        batches = shuffled(run.examples.lengths, training.batch_size, order)
        label = f"{stage.name} {epoch + 1}/{training.epochs}"
        model.train()
        sums: dict[str, Tensor] = {}
        for step, rows in enumerate(track(batches, label), start=1):
            terms = loss_terms(model, method, stage, run, rows, progress)
            total = sum(weight * value for weight, value in terms.values())
            where = f"stage {stage.name}, epoch {epoch + 1}, step {step}"
            check_finite(total, terms, where)
            total.backward()
            norm = nn.utils.clip_grad_norm_(parameters, training.clip)
            if not torch.isfinite(norm):
                raise RunError(f"the gradient's norm is {norm.item()} at {where}; its loss terms were finite")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            for name, (_, value) in terms.items():
                sums[name] = sums.get(name, 0.0) + value.detach()
        score = run.score(model.eval())
        means = {name: (value / len(batches)).item() for name, value in sums.items()}
        if stage.selects and run.keep_best and (not records or score > max(r["score"] for r in records)):
            best = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        records.append(
            {
                "stage": stage.name,
                "epoch": epoch + 1,
                "terms": means,
                "score": score,
                "kept": False,
                "seconds": time.perf_counter() - began,
            }
        )
        shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
        log.info("%s: %s; score %.4f; %.1f s", label, shown, score, records[-1]["seconds"])
    if best:
        model.load_state_dict(best)
        max(records, key=lambda r: r["score"])["kept"] = True  # the first of equal ones, as above
    else:
        records[-1]["kept"] = stage.selects
    return records


def loss_terms(model: nn.Module, method: Method, stage: Stage, run: Fit, rows: Tensor, progress: float) -> LossTerms:
    """The method's loss terms for these rows of the train set."""
    batch = run.examples.batch(rows)
    teacher = run.teacher.outputs(batch, stage.needs, run.device)
    batch = batch.to(run.device)
    # A gradient of a gradient underflows in bfloat16: second-order methods stay in float32.
    mixed = run.device.type == "cuda" and not method.second_order
    with torch.autocast(run.device.type, torch.bfloat16, enabled=mixed):
        student = forward(model, batch, stage.needs)
    return stage.loss(student.float() if mixed else student, teacher, batch, progress)


def check_finite(total: Tensor, terms: LossTerms, where: str) -> None:
    """Raises RunError if the loss is NaN or infinite, naming the terms that are."""
    if torch.isfinite(total):
        return
    bad = [f"{name} = {value.item()}" for name, (_, value) in terms.items() if not torch.isfinite(value)]
    raise RunError(f"the loss is {total.item()} at {where}: {', '.join(bad) or 'the weighted sum overflows'}")


def groups(model: nn.Module, method: Method, training: Training) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on matrices, none on biases and LayerNorm."""
    parameters = [p for module in (model, method) for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
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
