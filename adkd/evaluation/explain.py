"""Explanations of one model: its attributions on some examples, and how faithful these are to the model."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from transformers import PreTrainedModel

from adkd.base.errors import InputError, RunError
from adkd.base.files import new_directory
from adkd.base.progress import track
from adkd.base.seeds import derived
from adkd.data.batches import Examples, by_length
from adkd.data.spec import DataReport
from adkd.evaluation.faithfulness import Example, Faithfulness, faithfulness
from adkd.evaluation.integrated_gradients import Attributions, attributions
from adkd.fetch import checkpoints
from adkd.models.encoder import load_frozen, special_tokens
from adkd.plan.reports import CompletenessError, ExplainReport, Statistics
from adkd.plan.results import Results
from adkd.plan.specs import ExplainSpec
from adkd.plan.stages import STAGES
from adkd.training import runtime

log = logging.getLogger(__name__)

BATCH_SIZE = 8


@dataclass(frozen=True)
class Explanation:
    """One example and its attributions, without padding."""

    idx: int
    label: float
    example: Example
    attributions: Attributions
    """Tensors without the dimension B."""

    @property
    def order(self) -> np.ndarray:
        """Positions of the removable tokens, in descending order of their attribution to the model's own prediction."""
        signed, logits = self.attributions.signed, self.attributions.logits
        of_prediction = signed[logits.argmax()] if len(logits) > 1 else signed[0].abs()
        removable = self.example.removable
        return removable[np.argsort(-of_prediction.numpy()[removable], kind="stable")]


def explain(spec: ExplainSpec, results: Results) -> None:
    """The stage: explain one model's answers on some examples, and measure how faithful the explanations are to it.

    Writes ``explanation.json`` and ``examples.parquet``, one row per example in the order of ``idx``. Which examples
    these are does not depend on the seed.

    Raises:
        InputError: a setting is out of range. Nothing is written then.
        RunError: the model's outputs are not finite.
    """
    _check(spec)
    began = time.perf_counter()
    device = runtime.start_run(spec)
    data, place = results.directory(spec.inputs.data), results.directory(spec.inputs.model)
    examples = Examples.load(data, spec.split)
    about = DataReport.of(data)
    tokenizer = checkpoints.tokenizer(about.spec.tokenizer)
    model = load_frozen(results.model(spec.inputs), device)
    rows = explained_rows(examples, spec.task, spec.split, spec.rows)
    special = special_tokens(tokenizer)
    explained = sorted(explanations(model, examples, rows, special, spec.steps, device), key=lambda e: e.idx)
    if not all(explanation.attributions.error.isfinite().all() for explanation in explained):
        raise RunError(f"{place}: the model's outputs or their gradients are not finite")
    own, random = own_and_random(model, explained, spec.task, spec.bins, device)
    tokens = [[str(tokenizer.convert_ids_to_tokens(i)) for i in e.example.input_ids.tolist()] for e in explained]
    provenance = runtime.provenance(device)
    provenance["versions"]["captum"] = version("captum")
    report = ExplainReport(
        spec=spec,
        rows=len(explained),
        completeness_error=completeness_error(explained),
        seconds=time.perf_counter() - began,
        data_fingerprint=about.fingerprint,
        **provenance,
    )
    out = results.directory(spec.result)
    with new_directory(out) as folder:
        pq.write_table(_table(explained, tokens, own, random), folder / "examples.parquet")
        report.write_last(folder / str(STAGES[spec.stage].report))
    log.info("wrote %s (%d examples, %.0f s)", out, len(explained), report.seconds)


def explained_rows(examples: Examples, task: str, split: str, most: int) -> Tensor:
    """The rows of a split that are explained, [n]: the same for every model, and a larger ``most`` only adds rows."""
    rng = np.random.default_rng(derived(task, 0, f"explained rows of {split}"))
    return torch.from_numpy(np.sort(rng.permutation(len(examples))[:most]))


