"""From a config to tables, as users run it: what is there afterwards, and what a broken run leaves behind."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from adkd.base.files import read_json
from adkd.data import metrics as metric_values
from adkd.data.tasks import task as task_named
from adkd.plan.checks import validate
from adkd.plan.config import load_config
from adkd.plan.results import Results, read_spec
from tests.workflow.conftest import GPUS, TINY, command, snakemake

pytestmark = pytest.mark.workflow

CONFIG = validate(load_config([TINY]))
STUDENTS = len(CONFIG.methods) * len(CONFIG.tasks) * len(CONFIG.seeds)


def metrics(grid):
    return {path.parent: read_json(path) for path in sorted(grid.glob("results/*/**/metrics.json"))}


def test_every_run_is_scored_and_repeats_its_spec(grid):
    found = metrics(grid)
    assert len(found) == STUDENTS + len(CONFIG.tasks)
    for directory, result in found.items():
        spec = read_spec(grid / "results/plan" / directory.relative_to(grid / "results").with_suffix(".json"))
        assert result["spec"] == spec.as_json()
        assert result["scores"], directory
        assert result["seconds"] > 0
        assert (directory / "model" / "model.safetensors").exists()
        for split in spec.evaluate:
            predictions = pd.read_parquet(directory / "predictions" / f"{split}.parquet")
            assert predictions.filter(like="logit_").notna().all(axis=None)


def test_scores_and_tables_cover_the_grid(grid):
    scores = pd.read_csv(grid / "results/scores.csv")
    assert list(scores.columns[:6]) == ["method", "task", "seed", "split", "metric", "value"]
    assert set(scores.method) == {*CONFIG.methods, "teacher"}
    main = pd.read_csv(grid / "results/tables/main.csv")
    assert list(main.columns[:6]) == ["method", "task", "metric", "mean", "sd", "n"]
    assert set(main[main.method == "adkd"].n) == {len(CONFIG.seeds)}
    significance = pd.read_csv(grid / "results/tables/significance.csv")
    columns = "task,method,reference,metric,difference,low,high,p,p_holm,n,test"
    assert ",".join(significance.columns[:11]) == columns
    assert (significance[significance.level == "seed"].p_holm.dropna() >= 0.05).all(), "two seeds cannot show that"
    for name in ("tables/main.md", "tables/main.tex", "tables/significance.md", "figures/scores.svg"):
        text = (grid / "results" / name).read_text(encoding="utf-8")
        assert all(method in text.replace("\\_", "_") for method in CONFIG.methods)


def test_the_teacher_beats_a_constant_answer_by_the_margin(grid):
    for task in map(task_named, CONFIG.tasks):
        teacher = grid / f"results/teachers/{task.name}/seed-shared"
        scores = read_json(teacher / "metrics.json")["scores"]
        splits = task.splits("validation")
        labels = [pd.read_parquet(teacher / f"predictions/{split}.parquet").label.to_numpy() for split in splits]
        score = np.mean([scores[split][task.metrics[0]] for split in splits])
        assert score > np.mean([metric_values.floor(task, known) for known in labels]) + CONFIG.teacher.margin


def test_every_epoch_logs_the_terms_of_its_stage(grid):
    for directory, result in metrics(grid).items():
        for record in result["history"]:
            assert record["terms"], directory
        if result["spec"].get("method") == "adkd":
            assert set(result["history"][0]["terms"]) == {"task", "kd", "attribution"}
        if result["spec"].get("method") == "tinybert":
            assert {r["phase"] for r in result["history"]} == {"intermediate", "prediction"}
            assert result["selection"]["phase"] == "prediction"


def test_two_at_a_time_and_never_two_on_one_gpu(grid):
    spans = {gpu: [] for gpu in GPUS}
    for result in metrics(grid).values():
        spans[result["cuda_visible_devices"]].append((result["started"], result["finished"]))
    every = sorted(span for gpu in GPUS for span in spans[gpu])
    assert any(later[0] < earlier[1] for earlier, later in pairwise(every)), "nothing ran at once"
    for gpu in GPUS:
        assert spans[gpu], f"GPU {gpu} was never used"
        for earlier, later in pairwise(sorted(spans[gpu])):
            assert earlier[1] <= later[0], f"two runs at once on GPU {gpu}"


def test_a_second_run_has_nothing_to_do(grid):
    done = snakemake("--configfile", TINY, cwd=grid)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize("method", ["adkd", "tinybert"])
def test_the_same_spec_gives_the_same_numbers_bit_for_bit(grid, tmp_path, method):
    result = f"students/{method}/{CONFIG.tasks[0]}/seed-1"
    before = read_json(grid / "results" / result / "metrics.json")
    shutil.copytree(grid / "results", tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / result)
    done = command("adkd", "student", f"results/plan/{result}.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = read_json(tmp_path / "results" / result / "metrics.json")
    assert after["scores"] == before["scores"]
    assert [r["terms"] for r in after["history"]] == [r["terms"] for r in before["history"]]
    for path in sorted((grid / "results" / result / "predictions").iterdir()):
        pd.testing.assert_frame_equal(
            pd.read_parquet(path), pd.read_parquet(tmp_path / "results" / result / "predictions" / path.name)
        )


def test_the_workflow_with_the_real_command_gives_the_same_student(grid, tmp_path):
    """All other jobs of these tests are forked, see ``tests/forked.py``."""
    result = f"results/students/adkd/{CONFIG.tasks[0]}/seed-1"
    shutil.copytree(grid, tmp_path / "copy", symlinks=True)
    shutil.rmtree(tmp_path / "copy" / result)
    done = snakemake(f"{result}/metrics.json", "--configfile", TINY, cwd=tmp_path / "copy", forked=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert "1 of 1 steps" in done.stdout + done.stderr
    for path in (
        "model/model.safetensors",
        *(f"predictions/{file.name}" for file in (grid / result / "predictions").iterdir()),
    ):
        assert (tmp_path / "copy" / result / path).read_bytes() == (grid / result / path).read_bytes(), path


def spec_with(grid, tmp_path, result, settings=None, **training):
    """The plan's spec of a result with other settings, as a plan of its own that uses the grid's inputs."""
    spec = read_spec(grid / f"results/plan/{result}.json")
    for place in ("data", "teachers", "signals"):
        if not (tmp_path / "results" / place).exists():
            (tmp_path / "results").mkdir(exist_ok=True)
            (tmp_path / "results" / place).symlink_to(grid / "results" / place)
    fields = {"training": replace(spec.training, **training)}
    if settings:
        fields["settings"] = spec.settings | settings
    own = spec.model_copy(update={**fields, "result": f"{spec.stage}s/broken"})
    own.write(Results(tmp_path / "results").plan_file(own.result))
    return f"results/plan/{own.result}.json"


def test_a_loss_that_becomes_nan_stops_the_run_and_leaves_nothing(grid, tmp_path):
    result = f"students/adkd/{CONFIG.tasks[0]}/seed-1"
    done = command("adkd", "student", spec_with(grid, tmp_path, result, {"temperature": 1e-30}), cwd=tmp_path)
    assert done.returncode == 1
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("error: the loss is")
    assert "step" in error
    assert any(term in error for term in ("task", "kd", "attribution"))
    assert not list(tmp_path.glob("results/students/**/*"))


def test_an_untrained_teacher_is_refused(grid, tmp_path):
    result = "teachers/mnli/seed-shared"
    done = command("adkd", "teacher", spec_with(grid, tmp_path, result, learning_rate=1e-12), cwd=tmp_path)
    assert done.returncode == 1
    assert "has learned nothing" in done.stderr
    assert not (tmp_path / "results/teachers/broken").exists()


def test_a_signal_that_was_tampered_with_is_refused(grid, tmp_path):
    task = CONFIG.tasks[0]
    shutil.copytree(grid / "results", tmp_path / "results")
    (shard,) = tmp_path.glob(f"results/signals/{task}/seed-shared/logits/*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    done = command("adkd", "student", f"results/plan/students/vanilla_kd/{task}/seed-1.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "sha256" in done.stderr


def test_one_run_by_hand_reuses_what_is_there(grid, tmp_path):
    shutil.copytree(grid / "results", tmp_path / "results")
    task = CONFIG.tasks[0]
    done = command("adkd", "run", "--method", "adkd", "--task", task, "--seed", 1, "--configfile", TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is up to date") == 5, done.stderr  # data, teacher, two signals, student
    scores = json.loads((tmp_path / f"results/students/adkd/{task}/seed-1/metrics.json").read_text())["scores"]
    assert f"{next(iter(scores['validation'].values())):.4f}" in done.stdout


def test_bad_input_is_one_line_that_names_value_and_nearest_match(tmp_path):
    for arguments, expected in [
        (("run", "--method", "adkdd", "--task", "sst2"), 'unknown method "adkdd"; did you mean "adkd"?'),
        (("run", "--method", "adkd", "--task", "sst3"), 'unknown task "sst3"; did you mean "sst2"?'),
        (("student", "results/plan/nothing.json"), "nothing.json"),
    ]:
        done = command("adkd", *arguments, *(["-c", TINY] if arguments[0] == "run" else []), cwd=tmp_path)
        assert done.returncode == 2
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_published_way_trains_the_same_student(grid, tmp_path):
    """``make bench`` compares whole runs with one that has the same spec as a student of the suite."""
    spec = spec_with(grid, tmp_path, f"students/adkd/{CONFIG.tasks[0]}/seed-1", epochs=2)
    (tmp_path / "results/plan/signals").symlink_to(grid / "results/plan/signals")
    done = command("adkd.bench.reference_run", spec, "published.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = read_json(tmp_path / "published.json")
    assert found["spec"] == read_spec(tmp_path / spec).as_json()
    assert len(found["scores"]) == found["spec"]["training"]["epochs"]
    assert found["scores"][-1].keys() == set(task_named(found["spec"]["task"]).metrics)
