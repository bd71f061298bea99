"""Published numbers are those of the file, ours are those of the runs, and what differs between the two is said."""

import numpy as np
import pandas as pd
import pytest

from adkd.analysis.collect.scores import collect
from adkd.analysis.tables import published
from adkd.analysis.tables import stage as tables
from adkd.data.tasks import TASKS
from adkd.methods.settings import Training
from adkd.plan.grid import Grid
from adkd.plan.results import Results
from adkd.plan.sections import StudentConfig
from tests.analysis.conftest import replaced, student_spec

PAPER = {"source": "hub", "teacher_model": "bert_base", "student": StudentConfig(model="bert_l6_h768")}


def made(results):
    """``published.csv`` and ``published.md`` of a tree."""
    collect(Grid.load(results / "plan/grid.json"))
    tables.write(Grid.load(results / "plan/grid.json"))
    return pd.read_csv(results / "tables/published.csv"), (results / "tables/published.md").read_text()


def test_the_published_averages_are_the_means_of_what_is_beside_them():
    found = published.read()
    for (source, model), rows in found.groupby(["source", "model"]):
        values = rows.set_index("task")["value"]
        if "average" in values:
            tasks = values.drop(["average", "mnli_mm"], errors="ignore")
            assert len(tasks) == 8, f"{model} of {source} lacks a task"
            assert tasks.mean() == pytest.approx(values["average"], abs=0.06), f"{model} of {source}"


def test_a_difference_is_ours_minus_theirs_by_the_published_metric(tree):
    found, text = made(tree(tasks=("mrpc", "mnli"), **PAPER))
    known = published.read().set_index(["source", "model", "task"])["value"]
    for row in found[found["n"] > 0].itertuples():
        assert row.published == known[row.source, row.method, row.task]
        assert row.difference == pytest.approx(row.reproduced_mean - row.published)
    metric = found.set_index(["source", "method", "task"])["metric"]
    assert len({metric[key] for key in metric.index if key[2] == "mrpc"}) == 2, "F1 in one source, accuracy in another"
    assert "(not a reproduction, another scale: Wu" not in text


def test_ours_are_the_scores_of_the_runs(tree):
    results = tree(tasks=("mrpc",))
    found, _ = made(results)
    scores = pd.read_csv(results / "scores.csv")
    for row in found[(found["n"] > 0) & (found["method"] != "teacher")].itertuples():
        ours = scores[(scores["method"] == row.method) & (scores["metric"] == row.metric)]["value"]
        assert row.reproduced_mean == pytest.approx(100 * ours.mean())
        assert row.reproduced_sd == pytest.approx(100 * np.std(ours, ddof=1))
        assert row.n == 3


@pytest.mark.workflow
def test_an_average_needs_every_task_that_it_is_the_mean_of(tree):
    some, _ = made(tree(tasks=("mrpc", "rte"), seeds=(1, 2)))
    assert (some.loc[some["task"] == "average", "n"] == 0).all()
    glue = tuple(task.name for task in TASKS.values() if task.server and task.name != "wnli")
    every, _ = made(tree(tasks=glue, seeds=(1, 2)))
    adkd = every[every["method"] == "adkd"].set_index("task")
    ours = adkd.drop(["average", "mnli_mm"])["reproduced_mean"].mean()
    assert adkd.loc["average", "reproduced_mean"] == pytest.approx(ours)
    assert adkd.loc["average", "n"] == 2


def test_another_scale_and_the_status_of_the_source_are_said(tree):
    found, text = made(tree(tasks=("mrpc",)))
    assert "not a reproduction, another scale" in text
    assert "the teacher is minilm_l6, not BERT-base" in text
    for status in found.loc[found["n"] > 0, "status"].unique():
        assert status in text


def test_every_source_has_its_own_setting(tree):
    """A student of PKD's setting is no departure from PKD's numbers, and one from those of AD-KD's paper."""
    layers = StudentConfig(from_teacher_layers=(0, 1, 2, 3, 4, 5))
    results = tree(tasks=("mrpc",), skill={"pkd": 1.0, "vanilla_kd": 1.0, "adkd": 1.5}, **PAPER | {"student": layers})
    bert_adam = Training(bias_correction=False, adam_epsilon=1e-6, clip_by="tensor")
    for name in ("pkd", "vanilla_kd"):
        for seed in (1, 2, 3):
            own = {"training": bert_adam, "settings": {"mean_over_classes": name == "pkd"}}
            spec = student_spec(name, "mrpc", seed, **own)
            spec.write(Results(results).plan_file(spec.result))
            replaced(results, spec.result, spec=spec)
    _, text = made(results)
    ours, theirs = text.split("Published and reproduced (")[1:]
    assert "students start from layers [0, 1, 2, 3, 4, 5] of the teacher's checkpoint, not from a BERT of 6" in ours
    assert "batching is like_length, not random (teacher, adkd)" in ours
    assert "students start" not in theirs
    assert "pkd)" not in theirs
    assert "mean_over_classes is false, not true (vanilla_kd)" in theirs
    assert "bias_correction is true, not false (teacher)" in theirs


def test_every_source_of_the_file_has_a_setting():
    for source, rows in published.read().groupby("source"):
        assert {"teacher", "finetune"} <= set(published._setting(source)["settings"]) & set(rows["model"])


def test_without_a_published_task_the_file_says_so(tree):
    found, text = made(tree(tasks=("movies",)))
    assert (found["n"] == 0).all()
    assert published.NOTHING in text


def test_a_seed_without_a_score_is_left_out_and_named(tree):
    results = tree(tasks=("stsb",), seeds=(1, 2))
    replaced(results, "students/finetune/stsb/seed-1", scores={"validation": {"spearmanr": None, "pearsonr": None}})
    found, text = made(results)
    one = found.set_index(["method", "task"]).loc[("finetune", "stsb")]
    scores = pd.read_csv(results / "scores.csv").query("method == 'finetune' and metric == 'spearmanr' and seed == '2'")
    assert one["n"] == 1
    assert one["reproduced_mean"] == pytest.approx(100 * scores["value"].item())
    assert one["note"] == "no score (seed 1)"
    assert "</sup> no score (seed 1)" in text
    assert "nan" not in text


def test_a_method_of_which_every_seed_failed_is_a_dash_with_the_reason(tree):
    results = tree(tasks=("stsb",), seeds=(1, 2))
    for seed in (1, 2):
        (results / f"students/finetune/stsb/seed-{seed}/metrics.json").unlink()
    grid = Grid.load(results / "plan/grid.json")
    collect(grid, incomplete=True)
    tables.write(grid)
    text = (results / "tables/published.md").read_text()
    assert "</sup> no result (seeds 1, 2)" in text
    beside, _ = published.lists(grid, pd.read_csv(results / "tables/published.csv"))[0]
    assert "finetune" in [row.name for row in beside.rows]
    assert "no result (seeds 1, 2)" in beside.footnotes.values()
    assert "nan" not in text
