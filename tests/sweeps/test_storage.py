"""The storage that workers share: the budget, dead workers, and storages that are refused."""

import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState

from adkd.analysis.study import read, write
from adkd.base.errors import InputError
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.results import Results
from adkd.sweeps import journal, worker
from adkd.sweeps import storage as storages
from adkd.sweeps.storage import HEARTBEAT, RETRIES, RETRY_OF, WITHDRAWN, open_slots, opened, reap, recorded, slots
from tests.sweeps.conftest import Study, config, refused, tell
from tests.sweeps.databases import postgres


@pytest.fixture(params=["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.workflow)])
def storage(request, tmp_path):
    """A value of ``sweeps.storage`` for every kind of storage."""
    if request.param == "journal":
        yield None
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/study.db"
    else:
        with postgres() as url:
            yield url


def states(one: optuna.Study) -> list[str]:
    return [trial.state.name for trial in one.get_trials(deepcopy=False)]


@pytest.mark.workflow
def test_the_trial_of_a_dead_worker_is_failed_retried_and_counted_once(study, storage):
    given = study(mode="workers", workers=2, trials=3, heartbeat=0.2, storage=storage)
    spec, other = given.workers
    here, there = opened(spec, given.results), opened(other, given.results)
    dead = worker.taken(here, spec)
    alive = worker.taken(there, other)
    with worker.heartbeats(alive, 0.05):
        time.sleep(0.9)  # four missing heartbeats
        again = worker.taken(there, other)
    assert again.params == dead.params
    assert again.user_attrs[RETRY_OF] == dead.number
    assert states(here) == ["FAIL", "RUNNING", "RUNNING"]
    assert slots(here.get_trials()) == [0, 1], "two of the three points have been started"
    tell(there, alive)
    here.tell(dead.number, 9.9, skip_if_finished=True)  # the worker was not dead after all; its result is discarded
    assert states(here)[dead.number] == "FAIL"
    with pytest.raises(InputError) as caught:
        recorded(given.spec, given.results)
    assert "trial 2 of adkd/vanilla_kd/stsb" in caught.value.what
    assert "snakemake sweep" in caught.value.remedy
    tell(there, again)
    tell(there, worker.taken(there, other))
    assert worker.taken(there, other) is None
    assert not list(open_slots(there.get_trials()))
    trials = read(given.spec, given.results)
    assert [trial.state for trial in trials] == ["failed", "complete", "complete", "complete"]
    assert trials[0].note == "its worker died; retried as trial 2"
    write(given.spec, given.results)
    assert given.results.report(given.spec).counts["complete"] == 3


def test_a_worker_whose_trial_was_failed_by_another_one_continues(study, monkeypatch):
    """For example because its machine was asleep. Its late result is discarded."""
    given = study(mode="workers", workers=2, trials=1, heartbeat=30)
    spec, other = given.workers * 2
    here, there = opened(spec, given.results), opened(other, given.results)

    def measured(spec, results, after_epoch):
        time.sleep(0.1)
        assert reap(there, 0.01) == [0]
        return SimpleNamespace(score=0.5, diverged=None)

    monkeypatch.setattr(worker, "measured", measured)
    monkeypatch.setattr(worker, "_provenance", lambda report: {})
    worker.carry_out(here, worker.taken(here, spec), spec, given.results)
    assert states(here) == ["FAIL", "WAITING"]
    assert worker.is_unfinished(here)
    tell(here, worker.taken(here, spec))
    assert not worker.is_unfinished(here)


def test_an_exception_fails_the_trial_which_is_retried(study, monkeypatch):
    given = study(mode="workers", workers=1, trials=1)
    (spec,) = given.workers

    def measured(spec, results, after_epoch):
        raise MemoryError

    monkeypatch.setattr(worker, "measured", measured)
    here = opened(spec, given.results)
    trial = worker.taken(here, spec)
    with pytest.raises(MemoryError):
        worker.carry_out(here, trial, spec, given.results)
    assert states(here) == ["FAIL"]
    assert worker.taken(here, spec).params == trial.params


def test_two_workers_that_take_the_last_trial_at_once_do_not_both_keep_it(study):
    given = study(mode="workers", workers=2, trials=2, heartbeat=30)
    spec, other = given.workers
    here, there = opened(spec, given.results), opened(other, given.results)
    tell(here, worker.taken(here, spec))
    first = here.ask(worker.distributions(spec.study.space))
    # The other worker checked the budget before that, and asks for a trial as well.
    late = there.ask(worker.distributions(spec.study.space))
    trials = here.get_trials(deepcopy=False)
    assert not worker.is_surplus(trials[first.number], trials, 2)
    assert worker.is_surplus(trials[late.number], trials, 2)


def test_a_point_that_two_workers_queue_is_retried_once(study):
    given = study(mode="workers", workers=2, trials=1, heartbeat=0.01)
    spec, other = given.workers * 2
    here, there = opened(spec, given.results), opened(other, given.results)
    dead = worker.taken(here, spec)
    time.sleep(0.1)
    reap(here, 0.01)
    there.enqueue_trial(dead.params, user_attrs={RETRY_OF: dead.number})
    kept = worker.taken(here, spec.model_copy(update={"heartbeat": 30.0}))
    assert kept.user_attrs[RETRY_OF] == dead.number
    assert worker.taken(there, other.model_copy(update={"heartbeat": 30.0})) is None
    assert WITHDRAWN in here.get_trials()[2].user_attrs
    tell(here, kept)
    assert worker.taken(there, other) is None
    assert not list(open_slots(here.get_trials()))


def test_a_point_that_kills_every_worker_is_given_up(study):
    given = study(mode="workers", workers=1, trials=2, heartbeat=0.01)
    (spec,) = given.workers
    here = opened(spec, given.results)
    tell(here, worker.taken(here, spec))
    for _ in range(RETRIES + 1):
        assert worker.taken(here, spec)
        time.sleep(0.06)
    assert worker.taken(here, spec) is None
    assert states(here) == ["COMPLETE"] + ["FAIL"] * (RETRIES + 1)
    assert read(given.spec, given.results)[-1].note == "retries trial 1; given up"


def test_a_restarted_worker_asks_for_other_points(study):
    given = study(mode="workers", workers=1, trials=4)
    (spec,) = given.workers
    points = []
    for _ in range(2):
        here = opened(spec, given.results)
        here.sampler = worker.sampler(spec.study, "worker", 0, len(here.get_trials()))
        trial = worker.taken(here, spec)
        points.append(trial.params)
        tell(here, trial)
    assert points[0] != points[1]


@pytest.mark.parametrize("name", ["none", "median", "hyperband"])
def test_pruners_end_poor_trials(study, name):
    given = study(mode="workers", workers=1, trials=40, pruner=name, startup=2)
    (spec,) = given.workers
    here = opened(spec, given.results)
    here.pruner = worker.pruner(spec)
    pruned = 0
    for number in range(30):
        trial = here.ask(worker.distributions(spec.study.space))
        for epoch in (1, 2, 3):
            trial.report(-number, epoch)  # each worse than the one before
            if trial.should_prune():
                pruned += 1
                here.tell(trial, state=TrialState.PRUNED)
                break
        else:
            here.tell(trial, -number)
    assert (pruned > 5) == (name != "none"), pruned


def test_another_study_in_the_storage_is_refused_with_the_difference(study, storage):
    def with_storage(**changes):
        return study(mode="workers", storage=storage, **changes)

    first = with_storage()
    opened(first.workers[0], first.results)
    for changes, difference in [
        ({"seed": 3}, "study.seed was 0, is now 3"),
        ({"space": {"vanilla_kd": {"alpha": {"low": 0.2, "high": 0.3}}}}, "study.space"),
        ({"pruner": "none"}, "pruner was 'median', is now 'none'"),
    ]:
        error = refused(with_storage(**changes))
        assert f"belongs to another study: {difference}" in error.what
        assert "sweeps.name" in error.remedy
    for allowed in (with_storage(seed=3, name="mine"), with_storage(trials=99)):  # a larger budget is the same study
        opened(allowed.workers[0], allowed.results)


def test_a_study_that_the_suite_did_not_create_is_refused(study, tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="adkd/vanilla_kd/stsb", direction="maximize")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    error = refused(study(mode="workers", storage=url))
    assert "adkd/vanilla_kd/stsb" in error.what
    assert "sweeps.name" in error.remedy
    assert len(theirs.get_trials()) == 1


def test_a_locked_storage_is_named(study, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    given = study(mode="workers", storage=url, heartbeat=0.05)
    opened(given.workers[0], given.results)
    lock = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    error = refused(study(mode="workers", storage=url, heartbeat=0.05, name="other"))
    assert error.what == f"sweeps.storage {url} cannot be used: database is locked"
    lock.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////no/such/place/study.db", "unable to open database file"),
        ("postgresql+psycopg://adkd@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_named(study, url, reason):
    error = refused(study(mode="workers", storage=url))
    assert url in error.what
    assert reason in error.what


def test_a_missing_storage_is_named(study):
    given = study(mode="workers")
    with pytest.raises(InputError) as caught:
        recorded(given.spec, given.results)
    assert caught.value.what.endswith("study.journal is missing")
    assert "snakemake sweep" in caught.value.remedy
    assert not given.out.exists()


def test_the_lock_of_a_killed_worker_leads_to_the_journal_and_so_expires(tmp_path, monkeypatch):
    """Optuna's lock is a link to the path of the journal: below a relative root it would lead nowhere."""
    monkeypatch.chdir(tmp_path)
    given = Study(Results(Path("results")), config(mode="workers"))
    opened(given.workers[0], given.results)
    asked, lock = [], storages.WholeLines
    monkeypatch.setattr(storages, "WholeLines", lambda path: asked.append(path) or lock(path))
    storages.Stored.of(given.workers[0], given.results).backend()
    assert asked == [tmp_path / "results" / given.workers[0].storage.place]
    assert asked[0].is_file()


def test_the_definition_of_a_study_includes_the_data_of_its_trials():
    """Otherwise trials on other data would count as trials of the same study."""
    before, after = (
        plan.build(validate(config() | {"data": config()["data"] | {"held_out": share}})).specs[
            "sweeps/vanilla_kd/stsb"
        ]
        for share in (0.1, 0.2)
    )
    assert before.study != after.study


def test_a_study_of_rounds_is_exported_as_a_journal(study):
    given = study(trials=4, batch=2)
    for number in (0, 1):
        given.points(number)
        given.answer(number)
    path = journal.write(given.spec, given.results)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    exported = optuna.load_study(study_name="vanilla_kd/stsb", storage=storage)
    assert [trial.value for trial in exported.trials] == [trial.score for trial in read(given.spec, given.results)]
    assert all(trial.user_attrs.get(HEARTBEAT) is None for trial in exported.trials)
    assert exported.trials[0].datetime_start.timestamp() == 1e9
