"""The storage that workers share, a journal file or a database, and the detection of dead workers.

A slot of the budget is a trial together with all its retries: however often a worker dies, the point counts once. The
code uses nothing of a storage but trials and their attributes, so that a journal file, SQLite and PostgreSQL behave in
the same way.
"""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url

from adkd.base.errors import InputError, missing
from adkd.base.records import difference
from adkd.plan.results import Results
from adkd.plan.specs import Storage, StudyDefinition, StudySpec, WorkerSpec
from adkd.sweeps.damage import RESTORE, WholeLines, check, is_set_up
from adkd.sweeps.trials import COMPLETE, DIVERGED, FAILED, PRUNED, Trial, distributions

RETRY_OF, WITHDRAWN, HEARTBEAT = "retry_of", "withdrawn", "heartbeat"
"""Attributes of a trial: number of the trial that it retries; whether it is surplus; time of the last heartbeat."""
RETRIES = 3
"""Number of retries of a point whose worker died or failed; after that the point counts as failed."""
DEFINITION = "told"
"""Attribute of a study: its definition and its pruner."""
COMMAND = "snakemake sweep"
GRACE = 4
"""Number of consecutive heartbeats that may be missing."""


@dataclass(frozen=True)
class Stored:
    """A study in its storage."""

    definition: StudyDefinition
    storage: Storage
    results: Results
    heartbeat: float = 15.0
    """Seconds between two heartbeats."""

    @classmethod
    def of(cls, spec: WorkerSpec | StudySpec, results: Results) -> "Stored":
        """The study of a spec."""
        assert spec.storage is not None
        heartbeat = {"heartbeat": spec.heartbeat} if isinstance(spec, WorkerSpec) else {}
        return cls(spec.study, spec.storage, results, **heartbeat)

    @property
    def place(self) -> str:
        """The URL of the database, or the path of the journal."""
        return str(self.results.root / self.storage.place) if self.storage.is_file else self.storage.place

    @property
    def name(self) -> str:
        """The name of the study in the storage."""
        return f"{self.storage.name}/{self.definition.method}/{self.definition.task}"

    def backend(self) -> BaseStorage:
        """The storage as an object of Optuna. A storage that exists is not changed."""
        if self.storage.is_file:
            Path(self.place).parent.mkdir(parents=True, exist_ok=True)
            if Path(self.place).is_file():
                check(Path(self.place))
            # Absolute: a lock is a link to the journal. If it led nowhere, that of a killed worker would never expire.
            return JournalStorage(WholeLines(Path(self.place).absolute()))
        wait = {"connect_args": {"timeout": GRACE * self.heartbeat}} if self.place.startswith("sqlite") else {}
        return RDBStorage(self.place, engine_kwargs=wait, skip_table_creation=is_set_up(self.place))

    def study(self) -> optuna.Study | None:
        """The study as an object of Optuna; None where the storage has none of its name."""
        if not (self.storage.is_file or is_set_up(self.place)):
            return None
        storage = self.backend()
        known = {study.study_name: study for study in storage.get_all_studies()}
        if self.name not in known:
            return None
        if known[self.name].directions != [StudyDirection.MAXIMIZE]:
            raise InputError(f"{self.place} is damaged: {self.name} does not maximize one score", remedy=RESTORE)
        return optuna.load_study(storage=storage, study_name=self.name)


def opened(spec: WorkerSpec, results: Results) -> optuna.Study:
    """The study of a worker's spec in its storage; creates it if necessary.

    Raises:
        InputError: the storage cannot be reached or is locked, or has a different study of this name.
    """
    stored = Stored.of(spec, results)
    wanted = {"study": spec.study.as_json(), "pruner": spec.pruner}
    try:
        study = stored.study() or optuna.create_study(
            storage=stored.backend(), study_name=stored.name, direction="maximize", load_if_exists=True
        )
        known = study.user_attrs.get(DEFINITION)
        if known is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(DEFINITION, json.dumps(wanted, sort_keys=True))
            known = study.user_attrs[DEFINITION]
        if known is not None:
            json.loads(known)
        trials = study.get_trials(deepcopy=False)
    except InputError:
        raise
    except Exception as error:  # whatever Optuna and the driver make of a storage that is damaged or out of reach
        raise _unusable(stored, error) from error
    _refuse_another(stored, known, wanted)
    _check_trials(stored, trials)
    return study


def recorded(spec: StudySpec, results: Results) -> list[Trial]:
    """The trials of a study whose workers have finished, from its storage.

    Raises:
        InputError: the storage cannot be read, does not have the study, or has unfinished trials of it.
    """
    stored = Stored.of(spec, results)
    file = Path(stored.place) if stored.storage.is_file else _sqlite_file(stored.place)
    if file and not file.exists():
        raise missing(file, COMMAND)
    if file and file.is_file() and not file.stat().st_size:
        raise InputError(f"{stored.place} is empty", remedy=f"make it with: {COMMAND}")
    try:
        if not (study := stored.study()):
            raise InputError(f"{stored.place} has no study {stored.name}", remedy=f"make it with: {COMMAND}")
        known = json.loads(study.user_attrs.get(DEFINITION, "{}"))
        trials = study.get_trials(deepcopy=False)
    except InputError:
        raise
    except Exception as error:
        raise _unusable(stored, error) from error
    _refuse_another(stored, json.dumps(known, sort_keys=True), known | {"study": spec.study.as_json()})
    _check_trials(stored, trials)
    remedy = f"run its workers until they end: {COMMAND}"
    if pending := [trial.number for trial in trials if not trial.state.is_finished()]:
        raise InputError(f"trial {pending[0]} of {stored.name} in {stored.place} is not finished", remedy=remedy)
    if (count := len(slots(trials))) < spec.trials:
        what = f"number of trials of {stored.name} in {stored.place}"
        raise InputError(what, value=count, allowed=f"at least {spec.trials}", remedy=remedy)
    return [_trial(trial, trials) for trial in trials if WITHDRAWN not in trial.user_attrs]


