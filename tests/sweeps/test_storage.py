"""The storage that workers share: what the budget counts, who is dead, and which storage is refused."""

import json
import sqlite3
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from adkd.analysis.study import read, write
from adkd.base.errors import InputError
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.sweeps import journal, worker
from adkd.sweeps.storage import HEARTBEAT, RETRIES, RETRY_OF, WITHDRAWN, open_slots, opened, reap, recorded, slots
from tests.sweeps.conftest import config, score
from tests.sweeps.databases import postgres


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def storage(request, tmp_path):
    """What ``sweeps.storage`` says, for every kind of storage."""
    if request.param == "journal":
        yield None
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/study.db"
    else:
        with postgres() as url:
            yield url


def tell(one: optuna.Study, trial: optuna.Trial) -> None:
    """End a trial as a worker would."""
    found = score(trial.params)
    trial.set_user_attr("scores", {"1": found})
    trial.set_user_attr("seconds", 2.0)
    one.tell(trial, found)


def states(one: optuna.Study) -> list[str]:
    return [trial.state.name for trial in one.get_trials(deepcopy=False)]


def test_a_dead_workers_trial_is_failed_tried_again_and_counted_once(study, storage):
    given = study(mode="workers", workers=2, trials=3, heartbeat=0.05, storage=storage)
    spec, other = given.workers
    here, there = opened(spec), opened(other)
    dead = worker.taken(here, spec)
    alive = worker.taken(there, other)
    with worker.heartbeats(alive, 0.05):
        time.sleep(0.3)
        again = worker.taken(there, other)
    assert again.params == dead.params
    assert again.user_attrs[RETRY_OF] == dead.number
    assert states(here) == ["FAIL", "RUNNING", "RUNNING"]
    assert slots(here.get_trials()) == [0, 1], "two of the three points were asked for"
    tell(there, alive)
    here.tell(dead.number, 9.9, skip_if_finished=True)  # it was not dead after all: too late
    assert states(here)[dead.number] == "FAIL"
    with pytest.raises(InputError, match="trial 2 of adkd/vanilla_kd/stsb is not finished; run its workers"):
        recorded(given.spec)
    tell(there, again)
    tell(there, worker.taken(there, other))
    assert worker.taken(there, other) is None
    assert not list(open_slots(there.get_trials()))
    trials = read(given.spec)
    assert [trial.state for trial in trials] == ["failed", "complete", "complete", "complete"]
    assert trials[0].note == "its worker died; tried again as 2"
    write(given.spec, given.out)
    assert json.loads((given.out / "sweep.json").read_text())["counts"]["complete"] == 3


def test_a_worker_that_was_taken_for_dead_goes_on_with_the_next_trial(study, monkeypatch):
    """Its machine was asleep, say: what it found comes too late, and does no harm."""
    spec, other = study(mode="workers", workers=2, trials=1, heartbeat=30).workers * 2
    here, there = opened(spec), opened(other)

    def measured(told, after_epoch):
        time.sleep(0.1)
        assert reap(there, 0.01) == [0]
        return {"score": 0.5, "diverged": None}

    monkeypatch.setattr(worker, "measured", measured)
    monkeypatch.setattr(worker, "_provenance", lambda report: {})
    worker.carry_out(here, worker.taken(here, spec), spec)
    assert states(here) == ["FAIL", "WAITING"]
    assert worker.is_unfinished(here)
    tell(here, worker.taken(here, spec))
    assert not worker.is_unfinished(here)


def test_what_breaks_down_fails_the_trial_and_is_tried_again(study, monkeypatch):
    (spec,) = study(mode="workers", workers=1, trials=1).workers

    def measured(told, after_epoch):
        raise MemoryError

    monkeypatch.setattr(worker, "measured", measured)
    here = opened(spec)
    trial = worker.taken(here, spec)
    with pytest.raises(MemoryError):
        worker.carry_out(here, trial, spec)
    assert states(here) == ["FAIL"]
    assert worker.taken(here, spec).params == trial.params


def test_two_workers_that_take_the_last_trial_at_once_do_not_both_keep_it(study):
    spec, other = study(mode="workers", workers=2, trials=2, heartbeat=30).workers
    here, there = opened(spec), opened(other)
    tell(here, worker.taken(here, spec))
    first = here.ask(worker.distributions(spec["study"]["space"]))
    # The other looked before that, and asks for a trial as well.
    late = there.ask(worker.distributions(spec["study"]["space"]))
    trials = here.get_trials(deepcopy=False)
    assert not worker.is_surplus(trials[first.number], trials, 2)
    assert worker.is_surplus(trials[late.number], trials, 2)


def test_a_point_that_two_workers_queue_is_tried_once(study):
    spec, other = study(mode="workers", workers=2, trials=1, heartbeat=0.01).workers * 2
    here, there = opened(spec), opened(other)
    dead = worker.taken(here, spec)
    time.sleep(0.1)
    reap(here, 0.01)
    there.enqueue_trial(dead.params, user_attrs={RETRY_OF: dead.number})
    kept = worker.taken(here, spec | {"heartbeat": 30})
    assert kept.user_attrs[RETRY_OF] == dead.number
    assert worker.taken(there, other | {"heartbeat": 30}) is None
    assert WITHDRAWN in here.get_trials()[2].user_attrs
    tell(here, kept)
    assert worker.taken(there, other) is None
    assert not list(open_slots(here.get_trials()))


