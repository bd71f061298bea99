"""What may happen beside a run, and what a job does whose spec is not the planned one."""

import pytest
from typer.testing import CliRunner

from adkd import by_hand, runner
from adkd.__main__ import app
from adkd.base import locks
from adkd.base.errors import InputError
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config
from adkd.plan.grid import MAIN
from adkd.plan.results import Results

TINY = load_config([CONFIGS / "tiny.yaml"])


@pytest.fixture
def planned(tmp_path):
    built = plan.build(validate(TINY), Results(tmp_path / "results"))
    built.write()
    return built


def files(root):
    return {file: file.read_bytes() for file in root.rglob("*") if file.is_file() and ".lock" not in file.name}


def test_beside_a_run_a_plan_may_be_repeated_but_not_changed(planned, tmp_path):
    root = planned.results.root
    before = files(root)
    other = tmp_path / "other.yaml"
    other.write_text("seeds: [1, 2, 3]\n")

    def said(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments), "--root", str(root)])

    with locks.claimed(root):
        assert said("plan", "-c", "tiny").exit_code == 0
        asked = [("plan", "-c", "tiny", "-c", other)]
        asked += [(verb, "--method", "finetune", "--task", "stsb", "-c", "tiny") for verb in ("run", "sweep")]
        for arguments in asked:
            error = said(*arguments).exception
            assert isinstance(error, InputError)
            assert f"{root} is in use by" in error.what
    assert files(root) == before
    assert said("plan", "-c", "tiny", "-c", other).exit_code == 0
    assert files(root) != before


def test_a_dry_run_writes_nothing(tmp_path):
    done = CliRunner().invoke(app, ["plan", "-c", "tiny", "--dry-run", "--root", str(tmp_path / "results")])
    assert done.exit_code == 0
    assert "student" in done.output
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("config", [{"tasks": ["sst3"]}, {"sweeps": {"trials": 0}}])
def test_a_wrong_config_leaves_nothing_behind(config, tmp_path):
    with pytest.raises(InputError):
        by_hand.run_student(
            {**TINY, **config}, "finetune", config.get("tasks", ["stsb"])[0], 1, Results(tmp_path / "results")
        )
    assert not (tmp_path / "results").exists()


def test_a_job_stops_if_its_spec_is_not_the_planned_one(planned):
    result = "data/stsb"
    file = planned.results.plan_file(result)
    digest = planned.digest(result)
    changed = planned.specs[result].model_copy(update={"max_length": 31})
    changed.write(file)
    with pytest.raises(InputError) as caught:
        runner.run_file(file, "data", digest)
    assert f"{file} has changed" in caught.value.what
    assert {digest, changed.digest()} <= set(caught.value.what.replace(",", " ").split())
    assert "--planned" in caught.value.remedy
    assert not planned.results.directory(result).exists()


@pytest.mark.parametrize(
    ("result", "change", "value"),
    [
        ("data/stsb", {"task": "stsc"}, "stsc"),
        ("students/adkd/stsb/seed-1", {"settings": {"terls": 1}}, "terls"),
    ],
)
def test_a_job_names_the_spec_that_holds_what_is_wrong(planned, result, change, value):
    file, spec = planned.results.plan_file(result), planned.specs[result]
    spec.model_copy(update=change).write(file)
    with pytest.raises(InputError) as caught:
        runner.run_file(file, spec.stage)
    assert (caught.value.value, caught.value.where) == (value, (str(file),))


def test_an_analysis_stops_if_its_grid_is_not_the_planned_one(planned):
    file, digest = planned.results.plan_file(MAIN), planned.digest(MAIN)
    planned.grid().model_copy(update={"seeds": ("1",)}).write(file)
    with pytest.raises(InputError, match="has changed since this job was planned"):
        runner.analyse(file, "scores", digest)
    planned.write()
    with pytest.raises(InputError) as caught:  # nothing was trained
        runner.analyse(file, "scores", digest)
    assert "has changed" not in caught.value.what


def test_a_file_beside_the_code_is_part_of_the_plan_of_its_stage(planned):
    files = {
        stage: plan.AnalysisSpec.read(planned.results.plan_file(stage), "adkd plan").files
        for stage in ("tables", "report")
    }
    assert files["tables"].keys() == {"published_results.csv", "published_settings.yaml"}
    assert files["report"].keys() == {"page.html", "style.css", "page.js"}
