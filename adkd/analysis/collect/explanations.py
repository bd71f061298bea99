"""Stored explanations of one model, and how much the reasons of two models for the same answers agree."""

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
"""What an explanation says of how faithful it is to its own model."""
TOP = 5
"""One token in so many is at the top."""

Measured = tuple[float, int]
"""A mean over examples, and how many they were; NaN of 0."""


@dataclass(frozen=True)
class Explanations:
    """What one model made of E examples, and why; of their L tokens just those that texts have."""

    idx: Array
    """[E]"""
    logits: Array
    """[E, C]"""
    contributions: list[Array]
    """E x [C, L]: what every token adds to every output, signed."""
    magnitudes: list[Array]
    """E x [C, L]"""
    faithfulness: dict[str, Array]
    """Name -> [E]; NaN where it has no meaning."""
    completeness_error: float | None
    """Median over examples and classes of |sum of contributions - change of the output| / |change|."""
    data_fingerprint: str

    @property
    def own(self) -> dict[str, Measured]:
        """How faithful the explanations are to the model itself, and how exact its integrals are."""
        error = nan if self.completeness_error is None else self.completeness_error
        means = {name: _mean(values) for name, values in self.faithfulness.items()}
        return means | {"completeness_error": (error, len(self.idx))}


def command(grid: Grid, run: Run) -> str:
    """What to type to explain a run."""
    return f"adkd explain {grid.results.plan_file(str(run.explanation))}"


def report_file(grid: Grid, run: Run) -> Path:
    """The report of a run's explanation, whether it is there or not."""
    return grid.results.report_file(str(run.explanation), "explain")


def spec_of(grid: Grid, run: Run) -> ExplainSpec:
    """The spec of a run's explanation.

    Raises:
        InputError: it is missing.
    """
    return grid.results.spec(str(run.explanation), ExplainSpec)


def stored(grid: Grid, run: Run, columns: Sequence[str] | None = None) -> tuple[ExplainReport, pa.Table]:
    """The report of a run's explanation and its examples, of which ``columns`` alone may be read.

    Raises:
        InputError: the explanation is missing, or another spec made it.
    """
    report = grid.results.report(spec_of(grid, run))
    file = grid.results.directory(str(run.explanation)) / "examples.parquet"
    # Threads and pandas take longer to start than these small files to read.
    return report, pq.ParquetFile(file).read(columns=columns, use_threads=False)


def read(grid: Grid, run: Run) -> Explanations:
    """The explanations of a run, which must be there.

    Raises:
        InputError: they were made with another spec than the plan's.
    """
    about, examples = stored(grid, run)
    table = examples.to_pydict()
    words = [~np.array(special) for special in table["special"]]

    def maps(name: str) -> list[Array]:
        return [np.array(values)[:, word] for values, word in zip(table[name], words, strict=True)]

    return Explanations(
        idx=np.array(table["idx"]),
        logits=np.array(table["logits"]),
        contributions=maps("contributions"),
        magnitudes=maps("magnitudes"),
        faithfulness={name: np.array(table[name], dtype=float) for name in FAITHFULNESS},
        completeness_error=about.completeness_error["relative"]["median"],
        data_fingerprint=about.data_fingerprint,
    )


def agreement(teacher: Explanations, student: Explanations) -> dict[str, Measured]:
    """How far a student gives the teacher's answers for the teacher's reasons; measure -> mean over examples.

    Both are asked for their reasons for the teacher's answer. An example counts where it has two tokens or more and
    both maps differ between tokens. The answers themselves are compared on all examples: the share of equal classes, or
    Pearson's correlation of the values.

    Args:
        teacher, student: explanations of the same examples.
    """
    regression = teacher.logits.shape[1] == 1
    answers = teacher.logits.argmax(-1)
    rank, magnitude, overlap, chance = [], [], [], []
    for number, answer in enumerate(answers):
        a, b = (each.contributions[number][answer] for each in (teacher, student))
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
    """Spearman's correlation of two maps ``[L]``; NaN below two tokens or where one map is the same everywhere."""
    return float(spearmanr(a, b).statistic) if _differ(a) and _differ(b) else nan


def top_overlap(a: Array, b: Array) -> float:
    """Share of the ``top_size`` largest of ``a [L]`` that are among as many largest of ``b [L]``."""
    first, second = (set(np.argsort(-values, kind="stable")[: top_size(len(a))]) for values in (a, b))
    return len(first & second) / len(first)


def top_size(length: int) -> int:
    """A fifth of the tokens, rounded up; if both fifths are random, they share ``top_size / L`` of it on average."""
    return -(-length // TOP)


def _differ(values: Array) -> bool:
    return len(values) > 1 and np.ptp(values) > 0


def _same_values(teacher: Explanations, student: Explanations) -> Measured:
    a, b = teacher.logits[:, 0], student.logits[:, 0]
    return (float(np.corrcoef(a, b)[0, 1]), len(a)) if _differ(a) and _differ(b) else (nan, 0)


def _mean(values: Array | list[float]) -> Measured:
    found = np.asarray(values, dtype=float)
    found = found[~np.isnan(found)]
    return (float(found.mean()), len(found)) if len(found) else (nan, 0)