def test_a_point_that_kills_every_worker_is_given_up(study):
    given = study(mode="workers", workers=1, trials=2, heartbeat=0.01)
    (spec,) = given.workers
    here = opened(spec)
    tell(here, worker.taken(here, spec))
    for _ in range(RETRIES + 1):
        assert worker.taken(here, spec)
        time.sleep(0.06)
    assert worker.taken(here, spec) is None
    assert states(here) == ["COMPLETE"] + ["FAIL"] * (RETRIES + 1)
    assert read(given.spec)[-1].note == "tries trial 1 again; given up"


def test_a_worker_that_starts_again_asks_for_other_points(study):
    (spec,) = study(mode="workers", workers=1, trials=4).workers
    found = []
    for _ in range(2):
        here = opened(spec)
        here.sampler = worker.sampler(spec["study"], "worker", 0, len(here.get_trials()))
        trial = worker.taken(here, spec)
        found.append(trial.params)
        tell(here, trial)
    assert found[0] != found[1]


@pytest.mark.parametrize("name", ["none", "median", "hyperband"])
def test_poor_trials_end_early_if_they_may(study, name):
    (spec,) = study(mode="workers", workers=1, trials=40, pruner=name, startup=2).workers
    here = opened(spec)
    here.pruner = worker.pruner(spec)
    pruned = 0
    for number in range(30):
        trial = here.ask(worker.distributions(spec["study"]["space"]))
        for epoch in (1, 2, 3):
            trial.report(-number, epoch)  # each worse than the one before
            if trial.should_prune():
                pruned += 1
                here.tell(trial, state=TrialState.PRUNED)
                break
        else:
            here.tell(trial, -number)
    assert (pruned > 5) == (name != "none"), pruned


def test_another_study_in_the_storage_is_refused_with_what_differs(study, storage):
    opened(study(mode="workers", storage=storage).workers[0])
    for changes, words in [
        ({"seed": 3}, "study.seed was 0, is now 3"),
        ({"space": {"vanilla_kd": {"alpha": {"low": 0.2, "high": 0.3}}}}, "study.space"),
        ({"pruner": "none"}, "pruner was 'median', is now 'none'"),
    ]:
        with pytest.raises(InputError) as caught:
            opened(study(mode="workers", storage=storage, **changes).workers[0])
        assert "belongs to another study" in str(caught.value)
        assert words in str(caught.value)
    opened(study(mode="workers", storage=storage, seed=3, name="mine").workers[0])
    opened(study(mode="workers", storage=storage, trials=99).workers[0])  # a larger budget is the same study


def test_a_storage_of_somebody_else_is_refused(study, tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="adkd/vanilla_kd/stsb", direction="maximize")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(InputError, match="study adkd/vanilla_kd/stsb of somebody else"):
        opened(study(mode="workers", storage=url).workers[0])
    assert len(theirs.get_trials()) == 1


def test_a_locked_storage_is_named(study, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    given = study(mode="workers", storage=url, heartbeat=0.05)
    opened(given.workers[0])
    other = study(mode="workers", storage=url, heartbeat=0.05, name="other")
    lock = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match=r"sweeps.storage sqlite:///.*study.db cannot be used: database is locked"):
        opened(other.workers[0])
    lock.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nodatabase://somewhere/x", "cannot be used"),
        ("sqlite:////no/such/place/study.db", "unable to open database file"),
        ("postgresql+psycopg://adkd@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_a_storage_that_is_not_there_is_named(study, url, words):
    with pytest.raises(InputError) as caught:
        opened(study(mode="workers", storage=url).workers[0])
    assert url in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_its_storage_nothing_is_read(study):
    given = study(mode="workers")
    with pytest.raises(InputError, match=r"^\S*study\.journal is missing; make it with: snakemake sweep$"):
        recorded(given.spec)
    assert not given.out.exists()


def test_a_journal_that_is_none_is_named(study):
    spec = study(mode="workers").workers[0]
    Path(spec["storage"]).parent.mkdir(parents=True)
    Path(spec["storage"]).write_text("no journal\n")
    with pytest.raises(InputError, match=r"sweeps\.storage \S*study\.journal cannot be used: it is no journal"):
        opened(spec)
    assert Path(spec["storage"]).read_text() == "no journal\n"


def test_the_definition_says_what_the_trials_stand_on():
    """Else trials on other data, or with another teacher, would be taken for those of the same study."""
    before, after = (
        plan.build(validate(config() | {"data": config()["data"] | {"held_out": share}})).specs[
            "sweeps/vanilla_kd/stsb"
        ]
        for share in (0.1, 0.2)
    )
    assert before["study"] != after["study"]


def test_a_study_of_rounds_is_exported_as_a_journal(study):
    given = study(trials=4, batch=2)
    for number in (0, 1):
        given.points(number)
        given.answer(number)
    path = journal.write(given.spec, given.out)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    found = optuna.load_study(study_name="vanilla_kd/stsb", storage=storage)
    assert [trial.value for trial in found.trials] == [trial.score for trial in read(given.spec)]
    assert all(trial.user_attrs.get(HEARTBEAT) is None for trial in found.trials)
    assert found.trials[0].datetime_start.timestamp() == 1e9
