"""The page, read as text."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from adkd.analysis.collect import csv_file
from adkd.analysis.collect.scores import collect
from adkd.analysis.figures import stage as figures
from adkd.analysis.figures.palette import VARIABLES
from adkd.analysis.page import page as report
from adkd.analysis.page.attributions import SHOWN, spread
from adkd.analysis.page.inlined import inlined
from adkd.analysis.tables import stage as tables
from adkd.base.errors import InputError
from adkd.plan.grid import Grid
from tests.analysis.conftest import regridded, replaced
from tests.analysis.page_results import NASTY, STARRED, page, payload, section, tabled
from tests.analysis.test_fidelity import write_explanation

OPTIONAL = {"fidelity": "fidelity", "examples": "fidelity", "cost": "cost"}
OPTIONAL |= {"published": "published", "ablations": "ablations"}


def test_a_part_that_was_not_made_is_one_line_with_its_command(reported):
    found = reported()
    for name in ("published.csv", ".published.csv.sha256"):
        (found / "tables" / name).unlink()
    text = page(found)
    for name, target in OPTIONAL.items():
        part = section(text, name)
        assert f"<code>make {target}</code>" in part
        assert not re.search("<table|<svg|<select|<img", part)
    for name in ("scores", "differences", "provenance"):
        assert "<table" in section(text, name)


@pytest.mark.workflow
@pytest.mark.parametrize(
    "name",
    [
        *("tables/published.csv", "tables/cost.csv", "tables/fidelity.csv", "figures/cost.svg", "figures/fidelity.svg"),
        *("ablations/steps/tables/main.csv", "ablations/steps/figures/curve.svg"),
    ],
)
def test_a_part_that_was_made_and_is_gone_is_an_error(reported, name):
    found = reported(whole=True)
    (found / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)) as caught:
        page(found)
    assert "make it with: adkd" in str(caught.value)


@pytest.mark.workflow
def test_every_part_that_was_made_is_shown(reported):
    text = page(reported(whole=True))
    for name in OPTIONAL:
        part = section(text, name)
        assert "<code>make" not in part
        assert re.search("<table|<select", part)
    for name in ("scores", "differences", "fidelity", "cost", "ablations"):
        assert section(text, name).count("<svg") == 1
    part = section(text, "cost")
    for shown in ("20.0", "4", "1.50", "11.0", "2.00", "40.0", "800"):  # s, TFLOP, GiB, M, ms, ms, examples/s
        assert f">{shown}</td>" in part
    assert "<sup>a</sup> recalled" in section(text, "published")


@pytest.mark.workflow
def test_a_table_of_reasons_or_costs_says_its_test_and_its_limits_once(reported):
    text = page(reported(whole=True))
    for name, said in (("fidelity", "paired sign-flip test over seeds"), ("cost", "Machine: cpu, 1 thread(s)")):
        part = section(text, name)
        assert part.count("<table") == 2
        assert part.count(said) == 1
    for task_name in ("stsb", "rte"):  # what differs between tasks stands under each
        assert section(text, "cost").count(f"measured on teachers/{task_name}/seed-shared") == 1
    rows = re.findall('<tr(?: class="reference")?>.*?</tr>', section(text, "fidelity"), re.DOTALL)
    starred = [row for row in rows if 'class="star"' in row]
    assert len(starred) == 1
    assert f">{STARRED[0]}</th>" in starred[0]


@pytest.mark.workflow
def test_an_example_of_another_making_is_refused(reported):
    found = reported(whole=True)
    write_explanation(found, "students/adkd/rte/seed-1", [], planned=False)
    with pytest.raises(InputError) as caught:
        page(found)
    assert "rows was 0, the plan has 30" in caught.value.what
    assert re.search("adkd explain .*rte/seed-1", caught.value.remedy)


def test_scores_and_intervals_are_those_of_the_tables(reported):
    found = reported(tasks=("stsb", "mnli"))
    part = section(page(found), "scores")
    main = pd.read_csv(found / "tables/main.csv")
    shown = [float(number) for number in re.findall(r'data-number="([^"]+)"', part)]
    for row in main.itertuples():
        assert np.isclose(shown, 100 * row.mean).any()
    students = main[main["n"] > 1]
    half = t.ppf(0.975, students["n"] - 1) * students["sd"] / np.sqrt(students["n"])
    for low, high in zip(100 * (students["mean"] - half), 100 * (students["mean"] + half), strict=True):
        assert f"[{low:.1f}, {high:.1f}]".replace("-", "−") in part
    p_values = pd.read_csv(found / "tables/significance.csv").query("level == 'seed'")["p_holm"]
    assert sorted(re.findall(r'class="p">p ([.0-9]+)<', part)) == sorted(f"{p:.3f}" for p in p_values)


def test_curves_hold_every_epoch_of_every_run(reported):
    found = reported()
    curves = payload(page(found))["curves"]
    grid = Grid.load(found / "plan/grid.json")
    for run in grid.runs:
        one, history = curves[run.task][run.method], grid.report(run).history
        which = one["seeds"].index(run.seed)
        assert one["steps"] == [[epoch.phase, epoch.epoch] for epoch in history]
        assert one["score"][which][0] is None
        assert one["score"][which][1:] == pytest.approx([epoch.score for epoch in history[1:]], rel=1e-4)
        assert one["terms"]["kd"][which] == pytest.approx([epoch.terms["kd"] for epoch in history], rel=1e-4)
        assert history[one["kept"][which]].kept


@pytest.mark.workflow
def test_examples_follow_the_rule_and_show_the_teachers_class(reported):
    found = reported(whole=True, tasks=("mnli", "stsb"))
    for name, shown in payload(page(found))["explained"].items():
        theirs, ours = (
            pd.read_parquet(found / "explanations" / place / "examples.parquet").set_index("idx")
            for place in (f"teachers/{name}/seed-shared", f"students/adkd/{name}/seed-1")
        )
        rho, maps = {}, {}
        for idx in theirs.index:
            view = theirs["logits"][idx].argmax() if name == "mnli" else 0
            pair = pd.DataFrame({"a": theirs["contributions"][idx][view], "b": ours["contributions"][idx][view]})
            rho[idx] = pair[~theirs["special"][idx]].corr("spearman").loc["a", "b"]
            maps[idx] = pair
        for example in shown["examples"]:
            student = example["students"]["adkd"]
            assert student["rho"] == pytest.approx(rho[example["idx"]], abs=0.0051)
            assert student["map"] == pytest.approx(list(maps[example["idx"]]["b"]), rel=0.01)
            assert example["teacher"]["map"] == pytest.approx(list(maps[example["idx"]]["a"]), rel=0.01)
        assert [one["idx"] for one in shown["examples"]] == [idx for idx, _ in spread(rho)]


def test_the_rule_takes_best_median_and_worst():
    rng = np.random.default_rng(3)
    rho = dict(enumerate(rng.uniform(-1, 1, 61)))
    chosen = spread(rho | {99: float("nan")})
    values = [rho[idx] for idx, _ in chosen]
    assert len(chosen) == SHOWN
    assert values == sorted(values, reverse=True)
    assert (values[0], values[-1]) == (max(rho.values()), min(rho.values()))
    assert np.median(list(rho.values())) in values
    assert [words.partition(" (")[2] for _, words in chosen if "(" in words] == ["best)", "median)", "worst)"]
    assert chosen == spread(dict(reversed(rho.items())))
    assert spread({7: 0.5}) == [(7, "rank 1 of 1 (median)")]
    assert spread({}) == []


@pytest.mark.workflow
def test_what_others_wrote_is_text(reported):
    found = reported(whole=True)
    text = page(found)
    assert NASTY not in text
    assert text.count("<script") == text.count("</script>") == 2
    tokens = {token for one in payload(text)["explained"].values() for e in one["examples"] for token in e["tokens"]}
    assert {NASTY, "<b>", "a&b", '"'} <= tokens


@pytest.mark.workflow
def test_the_page_asks_for_nothing(reported):
    text = page(reported(whole=True))
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    links = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']?([^"'\s>]*)""", markup)
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|<link|<iframe", text)
    assert "default-src 'none'" in text


