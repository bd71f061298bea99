"""Reports: what a stage wrote about its result. Written and read through these classes alone."""

from typing import Any

from adkd.base.records import Record
from adkd.base.stage_records import Report
from adkd.data.spec import DataReport
from adkd.fetch.origins import Origin
from adkd.plan.specs import (
    ExplainSpec,
    LatencySpec,
    SignalSpec,
    StudentSpec,
    StudySpec,
    TeacherSpec,
    TrialSpec,
    WorkerSpec,
)

__all__ = ["DataReport"]

Scores = dict[str, dict[str, float | None]]
"""Split -> metric -> value, as a fraction; None where it is undefined."""


class Provenance(Record):
    """The process and the machine that made a result."""

    device: str
    cuda_visible_devices: str | None
    platform: str
    python: str
    prefix: str
    versions: dict[str, str]
    """Package -> version."""
    git_commit: str | None
    """Of the suite, with ``+`` if files differed from it; None outside of git."""
    peak_memory_bytes: int
    """Of the GPU, or of the process on a CPU."""


class Epoch(Record):
    """What an epoch of training gave."""

    phase: str
    epoch: int
    """From 1, in its phase."""
    terms: dict[str, float]
    """Mean of every unweighted loss term."""
    score: float | None
    """Mean main metric on the splits that are watched; None in a phase that selects no epoch."""
    seconds: float
    kept: bool


class Training(Record):
    """How a model was trained."""

    history: tuple[Epoch, ...]
    selection: Epoch | None
    """The epoch that was kept; None where training diverged."""
    seconds: float
    started: float
    """Seconds since 1970."""
    finished: float
    origin: Origin | None = None
    """The files of weights that the model started from; None where training diverged."""


class RunReport(Report[TeacherSpec | StudentSpec], Training, Provenance):
    """``metrics.json`` of a teacher or a student."""

    scores: Scores
    train_rows: int
    data_fingerprint: str
    parameters: int
    flops: int
    """Operations of all training steps, a multiplication and an addition counted as two."""


class TrialReport(Report[TrialSpec], Training, Provenance):
    """``trial.json``."""

    score: float | None
    """On the held-out part of train, as a fraction; None where training diverged."""
    diverged: str | None
    """Where and how."""
    train_rows: int | None = None
    data_fingerprint: str | None = None


class Shard(Record):
    """One file of a signal."""

    file: str
    rows: int


class SignalReport(Report[SignalSpec]):
    """``signals.json``."""

    shards: tuple[Shard, ...]
    data_fingerprint: str


class Statistics(Record):
    """Of one number over many; None where it is defined for none of them."""

    mean: float | None
    median: float | None
    max: float | None


class CompletenessError(Record):
    """How far the attributions of an output are from the change of that output, over examples and classes."""

    absolute: Statistics
    relative: Statistics
    """As a share of the change, where there is one."""


class ExplainReport(Report[ExplainSpec], Provenance):
    """``explanation.json``."""

    rows: int
    completeness_error: CompletenessError
    seconds: float
    data_fingerprint: str


class Latency(Record):
    """Seconds of a forward pass at one batch size."""

    median: float
    low: float
    """First quartile."""
    high: float
    """Third quartile."""
    batches: int
    tokens: float
    """Mean padded length."""


class LatencyReport(Report[LatencySpec], Provenance):
    """``latency.json``."""

    latency: dict[str, Latency]
    """By batch size."""
    parameters: int
    data_fingerprint: str


class WorkerReport(Report[WorkerSpec]):
    """``worker.json``."""

    trials: tuple[int, ...]
    """Numbers of the trials that it ran."""
    seconds: float


class BestTrial(Record):
    """The trial that a study ends with."""

    number: int
    score: float
    values: dict[str, Any]
    """Setting -> value."""


class StudyReport(Report[StudySpec]):
    """``sweep.json``."""

    counts: dict[str, int]
    """State -> number of trials."""
    seconds: float
    """Of all trials, added up."""
    scores: tuple[float, ...]
    best: BestTrial