def slots(trials: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of the trials that are not retries, in order: the trials that count against the budget."""
    return sorted({root(trial) for trial in trials if WITHDRAWN not in trial.user_attrs})


def root(trial: FrozenTrial) -> int:
    """The number of the trial that this one retries, or its own number."""
    return trial.user_attrs.get(RETRY_OF, trial.number)


def open_slots(trials: Sequence[FrozenTrial]) -> Iterator[int]:
    """The slots that are neither finished nor given up."""
    for slot in slots(trials):
        tries = [trial for trial in trials if root(trial) == slot and WITHDRAWN not in trial.user_attrs]
        if not any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in tries) and (
            len(tries) <= RETRIES or any(not trial.state.is_finished() for trial in tries)
        ):
            yield slot


def reap(study: optuna.Study, heartbeat: float) -> list[int]:
    """Mark every trial of a dead worker as failed, queue failed points again, and return the trials of dead workers.

    Any worker may do this at any time. If two workers queue the same point, the later trial is withdrawn when it is
    taken.
    """
    dead = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        born = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        if time.time() - max(born, trial.user_attrs.get(HEARTBEAT, 0.0)) > GRACE * heartbeat:
            try:
                study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
            except UpdateFinishedTrialError:
                continue  # another worker was faster, or the trial has ended in the meantime
            dead.append(trial.number)
    trials = study.get_trials(deepcopy=False)
    for slot in open_slots(trials):
        tries = [trial for trial in trials if root(trial) == slot and WITHDRAWN not in trial.user_attrs]
        if all(trial.state == TrialState.FAIL for trial in tries):
            study.enqueue_trial(tries[0].params, user_attrs={RETRY_OF: slot})
    return dead


def is_surplus(trial: FrozenTrial, trials: Sequence[FrozenTrial], budget: int) -> bool:
    """Whether a trial that was taken now exceeds the budget, or retries a point that another trial retries already."""
    if RETRY_OF in trial.user_attrs:
        earlier = [t for t in trials if root(t) == root(trial) and t.number < trial.number]
        return any(t.state != TrialState.FAIL for t in earlier if WITHDRAWN not in t.user_attrs)
    return slots(trials).index(trial.number) >= budget


def _sqlite_file(place: str) -> Path | None:
    """The file of an SQLite database; None for another one."""
    url = make_url(place)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _check_trials(stored: Stored, trials: Sequence[FrozenTrial]) -> None:
    """Refuse scored trials without all their settings, or whose scores do not give their value.

    Raises:
        InputError: names the first such trial.
    """
    space = distributions(stored.definition.space)
    for trial in trials:
        if trial.state != TrialState.COMPLETE:
            continue
        scores = trial.user_attrs.get("scores")
        values = list(scores.values()) if isinstance(scores, dict) else []
        problem = ""
        if trial.params.keys() != space.keys():
            problem = f"has settings {', '.join(trial.params)}"
        elif wrong := [key for key, value in trial.params.items() if not space[key]._contains(value)]:
            problem = f"has {wrong[0]} = {trial.params[wrong[0]]!r}, outside of its space"
        elif not values or trial.value is None or not math.isclose(trial.value, fmean(values)):
            problem = f"has the value {trial.value}, and scores {scores!r}"
        if problem:
            raise InputError(
                f"{stored.place} is damaged: trial {trial.number} of {stored.name} {problem}", remedy=RESTORE
            )


def _unusable(stored: Stored, error: Exception) -> InputError:
    cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
    reason = " ".join(str(cause).split())
    what = f"sweeps.storage {stored.place} cannot be used: {reason[:300] or type(error).__name__}"
    return InputError(what, remedy=f"check the address and the server, or {RESTORE}")


def _refuse_another(stored: Stored, known: str | None, wanted: dict[str, Any]) -> None:
    if known is None:
        what = f"{stored.place} has a study {stored.name} that this suite did not create"
        raise InputError(what, remedy="set sweeps.name to another name")
    if (recorded_definition := json.loads(known)) != wanted:
        where, before, now = difference(recorded_definition, wanted)
        raise InputError(
            f"{stored.place}, study {stored.name}, belongs to another study: {where} was {before}, is now {now}",
            remedy="restore the config, change sweeps.name or sweeps.storage, or move the file away",
        )


def _trial(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> Trial:
    attributes = trial.user_attrs
    state = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}[trial.state]
    note = f"retries trial {root(trial)}" if RETRY_OF in attributes else ""
    if diverged := attributes.get("diverged"):
        state, note = DIVERGED, "; ".join(filter(None, [note, diverged]))
    later = [t.number for t in trials if root(t) == root(trial) and t.number > trial.number]
    if state == FAILED:
        note = "; ".join(filter(None, [note, f"its worker died; retried as trial {later[0]}" if later else "given up"]))
    scores = {int(seed): score for seed, score in attributes.get("scores", {}).items()}
    length = trial.duration.total_seconds() if trial.duration else 0.0
    started = trial.datetime_start.timestamp() if trial.datetime_start else None
    return Trial(trial.number, dict(trial.params), state, scores, attributes.get("seconds", length), started, note)
