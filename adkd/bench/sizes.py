"""How much the benchmark measures: the only place that holds its sizes, so that a test can run all of it small."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adkd.fetch.checkpoints import Shape


@dataclass(frozen=True)
class Models:
    """The sizes of the two encoders of a training step."""

    teacher: Shape
    student: Shape


RUN: dict[str, Any] = {
    "teacher": {"model": "minilm_l6", "batch_size": 8, "epochs": 4, "learning_rate": 1.5e-4, "margin": 0.0},
    "student": {"from_teacher_layers": [0, 1, 4]},
    "data": {"train_rows": 480},
    "tasks": ["sst2", "mrpc", "rte"],
    "methods": ["adkd"],
    "seeds": [1, 2, 3],
    "reference": "adkd",
    "selection": "last",
    "predict": [],
    "device": "cpu",
    "settings": {"training": {"all": {"batch_size": 8, "epochs": 2, "learning_rate": 2e-4}}},
}
"""A config of whole runs that take minutes: the embedded encoder of 6 x 384, students of 3 x 384."""


@dataclass(frozen=True)
class Sizes:
    """The size of every part of the benchmark. The defaults are those of ``make bench``."""

    small: Models = Models(Shape(6, 384, 12), Shape(3, 384, 12))
    large: Models = Models(Shape(12, 768, 12), Shape(6, 768, 12))
    examples: int = 3200
    """Random examples that the batches of a task are drawn from: a hundred steps of 32."""
    rounds: int = 7
    """How often every step is timed, after one round that does not count."""
    matrix: Mapping[str, int] = field(default_factory=lambda: {"cpu": 2048, "cuda": 8192})
    """Device -> size of the two square matrices whose product shows how fast the device is."""
    lengths: tuple[int, ...] = (16, 32, 64, 128)
    """Tokens per example of the batches that show how a step grows."""
    stretches: tuple[int, ...] = (4, 8, 16)
    """Steps of the parts of an epoch that show how training grows with the number of examples."""

    shared: tuple[str, ...] = ("mrpc", "sst2", "mnli")
    """Tasks whose training jobs share a GPU."""
    sharing: tuple[int, ...] = (1, 2, 4, 8)
    """Numbers of jobs that share a GPU."""
    window: float = 1.5
    """Seconds for which they take steps."""

    grids: tuple[int, ...] = (100, 2_400, 20_000)
    """About how many students the grids have whose start-up is timed."""
    limit: float = 600.0
    """Seconds after which the wait for a first job ends."""
    job: tuple[str, str] = ("adkd", "mnli")
    """Method and task of the process that is timed as a whole, with ``tiny_bert``."""
    jobs: int = 7
    """How often it is timed, after one process that does not count."""
    collected: int = 2_400
    """About how many finished students are collected."""
    collections: int = 3
    """How often every command of the collection is timed."""
    tasks: tuple[str, ...] = ()
    """Tasks of the grids that are started and collected; empty for every task."""

    run: Mapping[str, Any] = field(default_factory=lambda: RUN)
    """The config of whole runs."""
