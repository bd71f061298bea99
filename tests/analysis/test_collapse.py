"""Runs that predict a constant, lie apart or failed: every table, figure and page is made, and names their seeds."""

import re

import numpy as np
import pandas as pd
import pytest

from adkd.analysis import submission
from adkd.analysis.collect import scores
from adkd.analysis.collect.scores import collect, read_scores
from adkd.analysis.figures import differences
from adkd.analysis.figures import scores as score_figure
from adkd.analysis.figures import stage as figures
from adkd.analysis.figures.style import STYLE
from adkd.analysis.page import page
from adkd.analysis.stats.collapse import outlying
from adkd.analysis.tables import stage as tables
from adkd.base.errors import InputError
from adkd.bench.made_up import write_run
from adkd.data.tasks import task
from adkd.plan.grid import Grid
from adkd.plan.results import Results
from tests.analysis.conftest import outputs, predicted, student_spec
from tests.analysis.page_results import recorded

pytestmark = pytest.mark.usefixtures("svg_alone")
TASKS = ("cola", "mrpc", "stsb", "rte")


def rerun(results, name, change) -> None:
    """Put other logits into a student's predictions, and their scores into its report."""
    _, method, of, seed = name.split("/")
    table = predicted(results, name, "validation")
    logits = table[[f"logit_{n}" for n in range(task(of).outputs)]].to_numpy()
    spec = student_spec(method, of, int(seed.removeprefix("seed-")))
    write_run(Results(results), spec, {"validation": (table["label"].to_numpy(), change(logits).astype("float32"))})


def constant(logits):
    return np.full_like(logits, 2.3) if logits.shape[1] == 1 else np.zeros_like(logits) + np.eye(logits.shape[1])[0]


def made(results, incomplete=False):
    """The texts of everything that is made of a grid."""
    grid = Grid.load(results / "plan/grid.json")
    collect(grid, incomplete)
    tables.write(grid)
    figures.write(grid)
    page.write(grid)
    files = [*(results / "tables").iterdir(), *(results / "figures").iterdir(), results / "report.html"]
    return {file.name: file.read_text() for file in files}


@pytest.fixture
def grown(tree):
    results = tree(tasks=TASKS)
    recorded(Grid.load(results / "plan/grid.json"), np.random.default_rng(0))
    return results


@pytest.mark.workflow
def test_constant_predictions_are_marked_wherever_their_scores_stand(grown):
    for name in TASKS:
        rerun(grown, f"students/finetune/{name}/seed-2", constant)
        rerun(grown, f"students/adkd/{name}/seed-3", constant)
    texts = made(grown)
    table = pd.read_csv(grown / "scores.csv", dtype={"seed": str})
    marked = table[table["note"] == scores.CONSTANT]
    assert set(zip(marked["method"], marked["seed"], strict=True)) == {("finetune", "2"), ("adkd", "3")}
    assert (marked.query("metric != 'accuracy' and metric != 'f1'")["value"] == 0).all(), "by convention"
    for name in ("main.md", "main.tex", "main.txt", "report.html", "significance.md"):
        text = " ".join(texts[name].split())
        assert "constant predictions (seed 2)" in text
        assert "assume roughly normal seeds" in text
    main = pd.read_csv(grown / "tables/main.csv").set_index(["method", "task"])
    assert (main.loc["finetune"]["note"] == "constant predictions (seed 2)").all()
    assert main.loc["vanilla_kd"]["note"].isna().all()
    assert (main["n"].loc["finetune"] == 3).all()
    tests = pd.read_csv(grown / "tables/significance.csv")
    assert tests["note"].str.contains(r"adkd(?: on \w+)?: constant predictions \(seed 3\)").all(), "the reference's too"
    assert "constant predictions or outlying" in texts["scores.svg"]
    assert "interval" not in texts["scores.svg"], "the figure has none"
    assert "hollow" in texts["differences.svg"]


