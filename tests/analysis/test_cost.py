"""Costs are those of the runs, speed is that of a model of the same architecture, and what is missing is named."""

import pandas as pd
import pytest

from adkd.analysis.collect.scores import collect
from adkd.analysis.figures import cost
from adkd.base.errors import InputError
from adkd.base.files import read_json, write_json


@pytest.fixture
def measured(tree):
    """A tree with latencies, the slower the larger the model; seconds of a run are 10 times its seed."""
    return with_latencies(tree(tasks=("stsb", "rte"), skill={"finetune": 1.0, "adkd": 1.5}))


def with_latencies(results):
    grid = read_json(results / "plan/grid.json")
    for entry in grid["runs"] + grid["teachers"]:
        path = results.parent / entry["result"] / "metrics.json"
        found = read_json(path) | {"device": "cpu", "versions": {"torch": "2.0"}}
        found["spec"]["threads"] = 1
        if "method" in entry:
            found["seconds"] = 10 * entry["seed"]
        write_json(path, found)
        write_json(results / "plan" / f"{entry['result'].removeprefix('results/')}.json", found["spec"])
        teacher = "method" not in entry
        model = f"teachers/{entry['task']}/seed-shared" if teacher else f"students/adkd/{entry['task']}/seed-1"
        entry["latency"] = f"results/latency/{model}"
        spec = {"stage": "latency", "task": entry["task"]}
        write_json(results / f"plan/latency/{model}.json", spec)
        times = {"1": {"median": 0.004 if teacher else 0.002}, "32": {"median": 0.08 if teacher else 0.04}}
        write_json(results / f"latency/{model}/latency.json", {"spec": spec, "latency": times})
    write_json(results / "plan/grid.json", grid)
    return results


def write(results):
    grid, scores = results / "plan/grid.json", results / "scores.csv"
    collect(grid, scores)
    cost.write(grid, scores, results / "tables", results / "figures")
    return pd.read_csv(results / "tables/cost.csv")


def test_costs_are_means_over_the_runs(measured):
    found = write(measured).set_index(["method", "task"])
    assert len(found) == 6
    assert found.loc[("adkd", "rte"), "seconds"] == 20
    assert found.loc[("finetune", "rte"), "latency_32"] == found.loc[("adkd", "rte"), "latency_32"] == 0.04
    assert found.loc[("teacher", "rte"), "latency_1"] == 0.004
    text = (measured / "tables/cost.md").read_text()
    assert "students/adkd/rte/seed-1" in text, "which model was timed"
    assert "800" in text, "32 examples in 40 ms"


def test_a_latency_that_is_missing_or_stale_is_named_with_its_command(measured):
    report = measured / "latency/students/adkd/rte/seed-1/latency.json"
    write_json(report, read_json(report) | {"spec": {"stage": "latency", "task": "cola"}})
    with pytest.raises(
        InputError, match=r"task was 'cola'.* adkd latency .*plan/latency/students/adkd/rte/seed-1.json"
    ):
        write(measured)
    report.unlink()
    with pytest.raises(InputError, match=r"latency.json is missing; make it with: adkd latency .*seed-1.json"):
        write(measured)
    assert not (measured / "tables/cost.csv").exists()


def test_what_was_not_run_or_is_undefined_is_a_dash_with_its_reason(tree):
    skill = {"finetune": 1.0, "adkd": 1.5}
    results = with_latencies(tree(tasks=("stsb", "rte"), skill=skill, skipped=(("finetune", "rte"),)))
    path = results / "students/finetune/stsb/seed-1/metrics.json"
    write_json(path, read_json(path) | {"scores": {"validation": {"spearmanr": None, "pearsonr": 0.5}}})
    found = write(results).set_index(["method", "task"])
    assert ("finetune", "rte") not in found.index
    text = (results / "tables/cost.txt").read_text()
    assert "nan" not in text
    assert "(a) finetune: needs classes" in text
    assert "(a) undefined in at least one run" in text
    assert found.loc[("finetune", "stsb"), "seconds"] == 20, "what it took is known all the same"
