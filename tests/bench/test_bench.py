"""The benchmark: every part runs, it times the suite's own steps, and its ratios are those of the measurements."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from adkd.base.errors import InputError, RunError
from adkd.base.files import read_json
from adkd.bench import lengths, markdown, published_way, workflow
from adkd.bench import measure as measure_module
from adkd.bench import variants as variants_module
from adkd.bench.measure import measure
from adkd.bench.ratios import GOALS, ratios
from adkd.bench.sharing import sharing
from adkd.bench.sizes import RUN, Models, Sizes
from adkd.bench.steps import AROUND, variants
from adkd.bench.timing import take_turns
from adkd.bench.variants import Case, calls
from adkd.data import generated, tsv
from adkd.data.tasks import TASKS
from adkd.data.tasks import task as task_named
from adkd.fetch.checkpoints import Shape
from adkd.training.loop import Trainer
from tests import forked
from tests.small_models import STUDENT, TEACHER, batch, classifier

TINY = Models(Shape(4, 16, 1), Shape(2, 16, 1))
SIZES = Sizes(
    small=TINY,
    large=TINY,
    examples=128,
    rounds=1,
    matrix={"cpu": 64, "cuda": 64},
    lengths=(4, 8),
    stretches=(1, 2),
    shared=("mrpc",),
    sharing=(1, 2),
    window=0.05,
    grids=(10,),
    job=("finetune", "rte"),
    jobs=1,
    collected=10,
    collections=1,
    tasks=("rte",),
    run=RUN
    | {
        "teacher": {"model": "tiny_bert", "epochs": 2, "learning_rate": 2e-3, "batch_size": 8},
        "student": {"from_teacher_layers": [1, 3]},
        "data": {
            "train_rows": 256,
            "max_length": 32,
            "variants": {"rte": dict.fromkeys(("train", "validation", "test"), "made up")},
        },
        "tasks": ["rte"],
        "seeds": [1, 2],
        "settings": {"training": {"all": {"epochs": 1, "batch_size": 8}}},
    },
)


def glue(folder: Path, task: str) -> Path:
    """A directory of GLUE's files that holds made-up examples of a classification task."""
    record = task_named(task)
    layout = record.tsv
    for split, rows in record.rows.items():
        columns = generated.read(record, split, rows)
        gold = [record.labels[label] for label in columns["label"]]
        lines = [(*layout.text, layout.gold), *zip(*(columns[name] for name in record.text), gold, strict=True)]
        path = tsv.file(folder, record, split)
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map("\t".join, lines)))
    return folder


@pytest.mark.workflow
@pytest.mark.parametrize("part", ["steps", "growth"])
def test_steps_are_measured_and_written(tmp_path, part):
    tables = measure(tmp_path, 1, None, [part], SIZES)
    assert (tmp_path / "bench.md").read_text() == tables
    assert f"\n| {part} | " in tables
    assert read_json(tmp_path / "bench.json")["parts"].keys() == {part}


@pytest.fixture
def without_start_up(monkeypatch):
    """The commands that are timed are forked from a process that has imported the libraries."""
    monkeypatch.setattr(sys, "executable", forked.python())


@pytest.mark.workflow
@pytest.mark.usefixtures("without_start_up")
def test_the_workflow_is_measured_and_written(tmp_path):
    tables = measure(tmp_path, 1, None, ["workflow"], SIZES)
    measured = read_json(tmp_path / "bench.json")["parts"]["workflow"]
    (grid,) = measured["start_up"]["sizes"]
    assert (grid["students"], measured["collect"]["students"]) == (10, 10)
    assert min(grid["seconds"], grid["plan_seconds"], measured["per_job"]["seconds"]) > 0
    assert "| from `snakemake` to the first job, 10 students |" in tables


