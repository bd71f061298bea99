"""Latency of one model: the duration of a forward pass over real dev examples, for several batch sizes."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from adkd.base.errors import InputError
from adkd.base.files import new_directory, read_json, write_json
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Batch, Examples
from adkd.models.encoder import load_frozen
from adkd.models.passes import logits_of
from adkd.training import runtime

log = logging.getLogger(__name__)

WARM_UP = 3
"""Number of batches that are run before the first timed one."""


def measure(spec: dict[str, Any], out: Path) -> None:
    """The stage: time one model.

    Args:
        spec: ``task``, ``split``, ``batch_sizes``, ``repeats`` (timed batches of every size), ``inputs`` (data; teacher
            or student), device, threads.
        out: directory for ``latency.json``, which holds per batch size the median and quartiles in seconds, the number
            of timed batches and their mean length in tokens, including padding.

    Raises:
        InputError: there is no model, or the split has fewer examples than a batch.
    """
    device = runtime.start(spec)
    data, place = Path(spec["inputs"]["data"]), Path(spec["inputs"].get("teacher") or spec["inputs"]["student"])
    if not (place / "model").is_dir():
        raise InputError(f"{place} has no model", remedy="train it first")
    examples = Examples.load(data, spec["split"])
    if (largest := max(spec["batch_sizes"])) > len(examples):
        limit = f"at most {len(examples)}, the number of rows of {spec['split']}"
        raise InputError("batch_sizes", value=largest, allowed=limit)
    model = load_frozen(place / "model", device)
    results = {}
    for size in spec["batch_sizes"]:
        rng = np.random.default_rng(derived(spec["task"], 0, f"latency of {size}"))
        chosen = [rng.choice(len(examples), size, replace=False) for _ in range(WARM_UP + spec["repeats"])]
        batches = [examples.batch(torch.from_numpy(np.sort(rows))).to(device) for rows in chosen]
        seconds = [_seconds(model, batch, device) for batch in track(batches, f"batch of {size}")][WARM_UP:]
        low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75)).tolist()
        tokens = float(np.mean([batch.mask.shape[1] for batch in batches[WARM_UP:]]))
        results[str(size)] = {"median": middle, "low": low, "high": high, "batches": len(seconds), "tokens": tokens}
        log.info("batch of %d: %.2f ms (median of %d)", size, 1000 * middle, len(seconds))
    about = {
        "spec": spec,
        "latency": results,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data_fingerprint": read_json(data / "data.json")["fingerprint"],
    }
    with new_directory(out) as folder:
        write_json(folder / "latency.json", about | runtime.provenance(device))


def _seconds(model: nn.Module, batch: Batch, device: torch.device) -> float:
    """One forward pass, from tokens to logits."""
    began = time.perf_counter()
    with torch.no_grad():
        logits_of(model, batch).cpu()  # waits until a GPU has finished
    return time.perf_counter() - began
