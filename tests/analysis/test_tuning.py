"""The table of budgets: what it counts, what it compares, and what it refuses to show."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from adkd.analysis.collect.scores import collect
from adkd.analysis.figures import tuning
from adkd.analysis.grid import read_grid
from adkd.analysis.page.tuning import tunings
from adkd.base.errors import InputError
from adkd.base.files import read_json, write_json

SPACE = {
    "alpha": {"type": "float", "low": 0.0, "high": 1.0, "log": False},
    "epochs": {"type": "choice", "choices": [3]},
    "learning_rate": {"type": "float", "low": 1e-5, "high": 1e-4, "log": True},
}


def study(results, method, task, trials=4, diverged=0):
    """A study that was carried out, as its ``sweep.json`` has it, and its spec in the plan."""
    definition = {"space": SPACE, "trials": {"1": {}, "2": {}}, "variant": "full", "sampler": "tpe", "startup": 2}
    spec = {"stage": "sweep", "mode": "rounds", "trials": trials, "study": definition}
    scores = np.linspace(0.5, 0.6, trials - diverged).tolist()
    counts = {"complete": trials - diverged, "pruned": 0, "diverged": diverged, "failed": 0}
    report = {"spec": spec, "counts": counts, "seconds": 90.0, "scores": scores, "best": {"score": scores[-1]}}
    write_json(results / f"plan/sweeps/{method}/{task}.json", spec)
    write_json(results / f"sweeps/{method}/{task}/sweep.json", report)


@pytest.fixture
def tuned(tree):
    """A grid with tuned settings: its students of every method are better than those of the untuned one beside it."""
    results = tree(tasks=("stsb", "rte"), skill={"pkd": 1.0, "pkd+tuned": 1.6, "adkd": 1.2, "adkd+tuned": 1.4})
    whole = read_json(results / "plan/grid.json")
    for name, mark in (("grid", "+tuned"), ("untuned", "")):
        runs = [
            run | {"method": method}
            for run in whole["runs"]
            for method in ("pkd", "adkd")
            if run["method"] == method + mark
        ]
        methods = ["pkd", "adkd"]
        about = {"methods": methods, "labels": {m: m for m in methods}, "tuned": bool(mark), "runs": runs}
        title = {} if mark else {"title": "Before tuning"}
        write_json(results / f"plan/{name}.json", whole | about | title)
        for run in runs:
            for path in (results / "plan" / f"{run['result'][8:]}.json", results / run["result"][8:] / "metrics.json"):
                write_json(path, json.loads(path.read_text().replace("+tuned", "")))
        grid = results / f"plan/{name}.json"
        collect(grid, read_grid(grid).out / "scores.csv")
    for method in ("pkd", "adkd"):
        for task in ("stsb", "rte"):
            study(results, method, task)
    return results


def made(results):
    tuning.write(results / "plan/grid.json", results / "tables", results / "figures")
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
    page = tunings(read_grid(tuned / "plan/grid.json"), pd.read_csv(tuned / "tables/tuning.csv"))
    assert [table.caption for table in page.tables] == ["STS-B, Spearman, n = 3", "RTE, acc, n = 3"]
    assert [[row.cells[0].text, row.kind] for row in page.tables[0].rows] == [["pkd", ""], ["adkd", "reference"]]
    assert page.tables[0].rows[0].cells[-1].below.startswith("[")


def test_what_is_missing_or_of_another_study_is_named(tuned):
    report = tuned / "sweeps/adkd/rte/sweep.json"
    found = read_json(report)
    found["spec"]["trials"] = 3
    write_json(report, found)
    with pytest.raises(InputError, match=r"sweep\.json was made with another spec: trials was 3, the plan says 4"):
        made(tuned)
    report.unlink()
    with pytest.raises(InputError, match=r"adkd/rte/sweep\.json is missing; make it with: snakemake sweep"):
        made(tuned)
    (tuned / "plan/untuned.json").unlink()
    with pytest.raises(InputError, match="what tuning bought is known with settings_from: sweeps"):
        made(tuned)
    assert not (tuned / "tables/tuning.csv").exists()
