"""Damaged storages of workers: each is refused in one line and left as it is, or the study goes on."""

import sqlite3

import pytest

from adkd.base.errors import InputError
from adkd.sweeps import worker
from adkd.sweeps.storage import opened, recorded
from tests.sweeps.conftest import refused, score, tell


@pytest.fixture
def finished(study):
    """A finished study of workers, its journal and the lines of it."""
    given = study(mode="workers", workers=1, trials=2, heartbeat=600.0)
    (spec,) = given.workers
    here = opened(spec, given.results)
    while trial := worker.taken(here, spec):
        tell(here, trial)
    file = given.results.root / spec.storage.place
    return given, file, file.read_bytes().splitlines(keepends=True)


def test_a_file_that_is_not_a_journal_is_named_and_not_changed(study):
    given = study(mode="workers")
    journal_file = given.results.root / given.workers[0].storage.place
    journal_file.parent.mkdir(parents=True)
    journal_file.write_text("plain text\n")
    error = refused(given)
    assert f"{journal_file}, line 1, is damaged, or not of an Optuna journal" in error.what
    assert "restore the file" in error.remedy
    assert journal_file.read_text() == "plain text\n"


@pytest.mark.parametrize(
    "damage", [b"garbage\n", b"[]\n", b"{}\n", b'{"op_code":99}\n', b"\0\0\0\n", b"\xff\xfe\n", None]
)
def test_a_damaged_line_is_named_and_the_journal_is_left_as_it_is(finished, damage):
    given, file, lines = finished
    for number in (1, 2, 3, 5, len(lines) - 1):
        first = lines[number - 1]
        line = first[: len(first) // 2] if damage is None else damage  # half a line, joined to the next
        content = b"".join([*lines[: number - 1], line, *lines[number:]])
        file.write_bytes(content)
        for call in (lambda: recorded(given.spec, given.results), lambda: opened(given.workers[0], given.results)):
            with pytest.raises(InputError) as caught:
                call()
            assert f"{file}, line {number}, is damaged" in caught.value.what
            assert "move it away" in caught.value.remedy
            assert "\n" not in str(caught.value)
            assert file.read_bytes() == content


def test_a_study_goes_on_behind_a_line_that_a_writer_did_not_finish(finished):
    given, file, lines = finished
    (spec,) = given.workers
    for kept in (1, 2, 4, len(lines) - 1):
        file.write_bytes(b"".join([*lines[:kept], lines[kept][:30]]))
        here = opened(spec, given.results)
        trial = here.ask(worker.distributions(spec.study.space))
        tell(here, trial)
        assert opened(spec, given.results).get_trials()[trial.number].value == score(trial.params)


@pytest.mark.parametrize("lost", ["create", "param", "scores"])
def test_a_line_that_was_lost_is_noticed(finished, lost):
    given, file, lines = finished
    words = {"create": b'"op_code":4', "param": b'"alpha"', "scores": b'"scores"'}[lost]
    number = next(n for n, line in enumerate(lines) if words in line and n > 1)
    file.write_bytes(b"".join([*lines[:number], *lines[number + 1 :]]))
    with pytest.raises(InputError) as caught:
        recorded(given.spec, given.results)
    assert str(file) in caught.value.what
    assert "damaged" in caught.value.what


def test_a_damaged_database_is_named_with_a_remedy(study, tmp_path):
    file = tmp_path / "study.db"
    given = study(mode="workers", workers=1, trials=1, heartbeat=600.0, storage=f"sqlite:///{file}")
    (spec,) = given.workers
    here = opened(spec, given.results)
    tell(here, worker.taken(here, spec))
    whole = file.read_bytes()
    for content in (b"plain text\n" * 50, whole[: len(whole) // 2], b"x" * 16 + whole[16:]):
        file.write_bytes(content)
        for call in (lambda: recorded(given.spec, given.results), lambda: opened(spec, given.results)):
            with pytest.raises(InputError) as caught:
                call()
            assert str(file) in caught.value.what
            assert "move it away" in caught.value.remedy
            assert file.read_bytes() == content
    file.unlink()
    with pytest.raises(InputError, match="is missing"):
        recorded(given.spec, given.results)
    assert not file.exists()
    file.write_bytes(whole)
    with sqlite3.connect(file) as database:
        database.execute("update trial_values set value = 0.1")
    with pytest.raises(InputError, match=r"has the value 0\.1, and scores"):
        recorded(given.spec, given.results)


@pytest.mark.parametrize(
    "damage",
    [
        "update trial_values set value = NULL",
        "delete from study_directions",
        "delete from trials",
        "drop table trial_user_attributes",
        "drop table studies",
    ],
)
def test_a_database_that_lost_something_is_refused_and_left_as_it_is(study, tmp_path, damage):
    file = tmp_path / "study.db"
    given = study(mode="workers", workers=1, trials=1, heartbeat=600.0, storage=f"sqlite:///{file}")
    (spec,) = given.workers
    here = opened(spec, given.results)
    tell(here, worker.taken(here, spec))
    with sqlite3.connect(file) as database:
        database.execute(damage)
    content = file.read_bytes()
    with pytest.raises(InputError) as caught:
        recorded(given.spec, given.results)
    assert str(file) in caught.value.what
    assert file.read_bytes() == content


def test_another_programs_database_is_not_changed_by_reading_it(study, tmp_path):
    file = tmp_path / "theirs.db"
    with sqlite3.connect(file) as database:
        database.execute("create table theirs (x)")
    content = file.read_bytes()
    given = study(mode="workers", workers=1, trials=1, storage=f"sqlite:///{file}")
    with pytest.raises(InputError, match="has no study"):
        recorded(given.spec, given.results)
    assert file.read_bytes() == content


def test_opening_a_study_again_leaves_its_journal_as_it_is(finished):
    given, file, lines = finished
    opened(given.workers[0], given.results)
    assert file.read_bytes() == b"".join(lines)
