"""The finished studies of a grid whose methods have tuned settings."""

from collections.abc import Mapping
from pathlib import Path

from adkd.base.errors import missing
from adkd.plan.grid import Grid
from adkd.plan.reports import StudyReport
from adkd.plan.specs import StudySpec

COMMAND = "snakemake sweep"


def searched(study: StudyReport) -> list[str]:
    """The settings that had more than one value to choose from."""
    space = study.spec.study.space
    return [key for key, entry in space.items() if len(set(entry.extremes)) > 1]


def selection(study: StudyReport) -> str:
    """In words: how the points of a study were chosen, and how the best of them was selected."""
    definition = study.spec.study
    samplers = {"tpe": f"TPE, {definition.startup} at random first", "random": "at random"}
    points = "a shuffled grid" if definition.variant == "grid" else samplers[definition.sampler]
    seeds = f"seed{'s' * (len(definition.trials) > 1)} {', '.join(definition.trials)}"
    return f"best held-out score, mean over {seeds}; points: {points}; mode: {study.spec.mode}"


def studies_of(grid: Grid) -> dict[tuple[str, str], StudyReport]:
    """(method, task) -> its study, for every pair of the grid that is not skipped.

    Raises:
        InputError: a report is missing, or another spec made it.
    """
    pairs = [(method, task) for method in grid.methods for task in grid.tasks]
    return {pair: _read(grid, *pair) for pair in pairs if pair[1] not in grid.skipped.get(pair[0], {})}


def report_files(grid: Grid, studies: Mapping[tuple[str, str], StudyReport]) -> list[Path]:
    """The files of the reports of some studies."""
    return [grid.results.report_file(study.spec.result, study.spec.stage) for study in studies.values()]


def _read(grid: Grid, method: str, task: str) -> StudyReport:
    spec = grid.results.spec(f"sweeps/{method}/{task}", StudySpec)
    file = grid.results.report_file(spec.result, spec.stage)
    if not file.is_file():
        raise missing(file, COMMAND)
    return grid.results.report(spec)
