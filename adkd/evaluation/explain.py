"""Explanations of one model: what the tokens of some examples contribute, and how faithful that is to the model."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from adkd.base.errors import InputError, RunError
from adkd.base.files import new_directory, read_json, write_json
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Examples, by_length
from adkd.evaluation.contributions import Contributions, contributions
from adkd.evaluation.faithfulness import Example, Faithfulness, faithfulness
from adkd.fetch import checkpoints
from adkd.models.encoder import frozen, load_classifier
from adkd.training import runtime

log = logging.getLogger(__name__)

BATCH_SIZE = 8


@dataclass(frozen=True)
class Explanation:
    """One example and its contributions, without padding."""

    idx: int
    label: float
    example: Example
    contributions: Contributions
    """As of a batch, without B."""

    @property
    def order(self) -> np.ndarray:
        """Positions of the removable tokens, those that speak most for the model's own prediction first."""
        found = self.contributions
        of_prediction = found.signed[found.logits.argmax()] if len(found.logits) > 1 else found.signed[0].abs()
        removable = self.example.removable
        return removable[np.argsort(-of_prediction.numpy()[removable], kind="stable")]


def explain(spec: dict[str, Any], out: Path) -> None:
    """The stage: explain one model on some examples, and measure how faithful these explanations are to it.

    Args:
        spec: ``task``, ``split``, ``rows`` (at most so many examples), ``steps`` (of the integral), ``bins`` (shares of
            tokens, see ``faithfulness``), ``inputs`` (data; teacher or student), device, threads. Which
            examples these are does not depend on ``seed``.
        out: gets ``explanation.json`` and ``examples.parquet``, one row per example in the order of ``idx``.

    Raises:
        InputError: a setting is out of range. Nothing is written then.
        RunError: the model's outputs are not finite.
    """
    _check(spec)
    began = time.perf_counter()
    device = runtime.start(spec)
    data, place = Path(spec["inputs"]["data"]), Path(spec["inputs"].get("teacher") or spec["inputs"]["student"])
    examples = Examples.load(data, spec["split"])
    about = read_json(data / "data.json")
    tokenizer = checkpoints.tokenizer(about["spec"]["tokenizer"])
    model = frozen(load_classifier(place / "model").to(device))
    rows = explained_rows(examples, spec["task"], spec["split"], spec["rows"])
    special = torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id])  # [UNK] is a word, and can be removed
    found = sorted(explanations(model, examples, rows, special, spec["steps"], device), key=lambda one: one.idx)
    if not all(one.contributions.error.isfinite().all() for one in found):
        raise RunError(f"{place}: the model's outputs or their gradients are not finite")
    own, random = own_and_random(model, found, spec["task"], spec["bins"], device)
    tokens = [tokenizer.convert_ids_to_tokens(one.example.input_ids.tolist()) for one in found]
    report = {
        "spec": spec,
        "rows": len(found),
        "completeness_error": completeness_error(found),
        "seconds": time.perf_counter() - began,
        "data_fingerprint": about["fingerprint"],
        **runtime.provenance(device),
    }
    report["versions"]["captum"] = version("captum")
    with new_directory(out) as folder:
        pq.write_table(_table(found, tokens, own, random), folder / "examples.parquet")
        write_json(folder / "explanation.json", report)
    log.info("wrote %s (%d examples, %.0f s)", out, len(found), report["seconds"])


def explained_rows(examples: Examples, task: str, split: str, most: int) -> Tensor:
    """Which rows of a split are explained, [n]: the same for every model; more rows take the fewer in."""
    rng = np.random.default_rng(derived(task, 0, f"explained rows of {split}"))
    return torch.from_numpy(np.sort(rng.permutation(len(examples))[:most]))