@pytest.mark.workflow
def test_the_same_results_are_the_same_page_of_bounded_size(reported, tmp_path):
    found = reported(whole=True)
    first = page(found)
    assert page(found) == first
    curves = payload(first)["curves"]
    runs = sum(len(one["seeds"]) for methods in curves.values() for one in methods.values())
    assert len(json.dumps(curves)) / runs < 1000  # 2,400 runs stay a few MB


def test_runs_of_different_making_are_warned_of(reported):
    found = reported()
    assert 'class="warning"' not in page(found)
    replaced(found, "students/finetune/rte/seed-2", git_commit="d" * 40 + "+", versions={"torch": "3.0"})
    tabled(found)
    text = page(found)
    assert text.count('class="warning"') == 2
    for said in ("commit: " + "c" * 40 + " (19 runs); " + "d" * 40 + "+ (1 run)", "torch: 2.9 (19 runs); 3.0 (1 run)"):
        assert text.count(said) == 2
    assert "changes that are in no commit" in text


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("tables/main.csv", "adkd tables"),
        ("figures/differences.svg", "adkd figures"),
        ("tables/significance.csv", "adkd tables"),
        ("scores.csv", "adkd scores"),
        ("students/adkd/rte/seed-1/metrics.json", "adkd student .*plan/students/adkd/rte/seed-1.json"),
    ],
)
def test_what_is_missing_is_named_with_its_command(reported, lost, said):
    found = reported()
    (found / lost).unlink()
    with pytest.raises(InputError) as caught:
        page(found)
    assert caught.value.what == f"{found / lost} is missing"
    assert re.search(said, caught.value.remedy)
    assert not (found / "report.html").exists()


