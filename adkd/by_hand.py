"""One student or one study from its config without Snakemake, with the same specs and the same files."""

import sys

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from adkd.base import devices, locks
from adkd.base.errors import InputError
from adkd.base.keys import Keys
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.reports import RunReport, TrialReport
from adkd.plan.results import Results, refuse_another
from adkd.plan.specs import RoundSpec, StudySpec, TrialSpec, WorkerSpec
from adkd.plan.stages import STAGES
from adkd.plan.tuned import best_of
from adkd.runner import run, run_missing


def run_student(config: Keys, method: str, task: str, seed: int, results: Results) -> RunReport:
    """Compute one student and the results that it needs, unless they exist already; returns its report.

    Args:
        config: not yet validated; its methods, tasks, seeds and ablations are ignored.

    Raises:
        InputError, RunError: as ``run_missing``, or the config is invalid.
    """
    only = {"methods": [method], "tasks": [task], "seeds": [seed], "reference": method, "ablations": {}}
    chosen = validate(config | only)
    with locks.claimed(results.root):
        planned = plan.build(chosen, results)
        grid = planned.grid()
        if not grid.students:
            raise InputError(f"{method} does not apply to {task}: {grid.reason(method, task)}")
        (student,) = grid.students
        run_missing([planned.specs[name] for name in [*planned.needed(student.result), student.result]], results)
        return grid.report(student)


def run_study(config: Keys, method: str, task: str, trials: int | None, results: Results) -> str:
    """Carry out the trials of a study that do not exist yet; returns its best settings as text.

    Args:
        config: not yet validated; its methods, tasks, seeds and ablations are ignored.
        trials: the budget; that of the config if None.

    Raises:
        InputError: the config is invalid, the budget is spent, or there are trials of another study.
        RunError: a run failed, or no trial has a score.
    """
    only = {"methods": [method], "tasks": [task], "reference": method, "ablations": {}, "settings_from": "config"}
    if trials is not None:
        config = config.layered({"sweeps": {"trials": trials}})
    chosen = validate(config | only)
    with locks.claimed(results.root):
        return _study(plan.build(chosen, results), method, task)


def _study(planned: plan.Plan, method: str, task: str) -> str:
    """Carry out what is missing of the one study of a plan; returns its best settings as text."""
    results = planned.results
    if not planned.sweeps:
        raise InputError(f"{method} does not apply to {task}: {planned.grid().reason(method, task)}")
    (name,) = planned.sweeps
    spec = planned.specs[name]
    assert isinstance(spec, StudySpec)
    _refuse_another(spec, results)
    _refuse_spent(spec, results)
    run_missing([planned.specs[below] for below in planned.needed(name)], results)
    rounds = [planned_spec for planned_spec in planned.specs.values() if isinstance(planned_spec, RoundSpec)]
    workers = [planned_spec for planned_spec in planned.specs.values() if isinstance(planned_spec, WorkerSpec)]
    for own in (*rounds, *workers, spec):
        results.write_spec(own)
    if spec.mode == "workers":
        run(workers[0], results)
    else:
        _run_rounds(spec, rounds, results)
    run(spec, results)
    best = best_of(results, name)
    return f"{best.read_text(encoding='utf-8')}\nwrote {best}; trials.csv, importance.csv and figures/ lie beside it"


def _run_rounds(spec: StudySpec, rounds: list[RoundSpec], results: Results) -> None:
    """Carry out the trials that do not exist yet, round by round, one after the other on one device."""
    names = iter((spec.inputs.trial or {}).values())
    scores: list[float] = []
    with (
        devices.lease(next(iter(spec.study.trials.values())).device),
        logging_redirect_tqdm(),
        _bar(len(spec.inputs.trial or {})) as bar,
    ):
        for round_spec in rounds:
            run(round_spec, results)
            for _ in range(round_spec.batch * len(spec.study.trials)):
                if (name := next(names, None)) is None:
                    return
                trial = results.spec(name, TrialSpec)
                if not results.is_up_to_date(trial):
                    STAGES[trial.stage].work(trial, results)  # the device is leased already
                score = results.report(trial).score
                scores += [] if score is None else [score]
                bar.update()
                bar.set_postfix(best=max(scores, default="none"))


def _bar(total: int) -> tqdm:
    return tqdm(total=total, desc="trials and seeds", unit="run", disable=not sys.stderr.isatty())


def _refuse_another(spec: StudySpec, results: Results) -> None:
    """Raise if the directory has trials of another study."""
    out = results.directory(spec.result)
    remedy = f"restore the config, or move {out} away"
    if results.report_file(spec.result, spec.stage).is_file():
        refuse_another(str(out), results.stored(spec).spec.study, spec.study, remedy)
    for report in sorted(out.glob("round-*/trial-*/seed-*/trial.json")):
        stored = TrialReport.read(report, "snakemake sweep").spec
        if str(stored.seed) in spec.study.trials:
            values = spec.study.values_of(stored)
            planned = spec.study.trial(stored.result, stored.seed, values)
            refuse_another(str(report), stored, planned, remedy)


def _refuse_spent(spec: StudySpec, results: Results) -> None:
    """Raise if the budget is spent."""
    if not results.report_file(spec.result, spec.stage).is_file():
        return
    stored = results.stored(spec).spec
    if (stored.study, stored.mode) == (spec.study, spec.mode) and stored.trials >= spec.trials:
        raise InputError(
            f"the budget of {spec.trials} trials is spent: {results.directory(spec.result)} has {stored.trials}",
            remedy=f"set a larger one, such as --trials {stored.trials + spec.batch}",
        )
