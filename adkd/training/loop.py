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
from transformers import PreTrainedModel

from adkd.base.errors import Diverged
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Batch, Examples
from adkd.data.batching import Batches
from adkd.methods.contract import LossTerms, Method, Phase
from adkd.methods.settings import Training
from adkd.models.passes import forward
from adkd.training.runtime import tensor_cores
from adkd.training.signals import Teacher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trainer:
    """Trains a model by a method, through all phases of the method."""

    model: PreTrainedModel
    """Trained in place, on ``device``."""
    method: Method
    teacher: Teacher
    examples: Examples
    """The train set."""
    training: Training
    score: Callable[[PreTrainedModel], float]
    """Higher is better. Called with the model in eval mode after every epoch of a phase that selects."""
    keep_best: bool
    """Keep the epoch with the best score; otherwise the last epoch."""
    task: str
    seed: int
    device: torch.device

    def fit(self) -> list[dict[str, Any]]:
        """Train the model through every phase of the method, and leave it at the selected epoch.

        Returns:
            One record per epoch: phase, epoch (from 1), seconds, the mean of every unweighted loss term, the score,
            which is None in a phase that does not select, and whether this epoch is the one that is kept.

        Raises:
            Diverged: a loss term or the gradient is not finite; names phase, epoch, step and term.
        """
        nn.Module.to(self.model, self.device)
        self.method.to(self.device)
        return [record for phase in self.method.phases() for record in self.fit_phase(phase)]

    def fit_phase(self, phase: Phase) -> list[dict[str, Any]]:
        """Train through one phase, with an optimizer and a schedule of its own."""
        training = self.settings(phase)
        steps = training.epochs * -(-len(self.examples) // training.batch_size)
        descent = Descent(self.model, self.method, training, steps)
        batches = self.batches(phase)
        records: list[dict[str, Any]] = []
        best: dict[str, Tensor] = {}
        for epoch in range(training.epochs):
            began = time.perf_counter()
            label = f"{phase.name} {epoch + 1}/{training.epochs}"
            self.model.train()
            order = map(batches.batch, track(batches.epoch(), label))
            terms = self.fit_epoch(phase, descent, order, epoch, training.epochs)
            score = self.score(self.model.eval()) if phase.selects else None
            if score is not None and self.keep_best and all(score > record["score"] for record in records):
                best = {name: value.to("cpu", copy=True) for name, value in self.model.state_dict().items()}
            seconds = time.perf_counter() - began
            records.append(
                {"phase": phase.name, "epoch": epoch + 1, "terms": terms, "score": score, "seconds": seconds}
            )
            shown = ", ".join(f"{name} {value:.4f}" for name, value in terms.items())
            log.info("%s: %s%s; %.1f s", label, shown, "" if score is None else f"; score {score:.4f}", seconds)
        kept = records[-1]
        if best:
            self.model.load_state_dict(best)
            kept = max(records, key=lambda record: record["score"])  # the first of equal ones, as above
        return [record | {"kept": phase.selects and record is kept} for record in records]

    def fit_epoch(
        self, phase: Phase, descent: "Descent", batches: Iterable[Batch], epoch: int, epochs: int
    ) -> dict[str, float]:
        """Train through one epoch (0-based) of ``epochs``.

        Args:
            phase: what to train.
            descent: makes the steps.
            batches: batches of the train set.
            epoch, epochs: what the method's ``progress`` follows from.

        Returns:
            The mean of every unweighted loss term over the batches.
        """
        progress = epoch / max(1, epochs - 1)
        sums: dict[str, Tensor] = {}
        for step, batch in enumerate(batches, start=1):
            with tensor_cores(self.device):
                terms = self.loss_terms(phase, batch, progress)
                loss = weighted_sum(terms)
                where = f"phase {phase.name}, epoch {epoch + 1}, step {step}"
                check_finite(loss, terms, where)
                descent.step(loss, where)
            for term, (_, value) in terms.items():
                sums[term] = sums.get(term, 0.0) + value.detach()
        return {term: (value / step).item() for term, value in sums.items()}

    def loss_terms(self, phase: Phase, batch: Batch, progress: float) -> LossTerms:
        """The method's loss terms for a batch of the train set, which is on the CPU."""
        teacher = self.teacher.outputs(batch, phase.needs, self.device)
        batch = batch.to(self.device)
        # A gradient of a gradient underflows in bfloat16: second-order methods stay in float32.
        mixed = self.device.type == "cuda" and not self.method.second_order
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            student = forward(self.model, batch, phase.needs, self.method.depth)
        return phase.loss(student.float() if mixed else student, teacher, batch, progress)

    def settings(self, phase: Phase) -> Training:
        """The training settings of a phase: its own ones, and those of the run otherwise."""
        return replace(self.training, **phase.training)

    def batches(self, phase: Phase) -> Batches:
        """The batches of a phase. Every phase starts from the same seed, and so has the same order."""
        training, generator = self.settings(phase), torch.Generator()
        generator.manual_seed(derived(self.task, self.seed, "order"))
        return Batches(self.examples, training.batch_size, training.batching, generator)


class Descent:
    """AdamW with a learning-rate schedule and gradient clipping, for the parameters of student and method.

    Without bias correction it is BertAdam (Devlin et al. 2019), whose moments are not corrected for their start at 0.
    """

    def __init__(self, model: nn.Module, method: Method, training: Training, steps: int):
        self.parameters = [p for module in (model, method) for p in module.parameters() if p.requires_grad]
        # Fused, because the plain AdamW would take a third of a step on a CPU, for the embedding matrix.
        self.optimizer = AdamW(
            groups(self.parameters, training.weight_decay),
            lr=training.learning_rate,
            eps=training.adam_epsilon,
            fused=True,
        )
        if not training.bias_correction:
            for p in self.parameters:
                self.optimizer.state[p] = {
                    # The moments are divided by 1 - beta^step, which is 1 after infinitely many steps.
                    "step": torch.tensor(torch.inf, device=p.device),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
        self.schedule = LambdaLR(self.optimizer, rate(training, steps))
        self.clip = training.clip
        self.clipped = [self.parameters] if training.clip_by == "model" else [[p] for p in self.parameters]

    def step(self, loss: Tensor, where: str) -> None:
        """Make one step of the optimizer and the schedule.

        Raises:
            Diverged: the gradient of ``loss`` is not finite.
        """
        loss.backward()
        norm = torch.stack([nn.utils.clip_grad_norm_(part, self.clip) for part in self.clipped]).max()
        if not torch.isfinite(norm):
            raise Diverged(f"the gradient's norm is {norm.item()} at {where}; its loss terms were finite")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()


def weighted_sum(terms: LossTerms) -> Tensor:
    """The loss: the sum of the terms, each multiplied by its weight."""
    first, *others = (weight * value for weight, value in terms.values())
    return sum(others, start=first)


def check_finite(loss: Tensor, terms: LossTerms, where: str) -> None:
    """Raises Diverged if the loss is NaN or infinite, and names the terms that are."""
    if torch.isfinite(loss):
        return
    bad = [f"{name} = {value.item()}" for name, (_, value) in terms.items() if not torch.isfinite(value)]
    raise Diverged(f"the loss is {loss.item()} at {where}: {', '.join(bad) or 'the weighted sum overflows'}")


def groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on matrices, no weight decay on biases and LayerNorm."""
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def rate(training: Training, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate at a step: linear warm-up, then constant or linear decay to 0."""
    warm = round(training.warmup * steps)

    def factor(step: int) -> float:
        if step < warm:
            return step / warm
        if training.schedule == "constant":
            return 1.0
        return max(0.0, (steps - step) / max(1, steps - warm))

    return factor