def test_metrics_of_another_making_are_refused(reported):
    found = reported()
    file = found / "students/adkd/rte/seed-1/metrics.json"
    file.write_text(file.read_text().replace('"history"', '"course"'))
    for work, remedy in ((page, "adkd scores"), (tabled, f"adkd student {found}/plan/students/adkd/rte/seed-1.json")):
        with pytest.raises(InputError) as caught:
            work(found)
        assert f"{file} " in caught.value.what
        assert remedy in caught.value.remedy


@pytest.mark.usefixtures("svg_alone")
def test_what_was_made_of_other_scores_or_another_plan_is_refused(reported):
    found = reported()
    grid = Grid.load(found / "plan/grid.json")
    figures.write(grid)
    page(found)
    for change, remedy in (
        (lambda: replaced(found, "students/adkd/rte/seed-1", seconds=99.0), "adkd scores"),
        (lambda: collect(grid), "adkd tables"),
        (lambda: tables.write(grid), "adkd figures"),
    ):
        change()
        with pytest.raises(InputError, match="is stale") as caught:
            page(found)
        assert caught.value.remedy == f"rebuild it with: {remedy} {grid.file}"
    figures.write(grid)
    page(found)
    regridded(found, notes=("Another.",))
    with pytest.raises(InputError, match=r"scores\.csv is stale: .*/plan/grid\.json was changed since"):
        page(found)


def test_a_table_of_an_earlier_version_is_refused(reported):
    found = reported()
    file = found / "tables/main.csv"
    csv_file.write(file, pd.read_csv(file).drop(columns="note"), [])
    with pytest.raises(InputError, match=r'main\.csv has no column "note"') as caught:
        page(found)
    assert "adkd tables" in caught.value.remedy


def test_a_skipped_method_is_said_and_never_a_number(reported):
    found = reported(skipped=(("finetune", "stsb"),))
    text = page(found)
    assert "needs classes" in section(text, "differences")
    assert "finetune: needs classes" in section(text, "scores")
    assert "finetune" not in payload(text)["curves"]["stsb"]


def test_one_seed_has_no_interval(reported):
    text = page(reported(seeds=(1,)))
    assert "One seed: no sd, no interval and no test" in text
    assert 'class="interval"' not in section(text, "scores")
    assert "±" not in re.search("<tbody.*</table>", section(text, "scores"), re.DOTALL).group()


@pytest.mark.workflow
def test_a_method_alone_is_compared_with_nothing(reported):
    text = page(reported(whole=True, skill={"adkd": 1.0}))
    assert "nothing to compare" in section(text, "differences")
    assert "<table" not in section(text, "differences")


def test_a_figure_takes_the_fonts_and_colours_of_the_page_and_says_its_marks(reported):
    found = reported()
    one = inlined(found / "figures/scores.svg", "scores", "adkd figures")
    assert one.caption == "Figure scores & <all>"
    assert "Figure scores &amp; &lt;all&gt;. scores: mean 0.5." in one.svg
    assert "<title>scores: mean 0.5</title>" in one.svg
    assert not re.search(r"#[0-9a-f]{6}|font-family|<style|<metadata", one.svg.split(">", 1)[1].lower())
    assert one.svg.split(">", 1)[0].count("viewBox") == 1
    defined = set(re.findall(r"(--[a-z]+):", (Path(report.__file__).parent / "style.css").read_text()))
    assert set(re.findall(r"var\((--[a-z]+)\)", one.svg)) <= defined
    assert {f"--{name}" for name in VARIABLES.values()} <= defined


@pytest.mark.workflow
def test_ids_are_unique_on_the_page_and_every_reference_has_its_target(reported):
    text = page(reported(whole=True))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) <= set(ids)


def test_the_numbers_of_a_difference_are_those_of_the_table(reported):
    found = reported()
    part = section(page(found), "differences")
    for row in pd.read_csv(found / "tables/significance.csv").query("level == 'seed'").itertuples():
        low, mean, high = (f"{100 * value:+.2f}".replace("-", "−") for value in (row.low, row.difference, row.high))
        assert f">{mean}</td>" in part
        assert f"[{low}, {high}]" in part
        assert f">{row.p_holm:.3f}</td>" in part
