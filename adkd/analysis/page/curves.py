"""Learning curves: what every run recorded after every epoch, small enough to travel inside the page."""

from collections.abc import Mapping
from typing import Any

from adkd.analysis.figures import palette
from adkd.plan.grid import TEACHER, Grid, Run
from adkd.plan.reports import RunReport

Metrics = Mapping[Run, RunReport]
"""Every run of the grid and its report."""
SHAPES = {
    "o": "M-4.4 0A4.4 4.4 0 1 1 4.4 0A4.4 4.4 0 1 1-4.4 0Z",
    "s": "M-4-4H4V4H-4Z",
    "^": "M0-5.2L5 3.6H-5Z",
    "v": "M0 5.2L5-3.6H-5Z",
    "P": "M-1.6-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",
    "d": "M0-5.4L3.4 0L0 5.4L-3.4 0Z",
    "D": "M0-5.6L5.6 0L0 5.6L-5.6 0Z",
}
"""Marker, by Matplotlib's letter -> its SVG path around the origin."""
DASHES = ("", "6 3", "2 2.5", "8 3 2 3")


def looks(grid: Grid) -> dict[str, dict[str, str]]:
    """Method -> ``color``, ``dash`` and ``shape`` of its curves; methods with the same colour have different dashes."""
    looks = {TEACHER: palette.Look(palette.BLACK, "D")} | palette.looks(grid)
    return {
        method: {
            "color": f"var(--{palette.VARIABLES[look.color]})",
            "dash": DASHES[look.turn % len(DASHES)],
            "shape": SHAPES[look.marker],
        }
        for method, look in looks.items()
    }


def curves(grid: Grid, metrics: Metrics) -> dict[str, dict[str, Any]]:
    """Task -> method -> its curves, in the order of the grid.

    A method's curves are ``steps`` (phase and epoch, through all phases), ``seeds``, and one list per seed, as long as
    the steps: ``score`` (fraction; null in a phase without one), ``terms`` by name (unweighted; null where the phase
    has no such term) and ``kept``, the index of the selected step.
    """
    by_task: dict[str, dict[str, Any]] = {name: {} for name in grid.tasks}
    for run in metrics:
        history = metrics[run].history
        empty: dict[str, Any] = {"steps": [], "seeds": [], "score": [], "terms": {}, "kept": []}
        curve = by_task[run.task].setdefault(run.method, empty)
        if len(history) > len(curve["steps"]):
            curve["steps"] = [[record.phase, record.epoch] for record in history]
        curve["seeds"].append(run.seed)
        curve["score"].append([_short(record.score) for record in history])
        for name in sorted({name for record in history for name in record.terms}):
            curve["terms"].setdefault(name, []).append([_short(record.terms.get(name)) for record in history])
        curve["kept"].append(max(index for index, record in enumerate(history) if record.kept))
    return {name: by_method for name, by_method in by_task.items() if by_method}


def _short(value: float | None) -> float | None:
    """Five digits: more than a drawing can show."""
    return None if value is None else float(f"{value:.5g}")