def explanations(
    model: PreTrainedModel, examples: Examples, rows: Tensor, special: Tensor, steps: int, device: torch.device
) -> Iterator[Explanation]:
    """The explanations of these rows of a split, on the CPU, in batches of examples of similar length.

    Args:
        special: token numbers that are never removed.
    """
    for chosen in track(by_length(examples.lengths[rows], BATCH_SIZE), "explain"):
        batch = examples.batch(rows[chosen])
        computed = attributions(model, batch.to(device), steps)
        for i, row in enumerate(batch.rows.tolist()):
            length = int(examples.lengths[row])
            ids = batch.input_ids[i, :length]
            yield Explanation(
                int(examples.idx[row]),
                float(examples.labels[row]),
                Example(ids, batch.token_type_ids[i, :length], torch.isin(ids, special)),
                Attributions(
                    logits=computed.logits[i].cpu(),
                    signed=computed.signed[i, :, :length].cpu(),
                    magnitudes=computed.magnitudes[i, :, :length].cpu(),
                    change=computed.change[i].cpu(),
                ),
            )


def own_and_random(
    model: PreTrainedModel, explained: list[Explanation], task: str, bins: Sequence[float], device: torch.device
) -> tuple[list[Faithfulness], list[Faithfulness]]:
    """How faithful the explanations are, and a random order of the tokens, which is the same for every model."""
    seed = derived(task, 0, "random order")
    shuffled = [np.random.default_rng([seed, e.idx]).permutation(e.example.removable) for e in explained]
    examples, logits = [e.example for e in explained], torch.stack([e.attributions.logits for e in explained])
    own = faithfulness(model, examples, logits, [e.order for e in explained], bins, device)
    return own, faithfulness(model, examples, logits, shuffled, bins, device)


def completeness_error(explained: list[Explanation]) -> CompletenessError:
    """The completeness error over examples and classes; relative to the change of F over those where F changes."""
    error, change = (
        np.concatenate([getattr(e.attributions, name).double().numpy() for e in explained])
        for name in ("error", "change")
    )
    moved = change != 0
    return CompletenessError(absolute=_statistics(error), relative=_statistics(error[moved] / np.abs(change[moved])))


def _statistics(values: np.ndarray) -> Statistics:
    if not len(values):
        return Statistics(mean=None, median=None, max=None)
    return Statistics(mean=float(values.mean()), median=float(np.median(values)), max=float(values.max()))


def _table(
    explained: list[Explanation], tokens: list[list[str]], own: list[Faithfulness], random: list[Faithfulness]
) -> pa.Table:
    numbers = pa.list_(pa.float32())
    maps = pa.list_(numbers)
    parts = [e.attributions for e in explained]
    columns: dict[str, tuple[pa.DataType, list]] = {
        "idx": (pa.int64(), [e.idx for e in explained]),
        "label": (pa.float64(), [e.label for e in explained]),
        "tokens": (pa.list_(pa.string()), tokens),
        "special": (pa.list_(pa.bool_()), [e.example.special.tolist() for e in explained]),
        "logits": (numbers, [part.logits.tolist() for part in parts]),
        "contributions": (maps, [part.signed.tolist() for part in parts]),
        "magnitudes": (maps, [part.magnitudes.tolist() for part in parts]),
        "completeness_error": (numbers, [part.error.tolist() for part in parts]),
        "comprehensiveness": (pa.float64(), [measures.comprehensiveness for measures in own]),
        "sufficiency": (pa.float64(), [measures.sufficiency for measures in own]),
        "comprehensiveness_random": (pa.float64(), [measures.comprehensiveness for measures in random]),
        "sufficiency_random": (pa.float64(), [measures.sufficiency for measures in random]),
    }
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def _check(spec: ExplainSpec) -> None:
    for name in ("rows", "steps"):
        if getattr(spec, name) < 1:
            raise InputError(name, value=getattr(spec, name), allowed="an integer of at least 1")
    if not spec.bins:
        raise InputError("bins", value=[], allowed="a list of at least one share of the tokens, such as [0.2]")
    for place, share in enumerate(spec.bins):
        if not 0 < share <= 1:
            raise InputError(f"bins[{place}]", value=share, allowed="a share above 0 and at most 1")
