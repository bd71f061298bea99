"""Signals: outputs of a teacher that are small enough to be computed once and stored for all its students.

A signal is one tensor over the rows of the train set, in shards of consecutive rows (safetensors, memory-mapped):
``logits`` [rows, C], ``cls`` [rows, N, H] or ``token_maps`` [rows, V, L], padded with 0. It is in float32, and the
teacher is in eval mode. ``signals.json`` has the sha256 of every shard, which is checked when the signal is opened.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from adkd.base.disk import check_room
from adkd.base.errors import InputError
from adkd.base.files import new_directory
from adkd.base.progress import track
from adkd.base.stage_records import command_for
from adkd.data.batches import Batch, Examples, by_length, data_fingerprint
from adkd.methods.attribution import token_maps
from adkd.methods.contract import Pass
from adkd.methods.method_config import STORED, TokenMap
from adkd.models.encoder import load_frozen, shape
from adkd.models.passes import forward
from adkd.plan.reports import Shard, SignalReport
from adkd.plan.results import Results
from adkd.plan.specs import SignalSpec
from adkd.plan.stages import STAGES
from adkd.training import runtime

log = logging.getLogger(__name__)

REPORT = str(STAGES["signals"].report)
SHARD_ROWS = 16384
BATCH_SIZE = 64


def compute(spec: SignalSpec, results: Results) -> None:
    """The stage: compute one signal of one teacher over the train set and store it."""
    device = runtime.start_run(spec)
    data = results.directory(spec.inputs.data)
    examples = Examples.load(data, "train")
    model = load_frozen(results.model(spec.inputs), device)
    out = results.directory(spec.result)
    check_room(out, size(model, examples, spec))
    with new_directory(out) as folder:
        shards: list[Shard] = []
        for first in range(0, len(examples), SHARD_ROWS):
            rows = torch.arange(first, min(first + SHARD_ROWS, len(examples)))
            file = folder / f"shard-{len(shards):05d}.safetensors"
            save_file({"signal": shard(model, examples, rows, spec.kind, spec.token_map, device)}, file)
            shards.append(Shard(file=file.name, rows=len(rows)))
        report = SignalReport(spec=spec, shards=tuple(shards), data_fingerprint=data_fingerprint(data))
        report.write_last(folder / REPORT)


def size(model: PreTrainedModel, examples: Examples, spec: SignalSpec) -> int:
    """Bytes of a signal over all rows: what is stored in float32, padded to the longest row."""
    outputs, encoder = model.config.num_labels, shape(model)
    views = outputs * int(examples.lengths.max()) if len(examples) else 0
    values = {"logits": outputs, "cls": encoder.layers * encoder.hidden, "token_maps": views}
    return 4 * len(examples) * values[spec.kind]


def shard(
    model: PreTrainedModel, examples: Examples, rows: Tensor, kind: str, how: TokenMap | None, device: torch.device
) -> Tensor:
    """A signal for these rows of the split, [rows, ...] on the CPU; token maps are padded to the longest row."""
    lengths = examples.lengths[rows]
    parts: list[tuple[Tensor, Tensor]] = []
    for chosen in track(by_length(lengths, BATCH_SIZE), kind):
        batch = examples.batch(rows[chosen]).to(device)
        parts.append((chosen, one_batch(model, batch, kind, how).cpu()))
    longest = max(value.shape[-1] for _, value in parts)
    order = torch.cat([chosen for chosen, _ in parts]).argsort()
    if kind == "token_maps":
        parts = [(chosen, pad(value, (0, longest - value.shape[-1]))) for chosen, value in parts]
    return torch.cat([value for _, value in parts])[order].contiguous()


def one_batch(model: PreTrainedModel, batch: Batch, kind: str, how: TokenMap | None = None) -> Tensor:
    """A signal [B, ...] for a batch on the model's device, computed by the teacher; ``how`` for token maps."""
    if how is not None:
        with torch.no_grad():
            output = forward(model, batch, frozenset({kind}), how.depth(shape(model).layers))
        with torch.enable_grad():
            return token_maps(
                output.logits_from,
                output.states.requires_grad_(),
                batch.mask,
                steps=how.steps,
                top_k=how.top_k,
                labels=batch.labels if how.step_weights == "released" else None,
            ).detach()
    with torch.no_grad():
        return getattr(forward(model, batch, frozenset({kind})), kind)


class Signal:
    """A stored signal, opened for reading by row."""

    def __init__(self, directory: Path, data_fingerprint: str):
        """Open and verify.

        Raises:
            InputError: a file is missing or damaged, or the signal was made from other data.
        """
        command = command_for(directory, "signals")
        index = SignalReport.read(directory / REPORT, command)
        if index.data_fingerprint != data_fingerprint:
            raise InputError(
                f"the data fingerprint of {directory}",
                value=index.data_fingerprint,
                allowed=data_fingerprint,
                remedy=f"rebuild it with: {command}",
            )
        self.shards: list[Tensor] = []
        for entry in index.shards:
            with safe_open(index.file(directory, entry.file), framework="pt") as opened:
                self.shards.append(opened.get_tensor("signal"))  # memory-mapped: read when accessed

    def rows(self, rows: Tensor) -> Tensor:
        """The signal of these rows, [B, ...]; token maps have the length of the longest shard that is read."""
        place, offset = rows // SHARD_ROWS, rows % SHARD_ROWS
        if len(self.shards) == 1:
            return self.shards[0][rows]
        picked = [(i, (place == i).nonzero()[:, 0]) for i in place.unique().tolist()]
        values = [self.shards[i][offset[at]] for i, at in picked]
        longest = max(value.shape[-1] for value in values)
        values = [pad(value, (0, longest - value.shape[-1])) for value in values]
        return torch.cat(values)[torch.cat([at for _, at in picked]).argsort()]


class ByRow(Protocol):
    """A signal that can be read by row."""

    def rows(self, rows: Tensor) -> Tensor:
        """The signal of these rows, [B, ...]."""


class Teacher:
    """The teacher's side of training: stored signals, and a live model for outputs that are too large to store."""

    def __init__(self, stored: Mapping[str, ByRow], live: PreTrainedModel | None = None):
        self.stored = stored
        self.live = live

    def outputs(self, batch: Batch, needs: frozenset[str], device: torch.device) -> Pass:
        """The outputs of the teacher that ``needs`` names, on ``device``, for a batch on the CPU."""
        stored: dict[str, Any] = dict(self._stored(batch, needs & STORED, device))
        live = needs - STORED
        if not live:
            return Pass(**{"logits": None} | stored)
        assert self.live is not None
        with torch.no_grad():
            return replace(forward(self.live, batch.to(device), live), **stored)

    def _stored(self, batch: Batch, names: frozenset[str], device: torch.device) -> Iterator[tuple[str, Tensor]]:
        for name in names:
            value = self.stored[name].rows(batch.rows)
            if name == "token_maps":
                length = batch.mask.shape[1]
                value = pad(value, (0, length - value.shape[-1]))  # a negative pad cuts
            yield name, value.to(device, non_blocking=True)
