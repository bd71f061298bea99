"""The storage that workers share: a journal file or a database, the study in it, and who counts as dead.

A slot of the budget is a trial that was asked for, together with all that try it again: however often a worker dies,
its point is counted once. Nothing here relies on what a storage offers beyond trials and their attributes, so that a
journal file, SQLite and PostgreSQL behave alike.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy.exc
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from adkd.base.errors import InputError
from adkd.base.stale import refuse_another
from adkd.plan.specs import Spec
from adkd.sweeps.trials import COMPLETE, DIVERGED, FAILED, PRUNED, Trial

RETRY_OF, WITHDRAWN, HEARTBEAT = "retry_of", "withdrawn", "heartbeat"
"""Attributes of a trial: the number of the trial that it tries again; that it is too many; when it last was alive."""
RETRIES = 3
"""So often a point is tried again after its worker died or broke down; then it counts as failed."""
GRACE = 4
"""Signs of life that may be missing in a row."""

_FAILURES = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, OSError, ImportError, ValueError)
"""What a storage that cannot be used raises; a journal that is none, for one, a ValueError."""


def study_name(spec: Spec) -> str:
    """What a study is called in its storage."""
    return f"{spec['name']}/{spec['study']['method']}/{spec['study']['task']}"


def opened(spec: Spec) -> optuna.Study:
    """The study of a worker's spec in its storage, made if it is not there.

    Raises:
        InputError: the storage cannot be reached or is locked, or has another study of this name; says what differs.
    """
    told = {"study": spec["study"], "pruner": spec["pruner"]}
    try:
        study = optuna.create_study(
            storage=_storage(spec), study_name=study_name(spec), direction="maximize", load_if_exists=True
        )
        known = study.user_attrs.get("told")
        if known is None and not study.get_trials(deepcopy=False):
            study.set_user_attr("told", json.dumps(told, sort_keys=True))
            known = study.user_attrs["told"]
    except _FAILURES as error:
        raise _unreachable(spec, error) from error
    _refuse_another(spec, known, told)
    return study


def recorded(spec: Spec) -> list[Trial]:
    """The trials of a study whose workers have finished, from its storage.

    Raises:
        InputError: the storage cannot be read, has no such study, or trials of it are not finished.
    """
    if "://" not in spec["storage"] and not Path(spec["storage"]).is_file():
        raise InputError(f"{spec['storage']} is missing; make it with: snakemake sweep")
    try:
        study = optuna.load_study(storage=_storage(spec), study_name=study_name(spec))
    except KeyError:
        raise InputError(f"{spec['storage']} has no study {study_name(spec)}; make it with: snakemake sweep") from None
    except _FAILURES as error:
        raise _unreachable(spec, error) from error
    told = json.loads(study.user_attrs.get("told", "{}"))
    _refuse_another(spec, json.dumps(told, sort_keys=True), told | {"study": spec["study"]})
    trials = study.get_trials(deepcopy=False)
    if pending := [trial.number for trial in trials if not trial.state.is_finished()]:
        raise InputError(
            f"trial {pending[0]} of {study_name(spec)} is not finished; run its workers until they end: snakemake sweep"
        )
    return [_trial(trial, trials) for trial in trials if WITHDRAWN not in trial.user_attrs]


def slots(trials: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of the trials that were asked for first, in order: what the budget counts."""
    return sorted({root(trial) for trial in trials if WITHDRAWN not in trial.user_attrs})


def root(trial: FrozenTrial) -> int:
    """The number of the trial that this one tries again, or its own."""
    return trial.user_attrs.get(RETRY_OF, trial.number)


def open_slots(trials: Sequence[FrozenTrial]) -> Iterator[int]:
    """The slots that are neither done nor given up."""
    for slot in slots(trials):
        tries = [trial for trial in trials if root(trial) == slot and WITHDRAWN not in trial.user_attrs]
        if not any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in tries) and (
            len(tries) <= RETRIES or any(not trial.state.is_finished() for trial in tries)
        ):
            yield slot


def reap(study: optuna.Study, heartbeat: float) -> list[int]:
    """Fail every trial whose worker is dead, and queue the points of failed ones again; returns those that died.

    Any worker may do this at any time. Where two queue the same point, the later one is withdrawn once it is taken.
    """
    dead = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        born = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        if time.time() - max(born, trial.user_attrs.get(HEARTBEAT, 0.0)) > GRACE * heartbeat:
            try:
                study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
            except UpdateFinishedTrialError:
                continue  # another worker was faster, or it has ended after all
            dead.append(trial.number)
    trials = study.get_trials(deepcopy=False)
    for slot in open_slots(trials):
        tries = [trial for trial in trials if root(trial) == slot and WITHDRAWN not in trial.user_attrs]
        if all(trial.state == TrialState.FAIL for trial in tries):
            study.enqueue_trial(tries[0].params, user_attrs={RETRY_OF: slot})
    return dead


def is_surplus(trial: FrozenTrial, trials: Sequence[FrozenTrial], budget: int) -> bool:
    """Whether a trial that was just taken is one too many: over the budget, or a point that was queued before."""
    if RETRY_OF in trial.user_attrs:
        earlier = [one for one in trials if root(one) == root(trial) and one.number < trial.number]
        return any(one.state != TrialState.FAIL for one in earlier if WITHDRAWN not in one.user_attrs)
    return slots(trials).index(trial.number) >= budget


def _storage(spec: Spec) -> BaseStorage:
    place = spec["storage"]
    if "://" not in place:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        _refuse_no_journal(Path(place))
        return JournalStorage(JournalFileBackend(place))
    wait = {"connect_args": {"timeout": GRACE * spec.get("heartbeat", 15)}} if place.startswith("sqlite") else {}
    return RDBStorage(place, engine_kwargs=wait)


def _refuse_no_journal(path: Path) -> None:
    """Raises ValueError for a file that is something else: Optuna would write to its end before it finds out."""
    if path.is_file() and path.stat().st_size:
        with path.open() as lines:
            first = lines.readline()
        if not first.startswith('{"op_code"'):
            raise ValueError(f"it is no journal, for it begins with {first[:40]!r}")


def _unreachable(spec: Spec, error: Exception) -> InputError:
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    return InputError(f"sweeps.storage {spec['storage']} cannot be used: {said[:300] or type(error).__name__}")


def _refuse_another(spec: Spec, known: str | None, told: dict[str, Any]) -> None:
    if known is None:
        raise InputError(
            f"{spec['storage']} has a study {study_name(spec)} of somebody else; set sweeps.name to another"
        )
    remedy = "put the config back, set sweeps.name or sweeps.storage to another one, or move the file away"
    place = f"{spec['storage']}, study {study_name(spec)},"
    refuse_another(place, json.loads(known), json.loads(json.dumps(told)), remedy)


def _trial(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> Trial:
    attributes = trial.user_attrs
    state = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}[trial.state]
    note = f"tries trial {root(trial)} again" if RETRY_OF in attributes else ""
    if diverged := attributes.get("diverged"):
        state, note = DIVERGED, "; ".join(filter(None, [note, diverged]))
    later = [one.number for one in trials if root(one) == root(trial) and one.number > trial.number]
    if state == FAILED:
        note = "; ".join(filter(None, [note, f"its worker died; tried again as {later[0]}" if later else "given up"]))
    scores = {int(seed): score for seed, score in attributes.get("scores", {}).items()}
    length = trial.duration.total_seconds() if trial.duration else 0.0
    started = trial.datetime_start.timestamp() if trial.datetime_start else None
    return Trial(trial.number, dict(trial.params), state, scores, attributes.get("seconds", length), started, note)