@pytest.mark.workflow
@pytest.mark.usefixtures("without_start_up")
def test_whole_runs_are_measured_and_written(tmp_path):
    tables = measure(tmp_path / "out", 1, glue(tmp_path, "rte"), ["runs"], SIZES)
    run = read_json(tmp_path / "out/bench.json")["parts"]["runs"]["rte"]
    assert [len(run["scores"][kind]) for kind in ("adkd", "reference")] == [2, 2]
    assert "\n| rte | " in tables


@pytest.mark.workflow
def test_the_wait_for_a_first_job_has_a_limit():
    (grid,) = workflow.start_up((10,), 0.1, ("rte",))["sizes"]
    assert grid["seconds"] is None
    assert grid["note"] == "no job had started after 0 s"


@pytest.mark.parametrize("task", lengths.PERCENTILES)
def test_lengths_are_spread_as_those_of_the_task(task):
    drawn = lengths.sample(task, 20_000)
    for percentile in (25, 50, 75, 95):
        expected = lengths.PERCENTILES[task][percentile // 5]
        assert np.percentile(drawn, percentile) == pytest.approx(expected, abs=2), percentile
    examples = lengths.examples(task, drawn[:50])
    assert torch.equal(examples.batch(torch.arange(50)).mask.sum(1), examples.lengths)


@pytest.mark.parametrize("variant", [*variants(TINY), "reference", *AROUND])
@pytest.mark.parametrize("task", ["cola", "mnli", "stsb"])
def test_every_variant_can_be_timed_on_every_kind_of_task(variant, task):
    found = calls(Case(variant, task, TINY.teacher, TINY.student, batch_size=4, bins=2, examples=128))
    assert len(found) == (1 if variant.startswith("reference") else 2)
    for call, rows in found:
        call()
        assert rows == (64 if variant in ("evaluate", "signals") else 4)


def test_a_timed_step_moves_the_student(monkeypatch):
    trainers = []

    def recorded(**fields):
        trainers.append(Trainer(**fields))
        return trainers[-1]

    monkeypatch.setattr(variants_module, "Trainer", recorded)
    ((step, _),) = calls(Case("adkd", "cola", TINY.teacher, TINY.student, batch_size=4, bins=1, examples=128))
    weight = trainers[0].model.classifier.weight
    before = weight.detach().clone()
    step()
    assert not torch.equal(weight, before)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_padding_changes_nothing_in_the_reference_but_its_time(outputs, dtype):
    teacher, student = classifier(TEACHER, outputs, dtype=dtype), classifier(STUDENT, outputs, seed=3, dtype=dtype)
    data, settings = batch(outputs), {"alpha": 0.7, "temperature": 3.0, "beta": 10.0, "top_k": None}
    if outputs == 1:
        data = replace(data, labels=data.labels.to(dtype))
    gradients = []
    for examples in (data, published_way.padded(data, 32)):
        student.zero_grad()
        published_way.adkd_loss(student, teacher, examples, **settings).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None]))
    assert gradients[0].isfinite().all()
    tolerance = 1e-8 if dtype == torch.float64 else 1e-3
    assert torch.allclose(*gradients, atol=tolerance * gradients[0].abs().max().item())


@pytest.mark.workflow
def test_taking_turns_times_every_call_of_every_case():
    cases = {name: Case(name, "cola", TINY.teacher, TINY.student, batch_size=4, bins=2) for name in ("adkd", "signals")}
    timed = take_turns(cases, 1, replace(SIZES, rounds=3))
    assert list(timed) == ["adkd", "signals"]
    for case in timed.values():
        assert [len(seconds) for seconds in case["seconds"]] == [3, 3]
        assert min(map(min, case["seconds"])) > 0
        assert case["peak_memory_bytes"] > 2**27
    assert timed["adkd"]["efficiency"] > 0
    assert timed["signals"]["efficiency"] is None


