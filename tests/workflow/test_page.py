"""What is made on top of the main grid: explanations, costs, ablations, and the page that shows all of it."""

import shutil

import pandas as pd
import pytest

from adkd.base.files import read_json
from adkd.plan.results import Results, read_spec
from tests.workflow.conftest import TINY, command, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def page(grid, tmp_path_factory):
    """A copy of the tiny grid with its ablations and its page, made in two goes as a user would; of two methods."""
    where = tmp_path_factory.mktemp("page") / "copy"
    shutil.copytree(grid, where, symlinks=True)
    fewer = where / "fewer.yaml"
    fewer.write_text("methods: [vanilla_kd, adkd]\n")
    cost = "results/ablations/beta/tables/cost.md"
    for targets in (["ablations"], ["results/report.html", cost]):
        done = snakemake(
            *targets, "--configfile", TINY, fewer, "--resources", "gpu=2", cwd=where, CUDA_VISIBLE_DEVICES="4,7"
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return where / "results"


def test_an_ablation_is_a_grid_of_its_own(page):
    grids = (("beta", {"adkd", "adkd+beta=0.0"}, "STS-B"), ("views", {"adkd", "adkd+views=0"}, "MNLI-mm"))
    for name, points, panel in grids:
        folder = page / "ablations" / name
        scores = pd.read_csv(folder / "scores.csv")
        assert set(scores["method"]) == points | {"teacher"}
        significance = pd.read_csv(folder / "tables/significance.csv")
        assert set(significance["reference"]) == {"adkd"}
        assert f">{panel}</text>" in (folder / "figures/curve.svg").read_text(encoding="utf-8")
    base = pd.read_csv(page / "scores.csv").query("method == 'adkd' and task == 'stsb'")["value"]
    again = pd.read_csv(page / "ablations/beta/scores.csv").query("method == 'adkd'")["value"]
    assert list(base) == list(again), "the base of an ablation is the run of the main grid"


def test_without_its_weight_the_attribution_loss_changes_nothing(page):
    """beta = 0 and the term left out: two specs that must give the same student."""
    spec = read_spec(page / "plan/students/adkd+beta=0.0/stsb/seed-1.json")
    settings = spec.settings | {"beta": 10.0, "terms": ["task", "kd"]}
    own = spec.model_copy(update={"settings": settings, "result": "students/without/stsb/seed-1"})
    own.write(Results(page).plan_file(own.result))
    done = command("adkd", "student", "results/plan/students/without/stsb/seed-1.json", cwd=page.parent)
    assert done.returncode == 0, done.stderr
    found = [read_json(page / f"students/{name}/stsb/seed-1/metrics.json") for name in ("without", "adkd+beta=0.0")]
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["flops"] < found[1]["flops"]


def test_every_student_is_explained_and_every_cost_known(page):
    fidelity = pd.read_csv(page / "fidelity.csv")
    students = fidelity[fidelity["measure"] == "rank_correlation"]
    assert len(students) == len(read_json(page / "plan/grid.json")["students"])
    assert students["value"].between(-1, 1).all()
    cost = pd.read_csv(page / "tables/cost.csv").set_index(["method", "task"])
    for task in ("stsb", "mnli"):
        flops = cost["flops"].xs(task, level="task")
        finetune = read_json(page / f"students/finetune/{task}/seed-1/metrics.json")["flops"]  # of the grid's own run
        assert finetune == flops["vanilla_kd"] < flops["adkd"]
        assert (cost[["latency_1", "latency_32", "seconds"]] > 0).all(axis=None)


def test_an_ablation_has_a_cost_of_its_own(page):
    cost = pd.read_csv(page / "ablations/beta/tables/cost.csv").set_index("method")
    assert set(cost.index) == {"teacher", "adkd", "adkd+beta=0.0"}
    assert cost["latency_1"]["adkd"] == cost["latency_1"]["adkd+beta=0.0"], "models of one size are timed once"


def test_the_page_has_every_part(page):
    text = (page / "report.html").read_text()
    for part in ("make fidelity", "make cost", "make published", "make ablations"):
        assert part not in text, f"a part is said to be missing: {part}"
    for title in ("Weight of the attribution loss", "All views against a single one"):
        assert title in text


def test_an_unknown_ablation_is_named(page):
    config = ("--configfile", TINY, page.parent / "fewer.yaml")
    done = snakemake("results/ablations/betta/figures/curve.png", "-n", *config, cwd=page.parent)
    assert done.returncode != 0
    assert 'unknown grid of this config "ablations/betta"; did you mean "ablations/beta"?' in done.stdout + done.stderr


def test_missing_runs_are_named_with_their_command(page, tmp_path):
    done = command("adkd", "scores", page / "plan/ablations/beta.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = page / "explanations/students/adkd/stsb/seed-1"
    kept.rename(kept.with_name("away"))
    try:
        done = command("adkd", "fidelity", page / "plan/grid.json", cwd=tmp_path)
    finally:
        kept.with_name("away").rename(kept)
    assert done.returncode == 2
    assert "adkd explain" in done.stderr
    assert "explanations/students/adkd/stsb/seed-1.json" in done.stderr
