"""The table of budgets: what it counts, what it compares, and what it refuses to show."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from adkd.analysis.collect.scores import collect
from adkd.analysis.figures import tuning
from adkd.analysis.tables.html import html
from adkd.analysis.tables.tuning import tuning_tables
from adkd.analysis.tables.wording import minus
from adkd.base.errors import InputError
from adkd.plan.grid import Grid
from adkd.plan.reports import BestTrial, StudyReport
from adkd.plan.results import Results
from adkd.plan.space import Choice, Range
from adkd.plan.specs import OfTrials, Shared, StudyDefinition, StudySpec, TrialSpec
from tests.analysis.conftest import student_spec

pytestmark = pytest.mark.usefixtures("svg_alone")

SPACE = {
    "alpha": Range(type="float", low=0.0, high=1.0, log=False),
    "epochs": Choice(choices=(3,)),
    "learning_rate": Range(type="float", low=1e-5, high=1e-4, log=True),
}


def study(root, method, task, trials=4, diverged=0, planned=True):
    """A finished study and, if planned, its spec."""
    results, name = Results(root), f"sweeps/{method}/{task}"
    seeds = {seed: trial_spec(method, task, seed, name) for seed in (1, 2)}
    definition = StudyDefinition(
        method=method,
        task=task,
        variant="full",
        sampler="tpe",
        startup=2,
        seed=0,
        space=SPACE,
        trials={str(seed): spec for seed, spec in seeds.items()},
        upstream={},
        signals=(),
    )
    spec = StudySpec(
        result=name,
        code="code",
        task=task,
        mode="rounds",
        trials=trials,
        batch=2,
        study=definition,
        storage=None,
        shared=Shared(data="data", signals={}, teacher={}),
        inputs=OfTrials(trial={}),
    )
    scores = np.linspace(0.5, 0.6, trials - diverged).tolist()
    report = StudyReport(
        spec=spec,
        counts={"complete": trials - diverged, "pruned": 0, "diverged": diverged, "failed": 0},
        seconds=90.0,
        scores=tuple(scores),
        best=BestTrial(number=0, score=scores[-1], values={}),
    )
    if planned:
        spec.write(results.plan_file(name))
    report.write(results.report_file(name, spec.stage))


def trial_spec(method, task, seed, name):
    values = dict(student_spec(method, task, seed, result=name)) | {"stage": "trial"}
    return TrialSpec(**{key: value for key, value in values.items() if key != "evaluate"})


@pytest.fixture
def tuned(tree):
    """A grid with tuned settings: its students of every method are better than those of the untuned one beside it."""
    results = tree(tasks=("stsb", "rte"), skill={"pkd": 1.0, "pkd+tuned": 1.6, "adkd": 1.2, "adkd+tuned": 1.4})
    whole, methods = Grid.load(results / "plan/grid.json"), ("pkd", "adkd")
    for name, mark in (("grid", "+tuned"), ("untuned", "")):
        students = tuple(
            run.model_copy(update={"method": method})
            for run in whole.students
            for method in methods
            if run.method == method + mark
        )
        about = {"name": name, "methods": methods, "labels": {m: m for m in methods}, "tuned": bool(mark)}
        grid = Grid(**(dict(whole) | about | {"students": students, "title": None if mark else "Before tuning"}))
        grid.write(results / f"plan/{name}.json")
        collect(Grid.load(results / f"plan/{name}.json"))
    for method in methods:
        for task in ("stsb", "rte"):
            study(results, method, task)
    return results


def made(results):
    tuning.write(Grid.load(results / "plan/grid.json"))
    return pd.read_csv(results / "tables/tuning.csv").set_index(["method", "task"])


def test_after_is_held_against_before_seed_by_seed(tuned):
    found = made(tuned)
    before, after = (
        pd.read_csv(tuned / name)
        .query("method == 'pkd' and task == 'rte' and metric == 'accuracy'")["value"]
        .to_numpy()
        for name in ("untuned/scores.csv", "scores.csv")
    )
    one = found.loc["pkd", "rte"]
    assert (one["before"], one["after"]) == pytest.approx((before.mean(), after.mean()))
    assert one["difference"] == pytest.approx((after - before).mean())
    interval = ttest_1samp(after - before, 0).confidence_interval(0.95)
    assert (one["low"], one["high"]) == pytest.approx((interval.low, interval.high))
    assert (one["n"], one["seeds"], one["trials"], one["seconds"]) == (3, 2, 4, 90.0)
    assert one["searched"] == "alpha learning_rate", "a setting with one value is not searched"
    assert one["best_held_out"] == 0.6


def test_the_table_says_its_protocol_and_whether_budgets_are_equal(tuned):
    made(tuned)
    text = (tuned / "tables/tuning.md").read_text()
    assert "best held-out score, mean over seeds 1, 2; points: TPE, 2 at random first; mode: rounds" in text
    assert "trials, the same for all methods" in text
    study(tuned, "pkd", "rte", trials=9, diverged=2)
    made(tuned)
    text = (tuned / "tables/tuning.md").read_text()
    assert "trials, NOT the same for all methods" in text
    assert "9 (2 diverged)" in text


def test_the_page_has_a_table_for_every_task(tuned):
    made(tuned)
    tables = tuning_tables(Grid.load(tuned / "plan/grid.json"), pd.read_csv(tuned / "tables/tuning.csv"))
    assert [table.title for table in tables] == ["Tuning on STS-B, Spearman (×100)", "Tuning on RTE, acc (×100)"]
    assert [[row.name, row.kind] for row in tables[0].rows] == [["pkd", ""], ["adkd", "reference"]]
    assert f'<span class="below">{minus(tables[0].rows[0].cells[6].brackets)}</span>' in html(tables[0])


def test_what_is_missing_or_of_another_study_is_named(tuned):
    study(tuned, "adkd", "rte", trials=3, planned=False)
    with pytest.raises(InputError, match=r"sweep\.json was made by another spec: trials was 3, the plan has 4"):
        made(tuned)
    (tuned / "sweeps/adkd/rte/sweep.json").unlink()
    with pytest.raises(InputError, match=r"adkd/rte/sweep\.json is missing; make it with: snakemake sweep"):
        made(tuned)
    (tuned / "plan/untuned.json").unlink()
    with pytest.raises(InputError) as caught:
        made(tuned)
    assert caught.value.what == f"{tuned / 'plan/untuned.json'} is missing"
    assert "settings_from: sweeps" in caught.value.remedy
    assert not (tuned / "tables/tuning.csv").exists()
