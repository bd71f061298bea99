"""The stage that ends a study: its tables, its figures, and its best settings as a config."""

from adkd.analysis.figures import study as study_figures
from adkd.analysis.tables.table import write as write_texts
from adkd.analysis.tables.text import csv
from adkd.base.errors import RunError
from adkd.base.stage_records import stored_file
from adkd.plan import tuned
from adkd.plan.reports import StudyReport
from adkd.plan.results import Results
from adkd.plan.specs import StudySpec
from adkd.sweeps.outcome import about, importances, outcomes, read, summary, trials_table
from adkd.sweeps.trials import COMPLETE


def write(spec: StudySpec, results: Results) -> None:
    """Write ``best.yaml``, ``trials.csv``, ``importance.csv``, ``sweep.json`` and ``figures/`` of a finished study.

    Raises:
        InputError: trials are missing, still running, or belong to another study.
        RunError: no trial has a score. Nothing is written.
    """
    definition, out = spec.study, results.directory(spec.result)
    trials = read(spec, results)
    scored = [trial for trial in trials if trial.state == COMPLETE]
    if not scored:
        raise RunError(f"no trial of {definition.method} on {definition.task} has a score: {outcomes(trials)}")
    winner = max(scored, key=lambda trial: trial.score or 0.0)  # the first of equal ones
    table = trials_table(definition, trials)
    weights = importances(definition, trials)
    study_figures.write(definition, trials, weights, out / "figures")
    files = {
        "trials.csv": csv(table),
        "importance.csv": csv(weights),
        "best.yaml": tuned.text(definition.method, definition.task, winner.values, about(spec, trials, winner)),
    }
    write_texts(out, files)
    written = {name: stored_file(out / name) for name in files}
    report = StudyReport(spec=spec, files=written, **summary(trials, winner))
    report.write(results.report_file(spec.result, spec.stage))
