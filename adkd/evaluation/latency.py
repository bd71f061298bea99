"""Latency of one model: the duration of a forward pass over real dev examples, for several batch sizes."""

import logging
import time

import numpy as np
import torch
from torch import nn

from adkd.base.errors import InputError
from adkd.base.files import new_directory
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Batch, Examples, data_fingerprint
from adkd.models.encoder import load_frozen
from adkd.models.passes import logits_of
from adkd.plan.reports import Latency, LatencyReport
from adkd.plan.results import Results
from adkd.plan.specs import LatencySpec
from adkd.plan.stages import STAGES
from adkd.training import runtime

log = logging.getLogger(__name__)

WARM_UP = 3
"""Number of batches that are run before the first timed one."""


def measure(spec: LatencySpec, results: Results) -> None:
    """The stage: time one model.

    Raises:
        InputError: there is no model, or the split has fewer examples than a batch.
    """
    device = runtime.start_run(spec)
    data = results.directory(spec.inputs.data)
    examples = Examples.load(data, spec.split)
    if (largest := max(spec.batch_sizes)) > len(examples):
        limit = f"at most {len(examples)}, the number of rows of {spec.split}"
        raise InputError("batch_sizes", value=largest, allowed=limit)
    model = load_frozen(results.model(spec.inputs), device)
    latency = {}
    for size in spec.batch_sizes:
        rng = np.random.default_rng(derived(spec.task, 0, f"latency of {size}"))
        chosen = [rng.choice(len(examples), size, replace=False) for _ in range(WARM_UP + spec.repeats)]
        batches = [examples.batch(torch.from_numpy(np.sort(rows))).to(device) for rows in chosen]
        seconds = [_seconds(model, batch, device) for batch in track(batches, f"batch of {size}")][WARM_UP:]
        low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75)).tolist()
        tokens = float(np.mean([batch.mask.shape[1] for batch in batches[WARM_UP:]]))
        latency[str(size)] = Latency(median=median, low=low, high=high, batches=len(seconds), tokens=tokens)
        log.info("batch of %d: %.2f ms (median of %d)", size, 1000 * median, len(seconds))
    report = LatencyReport(
        spec=spec,
        latency=latency,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        data_fingerprint=data_fingerprint(data),
        **runtime.provenance(device),
    )
    with new_directory(results.directory(spec.result)) as folder:
        report.write_last(folder / str(STAGES[spec.stage].report))


def _seconds(model: nn.Module, batch: Batch, device: torch.device) -> float:
    """One forward pass, from tokens to logits."""
    began = time.perf_counter()
    with torch.no_grad():
        logits_of(model, batch).cpu()  # waits until a GPU has finished
    return time.perf_counter() - began