def explanations(
    model: nn.Module, examples: Examples, rows: Tensor, special: Tensor, steps: int, device: torch.device
) -> Iterator[Explanation]:
    """The rows of a split with their contributions, on the CPU, those of like length together.

    Args:
        special: token numbers that are never removed.
    """
    for chosen in track(by_length(examples.lengths[rows], BATCH_SIZE), "explain"):
        batch = examples.batch(rows[chosen])
        found = contributions(model, batch.to(device), steps)
        for i, row in enumerate(batch.rows.tolist()):
            length = int(examples.lengths[row])
            ids = batch.input_ids[i, :length]
            yield Explanation(
                examples.idx[row].item(),
                float(examples.labels[row]),
                Example(ids, batch.token_type_ids[i, :length], torch.isin(ids, special)),
                Contributions(
                    logits=found.logits[i].cpu(),
                    signed=found.signed[i, :, :length].cpu(),
                    magnitudes=found.magnitudes[i, :, :length].cpu(),
                    change=found.change[i].cpu(),
                ),
            )


def own_and_random(
    model: nn.Module, found: list[Explanation], task: str, bins: list[float], device: torch.device
) -> tuple[list[Faithfulness], list[Faithfulness]]:
    """How faithful the explanations are, and tokens in random order: the same order for every model."""
    seed = derived(task, 0, "random order")
    shuffled = [np.random.default_rng([seed, one.idx]).permutation(one.example.removable) for one in found]
    examples, logits = [one.example for one in found], torch.stack([one.contributions.logits for one in found])
    own, random = (
        faithfulness(model, examples, logits, orders, bins, device)
        for orders in ([one.order for one in found], shuffled)
    )
    return own, random


def completeness_error(found: list[Explanation]) -> dict[str, dict[str, float | None]]:
    """Mean, median and largest completeness error over examples and classes: as it is, and as a share of F's change.

    A share is of the examples where F changes at all; None if it does nowhere.
    """
    error, change = (
        np.concatenate([getattr(one.contributions, name).double().numpy() for one in found])
        for name in ("error", "change")
    )
    moved = change != 0
    values = {"absolute": error, "relative": error[moved] / np.abs(change[moved])}
    statistics = {"mean": np.mean, "median": np.median, "max": np.max}
    return {
        kind: {name: float(of(value)) if len(value) else None for name, of in statistics.items()}
        for kind, value in values.items()
    }


def _table(
    found: list[Explanation], tokens: list[list[str]], own: list[Faithfulness], random: list[Faithfulness]
) -> pa.Table:
    numbers = pa.list_(pa.float32())
    maps = pa.list_(numbers)
    parts = [one.contributions for one in found]
    columns = {
        "idx": (pa.int64(), [one.idx for one in found]),
        "label": (pa.float64(), [one.label for one in found]),
        "tokens": (pa.list_(pa.string()), tokens),
        "special": (pa.list_(pa.bool_()), [one.example.special.tolist() for one in found]),
        "logits": (numbers, [one.logits.tolist() for one in parts]),
        "contributions": (maps, [one.signed.tolist() for one in parts]),
        "magnitudes": (maps, [one.magnitudes.tolist() for one in parts]),
        "completeness_error": (numbers, [one.error.tolist() for one in parts]),
        "comprehensiveness": (pa.float64(), [one.comprehensiveness for one in own]),
        "sufficiency": (pa.float64(), [one.sufficiency for one in own]),
        "comprehensiveness_random": (pa.float64(), [one.comprehensiveness for one in random]),
        "sufficiency_random": (pa.float64(), [one.sufficiency for one in random]),
    }
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def _check(spec: dict[str, Any]) -> None:
    for name in ("rows", "steps"):
        if spec[name] < 1:
            raise InputError(f"{name} is {spec[name]}, expected a whole number above 0")
    if wrong := [share for share in spec["bins"] if not 0 < share <= 1]:
        raise InputError(f"bins has {wrong[0]}, expected shares above 0, up to 1")
    if not spec["bins"]:
        raise InputError("bins is empty, expected at least one share of tokens, such as 0.2")
