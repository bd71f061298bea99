"""The finished studies of a grid whose methods have tuned settings."""

from dataclasses import dataclass
from typing import Any

from adkd.analysis.grid import Grid
from adkd.base.errors import missing
from adkd.base.files import read_json
from adkd.base.stale import refuse_stale

COMMAND = "snakemake sweep"


@dataclass(frozen=True)
class Study:
    """A finished study of one method on one task."""

    report: dict[str, Any]
    """Its ``sweep.json``."""

    @property
    def spec(self) -> dict[str, Any]:
        return self.report["spec"]

    @property
    def searched(self) -> list[str]:
        """The settings that had more than one value to choose from."""
        space = self.spec["study"]["space"]
        return [key for key, entry in space.items() if entry["type"] != "choice" or len(entry["choices"]) > 1]

    @property
    def selection(self) -> str:
        """In words: how its points were chosen, and how the best of them was selected."""
        study, mode = self.spec["study"], self.spec["mode"]
        samplers = {"tpe": f"TPE, {study['startup']} at random first", "random": "at random"}
        points = "a shuffled grid" if study["variant"] == "grid" else samplers[study["sampler"]]
        seeds = f"seed{'s' * (len(study['trials']) > 1)} {', '.join(study['trials'])}"
        return f"best held-out score, mean over {seeds}; points: {points}; mode: {mode}"


def studies_of(grid: Grid) -> dict[tuple[str, str], Study]:
    """(method, task) -> its study, for every pair of the grid that is not skipped.

    Raises:
        InputError: a report is missing or was made with another spec than the plan's.
    """
    pairs = [(method, task) for method in grid.methods for task in grid.tasks]
    return {pair: _read(grid, *pair) for pair in pairs if pair not in grid.skipped}


def _read(grid: Grid, method: str, task: str) -> Study:
    name = f"sweeps/{method}/{task}"
    path, spec = grid.plan.parent / name / "sweep.json", grid.plan / f"{name}.json"
    if not path.is_file():
        raise missing(path, COMMAND)
    report = read_json(path)
    refuse_stale(path, report.get("spec"), read_json(spec), COMMAND)
    return Study(report)
