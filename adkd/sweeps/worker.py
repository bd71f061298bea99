"""A worker: takes trials from the storage that it shares with others, until the budget of the study is spent.

Which points are tried, and which trials are pruned, depends on when each worker ends a trial: this is the fast way, not
the reproducible one. What a trial scores does not depend on it.
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
from adkd.plan.space import extremes
from adkd.plan.specs import WorkerSpec
from adkd.sweeps.storage import HEARTBEAT, WITHDRAWN, is_surplus, open_slots, opened, reap, slots
from adkd.sweeps.trials import distributions, sampler
from adkd.training.trial import measured

log = logging.getLogger(__name__)


def work(spec: WorkerSpec, results: Results) -> None:
    """Carry out trials until none is left to do or to wait for, then write ``worker.json``.

    A worker stays while others are at work, so that somebody is there to try again what a dead one has left.

    Raises:
        InputError: the storage cannot be used, or belongs to another study.
    """
    began, done = time.perf_counter(), []
    study = opened(spec, results)
    there = len(study.get_trials(deepcopy=False))
    # Another seed after every start: with the same one a worker that goes on would ask for the same points again.
    study.sampler = sampler(spec.study, "worker", spec.number, there)
    study.pruner = pruner(spec)
    while (trial := taken(study, spec)) or is_unfinished(study):
        if not trial:
            time.sleep(min(spec.heartbeat, 5.0))
            continue
        carry_out(study, trial, spec, results)
        done.append(trial.number)
        log.info("%d of %d trials asked for", len(slots(study.get_trials(deepcopy=False))), spec.trials)
    log.info("the budget of %d trials is spent; this worker carried out %d", spec.trials, len(done))
    report = WorkerReport(spec=spec, trials=tuple(done), seconds=time.perf_counter() - began)
    report.write(results.report_file(spec.result, spec.stage))


def pruner(spec: WorkerSpec) -> optuna.pruners.BasePruner:
    """What ends trials early."""
    if spec.pruner == "none":
        return optuna.pruners.NopPruner()
    if spec.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=spec.study.startup)
    definition = spec.study
    set_to = next(iter(definition.trials.values())).training.epochs
    longest = max(extremes(definition.space["epochs"])) if "epochs" in definition.space else set_to
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=longest)


def taken(study: optuna.Study, spec: WorkerSpec) -> optuna.Trial | None:
    """A trial to carry out: one that waits to be tried again, else a new one; None if there is neither."""
    for number in reap(study, spec.heartbeat):
        log.info("trial %d: its worker gives no sign of life; failed, to be tried again", number)
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
    """Whether a trial is at work somewhere, waits, or has to be tried again."""
    trials = study.get_trials(deepcopy=False)
    return not all(trial.state.is_finished() for trial in trials) or any(open_slots(trials))


def carry_out(study: optuna.Study, trial: optuna.Trial, spec: WorkerSpec, results: Results) -> None:
    """Train and score one trial with all its seeds, and tell the study. Whatever else goes wrong fails the trial."""
    log.info("trial %d: %s", trial.number, ", ".join(f"{key} {value}" for key, value in trial.params.items()))
    began = time.perf_counter()
    with signs_of_life(trial, spec.heartbeat):
        try:
            score, state = _score(trial, spec, results)
            trial.set_user_attr("seconds", time.perf_counter() - began)
        except UpdateFinishedTrialError:
            log.warning("trial %d: another worker took this one for dead; what it found comes too late", trial.number)
            return
        except BaseException:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        study.tell(trial, score, state=state, skip_if_finished=True)


@contextmanager
def signs_of_life(trial: optuna.Trial, every: float) -> Iterator[None]:
    """Within the block, say every so many seconds that the trial is alive."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(every):
            try:
                trial.set_user_attr(HEARTBEAT, time.time())
            except Exception as error:
                log.warning("no sign of life could be given: %s", error)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _score(trial: optuna.Trial, spec: WorkerSpec, results: Results) -> tuple[float | None, TrialState]:
    """The mean over seeds. Epochs of the first seed can end the trial: those of all trials are at the same stage."""
    scores: dict[str, float] = {}
    epochs = 0

    def after_epoch(score: float) -> None:
        nonlocal epochs
        epochs += 1
        trial.report(score, epochs)
        # After the last epoch of the only seed there is nothing left to save.
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
        if report.diverged:
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
