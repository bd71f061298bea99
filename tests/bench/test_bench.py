"""The benchmark: what it times is what runs train by, the reference is one, and ratios are what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adkd.base.errors import InputError
from adkd.bench import lengths, published_way, report
from adkd.bench.measure import measure
from adkd.bench.ratios import GOALS, ratios
from adkd.bench.steps import AROUND, variants
from adkd.bench.variants import Case, calls
from adkd.bench.workers import take_turns
from adkd.data.tasks import TASKS
from adkd.fetch.checkpoints import Shape
from tests.small_models import STUDENT, TEACHER, batch, classifier

TINY = {"teacher": Shape(4, 32, 4), "student": Shape(2, 32, 4)}


@pytest.mark.parametrize("task", lengths.PERCENTILES)
def test_lengths_are_spread_as_those_of_the_task(task):
    drawn = lengths.drawn(task, 20_000)
    for percentile in (25, 50, 75, 95):
        expected = lengths.PERCENTILES[task][percentile // 5]
        assert np.percentile(drawn, percentile) == pytest.approx(expected, abs=2), percentile
    examples = lengths.examples(task, drawn[:50])
    assert torch.equal(examples.batch(torch.arange(50)).mask.sum(1), examples.lengths)


@pytest.mark.parametrize("variant", [*variants(), "reference", *AROUND])
@pytest.mark.parametrize("task", ["cola", "mnli", "stsb"])
def test_every_variant_can_be_timed_on_every_kind_of_task(variant, task):
    found = calls(Case(variant, task, **TINY, batch_size=4, bins=2))
    assert len(found) == (1 if variant.startswith("reference") else 2)
    for call, rows in found:
        call()
        assert rows == (64 if variant in ("evaluate", "signals") else 4)


def test_a_timed_step_moves_the_student():
    (step, _), *_ = calls(Case("adkd", "cola", **TINY, batch_size=4))
    student = next(
        cell.cell_contents for cell in _step_of(step).__closure__ if hasattr(cell.cell_contents, "fit")
    ).model
    before = student.classifier.weight.detach().clone()
    step()
    assert not torch.equal(student.classifier.weight, before)


def _step_of(call):
    return next(cell.cell_contents for cell in call.__closure__ if callable(cell.cell_contents))


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


def test_taking_turns_times_every_call_of_every_case():
    cases = {name: Case(name, "cola", **TINY, batch_size=4, bins=2) for name in ("adkd", "signals")}
    found = take_turns(cases, threads=1, rounds=3)
    assert list(found) == ["adkd", "signals"]
    for of in found.values():
        assert [len(seconds) for seconds in of["seconds"]] == [3, 3]
        assert min(map(min, of["seconds"])) > 0
        assert of["peak_memory_bytes"] > 2**27
    assert 0 < found["adkd"]["efficiency"] < 1
    assert found["signals"]["efficiency"] is None


def test_the_part_for_a_gpu_is_refused_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="part cuda needs a GPU"):
        measure(tmp_path, 1, None, ["cuda"])
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
    table = report.text({"machine": machine, "made": made, "ratios": found, "missing": missing, "parts": {}})
    assert "| workflow | abc | 5 min |" in table
    assert "| run.adkd.mrpc | not measured | at most 1/5.0 = 0.200 |" in table
    assert "| overhead_seconds_per_job | 5.00 | at most 6.00 | yes |" in table
    assert "Not measured: steps (not measured yet)." in table