@pytest.mark.workflow
def test_a_run_that_failed_is_left_out_on_request_and_named(grown):
    (grown / "students/finetune/rte/seed-2/metrics.json").unlink()
    for seed in (1, 2, 3):
        (grown / f"students/vanilla_kd/stsb/seed-{seed}/metrics.json").unlink()
    with pytest.raises(InputError, match="4 of 40 runs have no report"):
        made(grown)
    texts = made(grown, incomplete=True)
    main = pd.read_csv(grown / "tables/main.csv").set_index(["method", "task"])
    assert main.loc[("finetune", "rte"), ["n", "note"]].tolist() == [2, "no result (seed 2)"]
    assert main.loc[("vanilla_kd", "stsb"), ["n", "note"]].tolist() == [0, "no result (seeds 1, 2, 3)"]
    tests = pd.read_csv(grown / "tables/significance.csv").query("level == 'seed'").set_index(["method", "task"])
    assert tests.loc[("finetune", "rte"), "n"] == 2
    for name in ("main.md", "main.tex", "main.txt", "report.html"):
        assert "no result (seeds 1, 2, 3)" in " ".join(texts[name].split())
        assert not re.search(r"\bnan\b", texts[name].split("<script")[0])
    for name in ("scores.svg", "differences.svg"):
        assert "no score" in texts[name]
        assert "not run" not in texts[name]
    assert "not in this plan" not in texts["report.html"].partition('id="differences"')[2].partition("</section>")[0]
    assert "36 students, 4 teachers; 4 of them left no result" in texts["report.html"]
    assert "32 trained students" in " ".join(texts["report.html"].split())
    assert not [text for text in texts.values() if ": mean nan" in text]


def test_a_collapsed_seed_is_outlying_and_ordinary_ones_are_not():
    assert outlying(np.array([0.70, 0.71, 0.53]), 0.527) == [2]
    assert outlying(np.array([0.45, 0.02, 0.46, 0.44, 0.01]), 0.0) == [1, 4], "two do not hide each other"
    assert outlying(np.array([0.70, 0.71, 0.66]), 0.527) == [], "it keeps most of its lead"
    assert outlying(np.array([0.50, 0.51, 0.40]), 0.527) == [], "no seed learned anything"
    assert outlying(np.array([0.70, 0.10]), 0.5) == [], "of two, neither is the odd one"


def test_a_submission_says_that_its_answers_are_constant_or_tied(tree):
    results = tree(tasks=("rte",), skill={"adkd": 1.5})
    grid = Grid.load(results / "plan/grid.json")
    runs = grid.students
    assert "constant" not in submission._choice(grid, "rte", runs, "best").source
    for seed in (1, 2, 3):
        rerun(results, f"students/adkd/rte/seed-{seed}", constant)
    source = submission._choice(grid, "rte", runs, "best").source
    assert source == "seed 1, best of 3, the first of 3 equal ones, constant predictions on dev"
    assert submission._choice(grid, "rte", runs, "average").source == "mean of 3 seeds, constant predictions on dev"


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_normal_seeds_are_rarely_outlying_whatever_their_lead(n):
    draws = np.random.default_rng(n).normal(size=(300, n))
    for lead in (0.3, 2, 3, 4, 8):
        assert np.mean([bool(outlying(draw + lead, 0.0)) for draw in draws]) < 0.1


@pytest.mark.workflow
def test_the_figures_mark_an_outlying_seed(grown):
    rng = np.random.default_rng(3)
    for seed in (1, 3):
        _, logits = outputs(task("rte"), 9.0, rng)
        rerun(grown, f"students/adkd/rte/seed-{seed}", lambda _, logits=logits: logits)
    rerun(grown, "students/adkd/rte/seed-2", lambda logits: -logits)
    grid = Grid.load(grown / "plan/grid.json")
    collect(grid)
    tables.write(grid)
    from matplotlib import pyplot as plt

    with plt.rc_context(STYLE):
        drawn = score_figure.draw(grid, read_scores(grid))
        forest = differences.draw(grid, pd.read_csv(grown / "tables/significance.csv"))
    (rte,) = (axes for axes in drawn.axes if axes.get_title(loc="left") == "RTE")
    (cross,) = (line for line in rte.lines if line.get_marker() == "x")
    value = read_scores(grid).query("method == 'adkd' and task == 'rte' and seed == '2'")["value"].iloc[0]
    assert list(cross.get_xdata()) == [pytest.approx(100 * value)]
    assert "hollow" in forest.get_suptitle()
    assert "outlying (seed 2:" in (grown / "tables/main.md").read_text()
    plt.close("all")
