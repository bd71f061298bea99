"""Costs are those of the runs, speed is that of a model of the same architecture, and what is missing is named."""

import pandas as pd
import pytest

from adkd.analysis.collect.scores import collect
from adkd.analysis.figures import cost
from adkd.base.errors import InputError
from adkd.bench.made_up import PROVENANCE
from adkd.plan.grid import Grid
from adkd.plan.reports import Latency, LatencyReport
from adkd.plan.results import Results
from adkd.plan.specs import LatencySpec, OfModel
from tests.analysis.conftest import regridded, replaced

pytestmark = pytest.mark.usefixtures("svg_alone")


@pytest.fixture
def measured(tree):
    """A tree with latencies, the slower the larger the model; seconds of a run are 10 times its seed."""
    return with_latencies(tree(tasks=("stsb", "rte"), skill={"finetune": 1.0, "adkd": 1.5}))


def with_latencies(root):
    results = Results(root)
    grid = Grid.load(results.plan_file("grid"))
    for run in grid.students:
        replaced(root, run.result, seconds=10.0 * int(run.seed))
    for name in grid.tasks:
        for model in (f"teachers/{name}/seed-shared", f"students/adkd/{name}/seed-1"):
            write_latency(results, name, model)
    students = (r.model_copy(update={"latency": f"latency/students/adkd/{r.task}/seed-1"}) for r in grid.students)
    regridded(root, students=tuple(students))
    return root


def write_latency(results, name, model, repeats=20):
    """A latency and, unless it has its own number of repeats, its spec in the plan."""
    role = model.partition("/")[0].removesuffix("s")
    spec = LatencySpec(
        result=f"latency/{model}",
        code="code",
        task=name,
        device="cpu",
        threads=1,
        seed=0,
        split="validation",
        batch_sizes=(1, 32),
        repeats=repeats,
        inputs=OfModel(data=f"data/{name}", **{role: model}),
    )
    if repeats == 20:
        spec.write(results.plan_file(spec.result))
    medians = {"1": 0.004, "32": 0.08} if role == "teacher" else {"1": 0.002, "32": 0.04}
    latency = {size: Latency(median=m, low=m, high=m, batches=repeats, tokens=9.0) for size, m in medians.items()}
    report = LatencyReport(spec=spec, latency=latency, parameters=7, data_fingerprint="d", **PROVENANCE)
    report.write(results.report_file(spec.result, spec.stage))


def write(results):
    grid = Grid.load(results / "plan/grid.json")
    collect(grid)
    cost.write(grid)
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
    write_latency(Results(measured), "rte", "students/adkd/rte/seed-1", repeats=3)
    with pytest.raises(InputError) as stale:
        write(measured)
    assert "repeats was 3, the plan has 20" in stale.value.what
    command = f"adkd latency {measured}/plan/latency/students/adkd/rte/seed-1.json"
    assert stale.value.remedy == f"rebuild it with: {command}"
    (measured / "latency/students/adkd/rte/seed-1/latency.json").unlink()
    with pytest.raises(InputError) as absent:
        write(measured)
    assert absent.value.remedy == f"make it with: {command}"
    assert not (measured / "tables/cost.csv").exists()


def test_what_was_not_run_or_is_undefined_has_its_reason(tree):
    skill = {"finetune": 1.0, "adkd": 1.5}
    results = with_latencies(tree(tasks=("stsb", "rte"), skill=skill, skipped=(("finetune", "rte"),)))
    replaced(results, "students/finetune/stsb/seed-1", scores={"validation": {"spearmanr": None, "pearsonr": None}})
    found = write(results).set_index(["method", "task"])
    assert ("finetune", "rte") not in found.index
    text = (results / "tables/cost.txt").read_text()
    assert "nan" not in text
    assert "(a) finetune: needs classes" in text
    assert "(a) no score (seed 1)" in text
    assert found.loc[("finetune", "stsb"), "seconds"] == 20, "what it took is known all the same"
