"""Learning curves: what every run recorded after every epoch, small enough to travel inside the page."""

from collections.abc import Mapping
from typing import Any

from adkd.analysis.grid import Grid, Run
from adkd.plan.reports import RunReport

Metrics = Mapping[Run, RunReport]
"""Every run of the grid and its report."""


def curves(grid: Grid, metrics: Metrics) -> dict[str, dict[str, Any]]:
    """Task -> method -> its curves, in the order of the grid.

    A method's curves are ``steps`` (phase and epoch, through all phases), ``seeds``, and one list per seed, as long as
    the steps: ``score`` (fraction; null in a phase without one), ``terms`` by name (unweighted; null where the phase
    has no such term) and ``kept``, the index of the selected step.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in grid.tasks}
    for run in grid.runs:
        history = metrics[run].history
        one = found[run.task].setdefault(run.method, {"steps": [], "seeds": [], "score": [], "terms": {}, "kept": []})
        if len(history) > len(one["steps"]):
            one["steps"] = [[record.phase, record.epoch] for record in history]
        one["seeds"].append(run.seed)
        one["score"].append([_short(record.score) for record in history])
        for name in sorted({name for record in history for name in record.terms}):
            one["terms"].setdefault(name, []).append([_short(record.terms.get(name)) for record in history])
        one["kept"].append(max(index for index, record in enumerate(history) if record.kept))
    return {name: by_method for name, by_method in found.items() if by_method}


def _short(value: float | None) -> float | None:
    """Five digits: more than a drawing can show."""
    return None if value is None else float(f"{value:.5g}")
