"""Stored explanations of one model, and the agreement of the attributions of two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from adkd.analysis.stats.over_seeds import Array
from adkd.plan.grid import Grid, Run
from adkd.plan.reports import ExplainReport
from adkd.plan.specs import ExplainSpec

FAITHFULNESS = ("comprehensiveness", "comprehensiveness_random", "sufficiency", "sufficiency_random")
"""Measures of how faithful an explanation is to its own model."""
TOP = 5
"""The "top" is one fifth of the tokens."""

Measured = tuple[float, int]
"""A mean over examples, and the number of examples; (NaN, 0) without any."""


@dataclass(frozen=True)
class Explanations:
    """The predictions and attributions of one model for E examples of L tokens, without special tokens."""

    idx: Array
    """[E]"""
    logits: Array
    """[E, C]"""
    signed: list[Array]
    """E x [C, L]: the sum of a token's attributions."""
    magnitudes: list[Array]
    """E x [C, L]: the L2 norm of a token's attributions."""
    faithfulness: dict[str, Array]
    """Name -> [E]; NaN where it is undefined."""
    completeness_error: float | None
    """Median over examples and classes of |sum of attributions - change of the output| / |change|."""
    data_fingerprint: str

    @property
    def own(self) -> dict[str, Measured]:
        """How faithful the explanations are to the model itself, and how exact its integrals are."""
        error = nan if self.completeness_error is None else self.completeness_error
        means = {name: _mean(values) for name, values in self.faithfulness.items()}
        return means | {"completeness_error": (error, len(self.idx))}


def command(grid: Grid, run: Run) -> str:
    """The command that explains a run."""
    return grid.results.command(str(run.explanation), "explain")


def report_file(grid: Grid, run: Run) -> Path:
    """The file of the report of a run's explanation, whether it exists or not."""
    return grid.results.report_file(str(run.explanation), "explain")


def spec_of(grid: Grid, run: Run) -> ExplainSpec:
    """The spec of a run's explanation.

    Raises:
        InputError: it is missing.
    """
    return grid.results.spec(str(run.explanation), ExplainSpec)


def stored(grid: Grid, run: Run, columns: Sequence[str] | None = None) -> tuple[ExplainReport, pa.Table]:
    """The report of a run's explanation and its examples.

    Args:
        columns: the columns of the examples to read; None for all.

    Raises:
        InputError: the explanation is missing or damaged, or another spec made it.
    """
    report = grid.results.report(spec_of(grid, run))
    file = report.file(grid.results.directory(str(run.explanation)), "examples.parquet")
    # Threads and pandas take longer to start than these small files to read.
    return report, pq.ParquetFile(file).read(columns=columns, use_threads=False)


def read(grid: Grid, run: Run) -> Explanations:
    """The explanations of a run.

    Raises:
        InputError: as for ``stored``.
    """
    about, examples = stored(grid, run)
    table = examples.to_pydict()
    words = [~np.array(special) for special in table["special"]]

    def maps(name: str) -> list[Array]:
        return [np.array(values)[:, word] for values, word in zip(table[name], words, strict=True)]

    return Explanations(
        idx=np.array(table["idx"]),
        logits=np.array(table["logits"]),
        signed=maps("contributions"),
        magnitudes=maps("magnitudes"),
        faithfulness={name: np.array(table[name], dtype=float) for name in FAITHFULNESS},
        completeness_error=about.completeness_error.relative.median,
        data_fingerprint=about.data_fingerprint,
    )


def agreement(teacher: Explanations, student: Explanations) -> dict[str, Measured]:
    """How closely a student reproduces the teacher's attributions and predictions; measure -> mean over examples.

    Attributions of both models are those to the teacher's prediction. An example counts if it has at least two tokens
    and neither map is constant. Predictions are compared on all examples: by the share of equal classes, or by
    Pearson's correlation of the values.

    Args:
        teacher, student: explanations of the same examples.
    """
    regression = teacher.logits.shape[1] == 1
    answers = teacher.logits.argmax(-1)
    rank, magnitude, overlap, chance = [], [], [], []
    for number, answer in enumerate(answers):
        a, b = (each.signed[number][answer] for each in (teacher, student))
        rank.append(rank_correlation(a, b))
        if _differ(a) and _differ(b):
            of_size = np.abs if regression else np.asarray
            overlap.append(top_overlap(of_size(a), of_size(b)))
            chance.append(top_size(len(a)) / len(a))
        magnitude.append(rank_correlation(*(each.magnitudes[number][answer] for each in (teacher, student))))
    return {
        "rank_correlation": _mean(rank),
        "magnitude_correlation": _mean(magnitude),
        "top_k_overlap": _mean(overlap),
        "top_k_overlap_chance": _mean(chance),
        "agreement": _same_values(teacher, student) if regression else _mean(answers == student.logits.argmax(-1)),
    }


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's correlation of two maps ``[L]``; NaN below two tokens or if a map is constant."""
    return float(spearmanr(a, b).statistic) if _differ(a) and _differ(b) else nan


def top_overlap(a: Array, b: Array) -> float:
    """The share of the ``top_size`` largest values of ``a [L]`` that are also among those of ``b [L]``."""
    first, second = (set(np.argsort(-values, kind="stable")[: top_size(len(a))]) for values in (a, b))
    return len(first & second) / len(first)


def top_size(length: int) -> int:
    """A fifth of the tokens, rounded up. Two random choices of this size overlap by ``top_size / L`` on average."""
    return -(-length // TOP)


def _differ(values: Array) -> bool:
    return len(values) > 1 and bool(np.ptp(values) > 0)


def _same_values(teacher: Explanations, student: Explanations) -> Measured:
    a, b = teacher.logits[:, 0], student.logits[:, 0]
    return (float(np.corrcoef(a, b)[0, 1]), len(a)) if _differ(a) and _differ(b) else (nan, 0)


def _mean(values: Array | list[float]) -> Measured:
    defined = np.asarray(values, dtype=float)
    defined = defined[~np.isnan(defined)]
    return (float(defined.mean()), len(defined)) if len(defined) else (nan, 0)
