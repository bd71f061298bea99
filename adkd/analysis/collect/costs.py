"""What every method of a grid costs: its training runs, and the speed of models of its architecture."""

from pathlib import Path

import pandas as pd

from adkd.analysis.collect.scores import COSTS, finished_runs
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import remarks
from adkd.analysis.stats.over_seeds import defined_scores
from adkd.base.errors import InputError
from adkd.plan.grid import TEACHER, Grid
from adkd.plan.reports import Latency
from adkd.plan.specs import LatencySpec

COLUMNS = ["method", "task", "metric", "mean", "sd", "n", *COSTS, "latency_1", "latency_32", "measured", "note"]


def costs(grid: Grid, scores: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method and task, on the first split of a task; the teacher first.

    Fractions, seconds, bytes and counts: means over seeds; latencies are medians over batches.

    Raises:
        InputError: a latency is missing, or was measured with another spec than the plan's.
    """
    rows = []
    measured = latencies(grid)
    for column in (column for column in grid.columns(grid.roles[0]) if column.averaged):
        task = column.task.name
        for method in (TEACHER, *grid.methods):
            values = defined_scores(scores, method, column)
            if values.empty and not remarks(scores, method, column):
                continue
            of_method = scores[(scores["method"] == method) & (scores["task"] == task)]
            per_run = of_method.drop_duplicates("seed")[list(COSTS)].mean()
            mean, sd, n = over_seeds.mean_and_sd(values.to_numpy())
            latency, model = measured[method, task]
            medians = (latency["1"].median, latency["32"].median)
            note = remarks(scores, method, column) or None
            rows.append((method, task, column.metric, mean, sd, n, *per_run, *medians, model, note))
    return pd.DataFrame(rows, columns=COLUMNS)


def latencies(grid: Grid) -> dict[tuple[str, str], tuple[dict[str, Latency], str]]:
    """(method, task) -> the latencies of a model of its architecture, and which model was timed.

    Raises:
        InputError: a latency is missing, or was measured with another spec than the plan's.
    """
    results = grid.results
    measured = {name: results.report(results.spec(name, LatencySpec)) for name in _latencies(grid)}
    for name, report in measured.items():
        if missing_sizes := {"1", "32"} - report.latency.keys():
            file = results.report_file(name, report.spec.stage)
            remedy = f"rebuild it with: {results.command(name, report.spec.stage)}"
            raise InputError(f"{file} has no latency of a batch of {min(missing_sizes)}", remedy=remedy)
    return {
        (run.method, run.task): (measured[run.latency].latency, measured[run.latency].spec.inputs.model)
        for run in grid.runs
    }


def latency_files(grid: Grid) -> list[Path]:
    """The reports of the latencies of a grid."""
    return [grid.results.report_file(name, "latency") for name in _latencies(grid)]


def _latencies(grid: Grid) -> list[str]:
    """The name of every latency of a grid, once."""
    return list(dict.fromkeys(run.latency for run in grid.runs))


def machines(grid: Grid) -> list[str]:
    """The machines that the runs were trained on, in words, each once."""
    reports = map(grid.report, finished_runs(grid))
    return sorted({f"{r.device}, {r.spec.threads} thread(s), torch {r.versions['torch']}" for r in reports})
