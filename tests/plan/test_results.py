"""The tree of results: names, files, and what is refused with the command that helps."""

import re
from pathlib import Path

import pytest

from adkd.base.errors import InputError
from adkd.base.stage_records import Spec
from adkd.bench.made_up import write_run
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config
from adkd.plan.grid import Grid
from adkd.plan.reports import RunReport
from adkd.plan.results import Results, read_spec
from adkd.plan.specs import DataSpec, StudentSpec

STUDENT = "students/vanilla_kd/stsb/seed-1"
ONE_METHOD = {"ablations": {}, "tasks": ["stsb"], "methods": ["vanilla_kd"], "reference": "vanilla_kd"}
CONFIG = load_config([CONFIGS / "tiny.yaml"]) | ONE_METHOD


@pytest.fixture
def results(tmp_path):
    root = Results(tmp_path / "results")
    plan.build(validate(CONFIG), root).write()
    return root


@pytest.mark.parametrize("root", ["results", "out/results", "a/plan b/c", "/absolute/of/three", "."])
def test_names_are_relative_to_any_root(root):
    results = Results(Path(root))
    file = results.plan_file(STUDENT)
    assert Results.of(file) == (results, STUDENT)
    assert results.directory(STUDENT) == Path(root) / STUDENT
    assert results.report_file(STUDENT, "student") == Path(root) / STUDENT / "metrics.json"


def test_the_environment_names_the_root(monkeypatch):
    monkeypatch.delenv("ADKD_RESULTS", raising=False)
    assert Results.default().root == Path("results")
    monkeypatch.setenv("ADKD_RESULTS", "elsewhere/deep")
    assert Results.default().root == Path("elsewhere/deep")


def test_a_tree_can_be_moved(results, tmp_path):
    spec = results.spec(STUDENT, StudentSpec)
    write_run(results, spec, {})
    moved = Results(results.root.rename(tmp_path / "moved"))
    grid = Grid.load(moved.plan_file("grid"))
    assert grid.report(grid.students[0]).spec == spec
    assert grid.out == moved.root


def test_a_spec_of_another_stage_or_place_is_refused(results):
    assert results.spec("data/stsb", DataSpec).task == "stsb"
    with pytest.raises(InputError) as caught:
        results.spec("data/stsb", StudentSpec)
    assert (caught.value.value, caught.value.allowed) == ("data", '"student"')
    results.plan_file("data/rte").write_bytes(results.plan_file("data/stsb").read_bytes())
    with pytest.raises(InputError, match="is the spec of data/stsb") as caught:
        results.spec("data/rte", Spec)
    assert caught.value.remedy == "rebuild it with: adkd plan"
    with pytest.raises(InputError) as caught:
        results.spec("data/nothing", Spec)
    assert caught.value.remedy == "make it with: adkd plan"
    with pytest.raises(InputError, match="is not the spec of a result"):
        Results.of(results.root / "elsewhere.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": "teacher"}', '{"stage": "nothing"}', "{"])
def test_a_file_that_is_not_a_spec_is_refused(results, text):
    file = results.plan_file("data/stsb")
    file.write_text(text)
    with pytest.raises(InputError, match="is not a spec") as caught:
        read_spec(file)
    assert caught.value.remedy == "rebuild it with: adkd plan"


def test_a_spec_that_was_changed_is_refused(results):
    file = results.plan_file(STUDENT)
    content = file.read_text()
    changed = content.replace('"seed": 1', '"seed": 3')
    assert changed != content
    unsealed = re.sub(r'^ "sha256".*\n', "", content, flags=re.MULTILINE)
    for text, what in ((changed, f"sha256 of {file}"), (unsealed, f"{file} lacks its checksum")):
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            read_spec(file)
        assert (caught.value.what, caught.value.remedy) == (what, "rebuild it with: adkd plan")
    plan.build(validate(CONFIG), results).write()
    assert file.read_text() == content


def test_a_result_is_made_by_exactly_its_spec(results):
    spec = results.spec(STUDENT, StudentSpec)
    with pytest.raises(InputError) as missing:
        results.report(spec)
    command = f"adkd student {results.plan_file(STUDENT)}"
    assert missing.value.remedy == f"make it with: {command}"
    write_run(results, spec, {})
    assert results.is_made(spec)
    assert results.report(spec).spec == spec
    other = spec.model_copy(update={"threads": 2})
    assert not results.is_made(other)
    with pytest.raises(InputError) as stale:
        results.report(other)
    assert "threads was 1, the plan has 2" in stale.value.what
    assert stale.value.remedy == f"rebuild it with: {command}"


def test_a_report_that_lies_in_the_place_of_another_is_refused_with_what_rebuilds(results):
    write_run(results, results.spec(STUDENT, StudentSpec), {})
    file = results.report_file(STUDENT, "student")
    assert RunReport.read(file, "").spec.result == STUDENT
    place = results.report_file("students/vanilla_kd/stsb/seed-11", "student")
    place.parent.mkdir(parents=True)
    file.rename(place)
    with pytest.raises(InputError) as caught:
        RunReport.read(place, "adkd student X")
    assert caught.value.what == f"{place} is the report of {STUDENT}"
    assert caught.value.remedy == "rebuild it with: adkd student X"
