"""The stages of the workflow, in ONE table: verb, rule, code, report file and need of a device follow from it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One step of the workflow. Its name is that of its verb and its rule as well."""

    name: str
    help: str
    module: str
    """Where the function that carries it out lies; the fingerprint of its code starts there."""
    function: str
    report: str | None = None
    """File that its result has once it is complete; None for a stage that makes other files."""
    needs_device: bool = False
    per_method: bool = False
    """Whether its code includes the file of the method that it runs."""
    files: tuple[str, ...] = ()
    """What it reads that is neither code nor a result, beside its module."""

    @cached_property
    def work(self) -> Callable[..., Any]:
        """The function that carries it out; its module is imported, and torch with it where the stage needs it."""
        return getattr(import_module(self.module), self.function)


_TRAINING, _SWEEPS, _ANALYSIS = "adkd.training", "adkd.sweeps", "adkd.analysis"
_MODEL: dict[str, Any] = {"needs_device": True}
_METHOD: dict[str, Any] = {"needs_device": True, "per_method": True}

RESULTS = (
    Stage("data", "Load, check and tokenise one task.", "adkd.data.prepare", "prepare", "data.json"),
    Stage("teacher", "Train one teacher.", f"{_TRAINING}.teacher", "train", "metrics.json", **_MODEL),
    Stage("signals", "Compute one signal of one teacher.", f"{_TRAINING}.signals", "compute", "signals.json", **_MODEL),
    Stage("student", "Train one student.", f"{_TRAINING}.student", "train", "metrics.json", **_METHOD),
    Stage(
        "explain",
        "Explain one model's answers on dev examples.",
        "adkd.evaluation.explain",
        "explain",
        "explanation.json",
        **_MODEL,
    ),
    Stage(
        "latency",
        "Measure how long one model takes to answer.",
        "adkd.evaluation.latency",
        "measure",
        "latency.json",
        **_MODEL,
    ),
    Stage("round", "Write the specs of the trials of one round.", f"{_SWEEPS}.ask", "ask"),
    Stage("trial", "Run one trial with one seed.", f"{_TRAINING}.trial", "run", "trial.json", **_METHOD),
    Stage(
        "worker",
        "Run trials beside other workers until the budget is spent.",
        f"{_SWEEPS}.worker",
        "work",
        "worker.json",
        **_METHOD,
    ),
    Stage("study", "Write the outcome of a study from its trials.", f"{_ANALYSIS}.study", "write", "sweep.json"),
)
"""Stages that make a result from its spec, in the order of making."""

ANALYSES = (
    Stage("scores", "Collect the scores of every planned run.", f"{_ANALYSIS}.collect.scores", "collect"),
    Stage(
        "tables",
        "Write the main table and the significance tables.",
        f"{_ANALYSIS}.tables.stage",
        "write",
        files=("published_results.csv", "published_settings.yaml"),
    ),
    Stage("figures", "Draw scores and differences.", f"{_ANALYSIS}.figures.stage", "write"),
    Stage("curve", "Draw the figure of an ablation.", f"{_ANALYSIS}.figures.curve", "write"),
    Stage("fidelity", "Compare students' attributions with their teachers'.", f"{_ANALYSIS}.figures.fidelity", "write"),
    Stage("cost", "Write what every method costs.", f"{_ANALYSIS}.figures.cost", "write"),
    Stage("tuning", "Write what sweeps cost and what they brought.", f"{_ANALYSIS}.figures.tuning", "write"),
    Stage(
        "report",
        "Write the results page.",
        f"{_ANALYSIS}.page.page",
        "write",
        files=("page.html", "style.css", "page.js"),
    ),
)
"""Stages that make tables, figures and the page of a grid."""

STAGES = {stage.name: stage for stage in (*RESULTS, *ANALYSES)}
