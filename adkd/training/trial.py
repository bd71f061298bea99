"""A trial of a sweep: a student that is trained for its held-out score; its model and predictions are not kept."""

import logging
import time
from collections.abc import Callable

from adkd.base.errors import Diverged
from adkd.plan.reports import TrialReport
from adkd.plan.results import Results
from adkd.plan.specs import TrialSpec
from adkd.training import runtime
from adkd.training.run import trained_model
from adkd.training.student import new_learner

log = logging.getLogger(__name__)


def run(spec: TrialSpec, results: Results) -> None:
    """The stage: carry out one trial with one seed.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
    """
    report = measured(spec, results)
    report.write(results.report_file(spec.result, spec.stage))
    log.info("wrote %s (%.0f s)", results.directory(spec.result), report.seconds)


def measured(
    spec: TrialSpec, results: Results, after_epoch: Callable[[float], None] = lambda score: None
) -> TrialReport:
    """The report of one trial with one seed.

    Divergence is a result and not a failure, because the same settings would diverge again. The report then has no
    score, and names the place where the run diverged.

    Args:
        after_epoch: called with the score of every epoch; an exception that it raises ends the trial.
    """
    started, began = time.time(), time.perf_counter()
    device = runtime.start_run(spec)
    try:
        trained = trained_model(spec, results, new_learner(spec, results, device), device, after_epoch)
    except Diverged as error:
        log.info("no score: %s", error)
        return TrialReport(
            spec=spec,
            score=None,
            diverged=str(error),
            history=(),
            selection=None,
            seconds=time.perf_counter() - began,
            started=started,
            finished=time.time(),
            **runtime.provenance(device),
        )
    log.info("held-out score %.4f", trained.selected.score)
    return TrialReport(
        spec=spec, score=trained.selected.score, diverged=None, **trained.record(), **runtime.provenance(device)
    )