@pytest.mark.workflow
def test_jobs_that_share_a_device_are_measured_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "CARD")
    monkeypatch.setattr(measure_module.sharing, "sharing", partial(sharing, device="cpu"))
    tables = measure(tmp_path, 1, None, ["sharing"], SIZES)
    measured = read_json(tmp_path / "bench.json")["parts"]["sharing"]
    assert list(measured["mrpc"]) == variants(TINY)
    for variant in measured["mrpc"].values():
        assert min(variant["steps_per_second"].values()) > 0
    assert "| task | variant | ms of kernels per step | jobs: 1 | jobs: 2 |" in tables


@pytest.mark.workflow
def test_a_case_that_cannot_be_built_ends_the_measurement():
    with pytest.raises(RunError, match="ended early"):
        take_turns({"nothing": Case("nothing", "cola", TINY.teacher, TINY.student)}, 1, SIZES)


@pytest.mark.parametrize("part", ["cuda", "sharing"])
def test_a_part_for_a_gpu_is_refused_where_there_is_none(tmp_path, monkeypatch, part):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=f"part {part} needs a GPU"):
        measure(tmp_path, 1, None, [part])
    assert not list(tmp_path.iterdir())


def measured(per_row, efficiency=0.5, memory=100):
    return {
        "seconds_per_row": per_row,
        "seconds_per_step": 32 * per_row,
        "efficiency": efficiency,
        "peak_memory_bytes": memory,
        "rows": [32],
    }


def parts():
    task = {
        "adkd": measured(2.0),
        "vanilla_kd": measured(1.0, memory=80),
        "reference": measured(10.0),
        "evaluate": measured(0.5),
        "reference_evaluate": measured(1.0),
        "signals": measured(1.0),
        "teacher": measured(2.0),
    }
    small = {name: task for name in ("cola", "sst2", "mrpc", "rte", "mnli", "stsb")}
    small["mrpc, baselines"] = {
        "vanilla_kd": measured(1.0),
        "two/intermediate": measured(1.0),
        "two/prediction": measured(1.0),
    }
    workflow = {"per_job": {"seconds": 5.0}, "collect": {"seconds": 20.0}}
    return {"steps": {"small": small, "large": {"mrpc": task}}, "workflow": workflow}


def test_ratios_are_put_together_from_the_measurements():
    found = ratios(parts())
    assert found["step.adkd_over_vanilla_kd"] == 2.0
    assert found["step.adkd.three_class"] == 0.2
    assert found["memory.adkd_over_vanilla_kd"] == 1.25
    assert found["overhead_seconds_per_job"] == 5.0
    train, dev = TASKS["mrpc"].rows["train"], TASKS["mrpc"].rows["validation"]
    ours, theirs = 5 + train + 10 * (2 * train + dev / 2), 5 + 10 * (10 * train + dev)
    assert found["run.adkd.mrpc"] == pytest.approx(ours / theirs)
    teacher = 2 * 5 + 5 * 2 * train + train
    students = 5 * (3 * 5 + 10 * ((1 + 1 + 1 + 2) * train + 4 * dev / 2))
    assert found["grid.teacher_share"] == pytest.approx(teacher / (teacher + students))


def test_a_ratio_without_its_measurement_is_none_and_said_to_be_missing():
    found = ratios({"workflow": parts()["workflow"]})
    assert found.keys() == GOALS.keys()
    assert found["run.adkd.mrpc"] is None
    machine = {
        "cpu": "C",
        "threads": 2,
        "memory_gib": 1,
        "python": "3",
        "versions": {"torch": "2"},
    }
    missing = {"steps": "not measured yet"}
    made = {"workflow": {"git_commit": "abc", "seconds": 300}}
    table = markdown.text({"machine": machine, "made": made, "ratios": found, "missing": missing, "parts": {}})
    assert "| workflow | abc | 5 min |" in table
    assert "| run.adkd.mrpc | not measured | at most 1/5.0 = 0.200 |" in table
    assert "| overhead_seconds_per_job | 5.00 | at most 6.00 | yes |" in table
    assert "Not measured: steps (not measured yet)." in table
