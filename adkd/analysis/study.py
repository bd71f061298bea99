"""The stage that ends a study: its tables, its figures, and its best settings as a config."""

from pathlib import Path

from adkd.analysis.figures import study as study_figures
from adkd.analysis.tables import table as layout
from adkd.base.errors import RunError
from adkd.base.files import write_json
from adkd.plan import tuned
from adkd.plan.specs import Spec
from adkd.sweeps.outcome import about, importances, outcomes, read, summary, trials_table
from adkd.sweeps.trials import COMPLETE


def write(spec: Spec, out: Path) -> None:
    """Write ``best.yaml``, ``trials.csv``, ``importance.csv``, ``sweep.json`` and ``figures/`` of a finished study.

    Args:
        spec: study (its definition), mode, trials, inputs (its trials, or its workers, whose storage is then read).
        out: ``ROOT/sweeps/METHOD/TASK``.

    Raises:
        InputError: trials are missing, still running, or belong to another study.
        RunError: no trial has a score. Nothing is written.
    """
    definition = spec["study"]
    trials = read(spec)
    scored = [trial for trial in trials if trial.state == COMPLETE]
    if not scored:
        raise RunError(f"no trial of {definition['method']} on {definition['task']} has a score: {outcomes(trials)}")
    winner = max(scored, key=lambda trial: trial.score)  # the first of equal ones
    table = trials_table(definition, trials)
    weights = importances(definition, trials)
    study_figures.write(definition, trials, weights, out / "figures")
    csv = {"index": False, "lineterminator": "\n"}
    found = {
        "trials.csv": table.to_csv(**csv),
        "importance.csv": weights.to_csv(**csv),
        "best.yaml": tuned.text(definition["method"], definition["task"], winner.values, about(spec, trials, winner)),
    }
    layout.write(out, found)
    write_json(out / "sweep.json", {"spec": spec, **summary(trials, winner)})
