"""A trial of a sweep: a student that is trained for its held-out score alone; no model and no prediction is kept."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adkd.base.errors import Diverged
from adkd.base.files import write_json
from adkd.training import runtime
from adkd.training.run import train_as_told
from adkd.training.student import learner

log = logging.getLogger(__name__)


def run(spec: dict[str, Any], out: Path) -> None:
    """Carry out one trial with one seed and write ``trial.json`` to ``out``.

    Args:
        spec: as for a student, without ``evaluate``; its selection is ``held_out``.

    Raises:
        InputError: the teacher and the student do not fit the method, or do not share a vocabulary.
    """
    found = measured(spec)
    write_json(out / "trial.json", found)
    log.info("wrote %s (%.0f s)", out, found["seconds"])


def measured(spec: dict[str, Any], after_epoch: Callable[[float], None] = lambda score: None) -> dict[str, Any]:
    """The report of one trial with one seed.

    Settings at which the loss diverges are a finding, not a failure: tried again they diverge again. The report then
    has no score, and says where it happened.

    Args:
        spec: as for ``run``.
        after_epoch: told the score of every epoch; what it raises ends the trial.
    """
    started, began = time.time(), time.perf_counter()
    device = runtime.start(spec)
    try:
        trained = train_as_told(spec, *learner(spec, device), device, after_epoch)
    except Diverged as error:
        log.info("no score: %s", error)
        report: dict[str, Any] = {
            "spec": spec,
            "score": None,
            "diverged": str(error),
            "history": [],
            "selection": None,
            "seconds": time.perf_counter() - began,
            "started": started,
            "finished": time.time(),
        }
    else:
        report = trained.record(spec) | {"diverged": None}
        report["score"] = report["selection"]["score"]
        log.info("held-out score %.4f", report["score"])
    return report | runtime.provenance(device)
