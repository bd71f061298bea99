"""A worker, which takes trials from a shared storage until the budget of the study is spent.

The points that are tried and the trials that are pruned depend on the time at which every worker finishes a trial, so
this mode is fast and not reproducible. The score of a trial with given settings is reproducible.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from adkd.plan.reports import TrialReport, WorkerReport
from adkd.plan.results import Results
from adkd.plan.specs import WorkerSpec
from adkd.sweeps.storage import HEARTBEAT, WITHDRAWN, is_surplus, open_slots, opened, reap, slots
from adkd.sweeps.trials import distributions, sampler
from adkd.training.trial import measured

log = logging.getLogger(__name__)


def work(spec: WorkerSpec, results: Results) -> None:
    """The stage: carry out trials until all trials of the study are finished, then write ``worker.json``.

    A worker stays while others are running, so that it can retry the trial of a worker that dies.

    Raises:
        InputError: the storage cannot be used, or belongs to another study.
    """
    began, done = time.perf_counter(), []
    study = opened(spec, results)
    started = len(study.get_trials(deepcopy=False))
    # The seed differs after a restart: with the same seed, the worker would ask for the same points again.
    study.sampler = sampler(spec.study, "worker", spec.number, started)
    study.pruner = pruner(spec)
    while (trial := taken(study, spec)) or is_unfinished(study):
        if not trial:
            time.sleep(min(spec.heartbeat, 5.0))
            continue
        carry_out(study, trial, spec, results)
        done.append(trial.number)
        log.info("%d of %d trials started", len(slots(study.get_trials(deepcopy=False))), spec.trials)
    log.info("the budget of %d trials is spent; this worker carried out %d", spec.trials, len(done))
    report = WorkerReport(spec=spec, trials=tuple(done), seconds=time.perf_counter() - began)
    report.write(results.report_file(spec.result, spec.stage))


def pruner(spec: WorkerSpec) -> optuna.pruners.BasePruner:
    """The rule that ends trials early."""
    if spec.pruner == "none":
        return optuna.pruners.NopPruner()
    if spec.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=spec.study.startup)
    definition = spec.study
    fixed = next(iter(definition.trials.values())).training.epochs
    longest = max(definition.space["epochs"].extremes) if "epochs" in definition.space else fixed
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=longest)


def taken(study: optuna.Study, spec: WorkerSpec) -> optuna.Trial | None:
    """A trial to carry out: one that waits for a retry, or else a new one; None if the budget is spent."""
    for number in reap(study, spec.heartbeat):
        log.info("trial %d: its worker has missed its heartbeats; the trial is marked as failed and retried", number)
    trials = study.get_trials(deepcopy=False)
    waiting = any(trial.state == TrialState.WAITING for trial in trials)
    if not waiting and len(slots(trials)) >= spec.trials:
        return None
    trial = study.ask(distributions(spec.study.space))
    trial.set_user_attr(HEARTBEAT, time.time())
    if not is_surplus(trial._get_latest_trial(), study.get_trials(deepcopy=False), spec.trials):
        return trial
    trial.set_user_attr(WITHDRAWN, True)
    study.tell(trial, state=TrialState.FAIL)
    return None


def is_unfinished(study: optuna.Study) -> bool:
    """Whether a trial is running, is waiting or has to be retried."""
    trials = study.get_trials(deepcopy=False)
    return not all(trial.state.is_finished() for trial in trials) or any(open_slots(trials))


def carry_out(study: optuna.Study, trial: optuna.Trial, spec: WorkerSpec, results: Results) -> None:
    """Train and score one trial with all its seeds, and report the result to the study; an exception fails it."""
    log.info("trial %d: %s", trial.number, ", ".join(f"{key} {value}" for key, value in trial.params.items()))
    began = time.perf_counter()
    with heartbeats(trial, spec.heartbeat):
        try:
            score, state = _score(trial, spec, results)
            trial.set_user_attr("seconds", time.perf_counter() - began)
        except UpdateFinishedTrialError:
            log.warning("trial %d: another worker has marked it as failed; its result is discarded", trial.number)
            return
        except BaseException:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        study.tell(trial, score, state=state, skip_if_finished=True)


@contextmanager
def heartbeats(trial: optuna.Trial, every: float) -> Iterator[None]:
    """Within the block, record a heartbeat of the trial every ``every`` seconds."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(every):
            try:
                trial.set_user_attr(HEARTBEAT, time.time())
            except Exception as error:
                log.warning("cannot record a heartbeat: %s", error)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _score(trial: optuna.Trial, spec: WorkerSpec, results: Results) -> tuple[float | None, TrialState]:
    """The mean score over seeds. Only epochs of the first seed are reported to the pruner, so that trials compare."""
    scores: dict[str, float] = {}
    epochs = 0

    def after_epoch(score: float) -> None:
        nonlocal epochs
        epochs += 1
        trial.report(score, epochs)
        # Pruning after the last epoch of the only seed would save nothing.
        if trial.should_prune() and not (len(seeds) == 1 and epochs == trial_spec.training.epochs):
            raise optuna.TrialPruned

    seeds = list(spec.study.trials)
    for number, seed in enumerate(seeds):
        trial_spec = spec.study.trial(spec.study.trials[seed].result, seed, trial.params)
        try:
            report = measured(trial_spec, results, *([] if number else [after_epoch]))
        except optuna.TrialPruned:
            log.info("trial %d: pruned", trial.number)
            return None, TrialState.PRUNED
        trial.set_user_attr("provenance", _provenance(report))
        if report.score is None:
            trial.set_user_attr("diverged", report.diverged)
            return None, TrialState.PRUNED
        scores[seed] = report.score
        trial.set_user_attr("scores", scores)
    mean = sum(scores.values()) / len(scores)
    log.info("trial %d: held-out score %.4f", trial.number, mean)
    return mean, TrialState.COMPLETE


def _provenance(report: TrialReport) -> dict[str, Any]:
    keys = {"device", "platform", "python", "versions", "git_commit", "finished"}
    return report.model_dump(mode="json", include=keys)
