from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adkd.analysis.collect import csv_file
from adkd.analysis.collect.scores import collect
from adkd.analysis.tables import stage as tables
from adkd.analysis.tables.table import Cell, Row, Table, headings
from adkd.analysis.tables.text import latex, plain
from adkd.analysis.tables.wording import spans
from adkd.base.errors import InputError
from adkd.plan.grid import Grid
from tests.analysis.conftest import replaced
from tests.written import reported


def written(results: Path) -> Path:
    grid, out = Grid.load(results / "plan/grid.json"), results / "tables"
    collect(grid)
    tables.write(grid)
    return out


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.removeprefix("| ").startswith(start))


def test_many_seeds_are_said_shortly():
    assert spans(("1", "2", "3")) == "1, 2, 3"
    assert spans(tuple(map(str, [*range(1, 61), 7, 100, 101, 102, 103]))) == "1–60, 7, 100–103"


def test_main_is_the_mean_and_sd_of_the_scores(tree):
    out = written(tree(tasks=("mnli", "mrpc")))
    main, scores = pd.read_csv(out / "main.csv"), pd.read_csv(out.parent / "scores.csv")
    assert list(main.columns[:6]) == ["method", "task", "metric", "mean", "sd", "n"]
    assert len(main) == 4 * 3
    assert list(main["method"].unique()) == ["teacher", "finetune", "vanilla_kd", "adkd"]
    for row in main.itertuples():
        same = (scores["method"] == row.method) & (scores["split"] == row.split) & (scores["metric"] == row.metric)
        values = scores[same & (scores["task"] == row.task.removesuffix("_mm"))]["value"]
        assert row.n == len(values) == (1 if row.method == "teacher" else 3)
        assert row.mean == pytest.approx(values.mean())
        assert np.isnan(row.sd) if row.n == 1 else row.sd == pytest.approx(values.std(ddof=1))
    assert set(main["metric"]) == {"accuracy", "f1"}


def test_mnli_mm_is_a_column_but_not_in_the_average(tree):
    out = written(tree(tasks=("mnli", "mrpc")))
    main = pd.read_csv(out / "main.csv").set_index(["method", "task"])["mean"]
    average = pd.read_csv(out / "average.csv").set_index("method")["mean"]
    assert average["adkd"] == pytest.approx((main["adkd", "mnli"] + main["adkd", "mrpc"]) / 2)
    assert main["adkd", "mnli_mm"] != main["adkd", "mnli"]
    assert "MNLI-mm is left out" in (out / "main.md").read_text()
    whole = pd.read_csv(out / "significance.csv").query("level == 'task' and method == 'finetune'").iloc[0]
    assert whole["difference"] == pytest.approx(average["finetune"] - average["adkd"])
    assert whole["n"] == 2
    assert "cannot reach" in whole["note"]


def test_a_skipped_method_is_a_dash_with_a_reason_and_no_average(tree):
    out = written(tree(skipped=(("finetune", "stsb"),)))
    text = (out / "main.md").read_text()
    cells = line(text, "finetune").split("|")
    assert [cells[3].strip(), cells[5].strip()] == ["–<sup>a</sup>", "–<sup>b</sup>"]
    assert "<sup>a</sup> finetune: needs classes" in text
    main, tested = pd.read_csv(out / "main.csv"), pd.read_csv(out / "significance.csv")
    assert main.query("method == 'finetune' and task == 'stsb'").empty
    assert tested.query("method == 'finetune' and task == 'stsb'").empty
    assert (tested.query("level == 'seed'")["family"] == 3).all()


def test_three_seeds_never_give_a_star(tree):
    out = written(tree(tasks=("rte",), skill={"finetune": 0.1, "adkd": 9.0}))
    seeds = pd.read_csv(out / "significance.csv").query("level == 'seed'").iloc[0]
    assert seeds["difference"] < -0.2
    assert seeds["p"] == seeds["smallest_p"] == 0.25
    assert "*" not in line((out / "main.md").read_text(), "finetune")
    assert "no star can appear (from 6 seeds on one could)" in (out / "main.md").read_text()


def test_six_seeds_and_a_large_gap_give_a_star_until_the_family_grows(tree):
    out = written(tree(tasks=("rte",), skill={"finetune": 0.1, "adkd": 9.0}, seeds=(1, 2, 3, 4, 5, 6)))
    text = (out / "main.md").read_text()
    assert r"\*" in line(text, "finetune")
    assert r"\*" not in line(text, "adkd")
    assert "no star can appear" not in text
    assert "$^{*}$" in line((out / "main.tex").read_text(), "finetune")
    assert "*" in line((out / "main.txt").read_text(), "finetune")
    skill = {"finetune": 0.1, "vanilla_kd": 0.1, "adkd": 9.0}
    out = written(tree(tasks=("rte",), skill=skill, seeds=(1, 2, 3, 4, 5, 6)))
    assert "*" not in line((out / "main.txt").read_text(), "finetune")


def test_significance_counts_its_family_and_states_its_parts(tree):
    out = written(tree(tasks=("mnli", "mrpc", "stsb")))
    table = pd.read_csv(out / "significance.csv")
    fixed = "task,method,reference,metric,difference,low,high,p,p_holm,n,test"
    assert list(table.columns[:11]) == fixed.split(",")
    for level, size in (("seed", 8), ("example", 8), ("task", 2)):
        rows = table[table["level"] == level]
        assert len(rows) == size
        assert (rows["family"] == size).all()
        assert (rows["p_holm"] >= rows["p"]).all()
        assert rows["p_holm"].min() == pytest.approx(min(1, size * rows["p"].min()))
    assert ((table["low"] < table["difference"]) & (table["difference"] < table["high"])).all()
    assert (table["p"] >= table["smallest_p"] - 1e-12).all()
    assert set(table[table["level"] == "example"]["n"]) == {60}
    assert set(table[table["level"] == "seed"]["n"]) == {3}
    tests = table[table["level"] == "example"].groupby("metric")["test"].first()
    assert tests["accuracy"] == "exact McNemar"
    assert "permutation" in tests["f1"]
    assert "permutation" in tests["spearmanr"]


def test_one_seed_has_no_sd_no_interval_and_no_test(tree):
    out = written(tree(seeds=(1,)))
    table = pd.read_csv(out / "significance.csv")
    assert table[["low", "high", "p", "p_holm"]].isna().all().all()
    assert table["note"].str.contains("one seed").all()
    assert table["difference"].notna().all()
    assert pd.read_csv(out / "main.csv")["sd"].isna().all()
    for name in ("main.md", "main.txt", "main.tex"):
        text = (out / name).read_text()
        assert "One seed: no sd, no interval, no test." in text
        assert "differs from" not in text
    assert "±" not in line((out / "main.md").read_text(), "adkd")


def test_a_single_method_is_a_table_without_comparisons(tree):
    out = written(tree(skill={"adkd": 1.0}))
    assert pd.read_csv(out / "significance.csv").empty
    assert "No method was compared" in (out / "significance.md").read_text()


def test_an_undefined_score_is_left_out_and_named(tree):
    results = tree(tasks=("stsb",))
    replaced(results, "students/finetune/stsb/seed-1", scores={"validation": {"spearmanr": None, "pearsonr": None}})
    out = written(results)
    assert "<sup>a</sup> no score (seed 1)" in (out / "main.md").read_text()
    assert pd.read_csv(out / "main.csv").set_index("method").loc["finetune", "n"] == 2
    assert "nan" not in (out / "main.md").read_text() + (out / "significance.md").read_text()


def test_everything_is_rebuilt_byte_by_byte(tree):
    results = tree(skipped=(("finetune", "stsb"),))
    first = {path.name: path.read_bytes() for path in written(results).iterdir()}
    assert {path.name: path.read_bytes() for path in written(results).iterdir()} == first


@pytest.mark.parametrize(
    ("selection", "said"),
    [("dev", "the scores are therefore optimistic"), ("held_out", "held out"), ("last", "nothing was selected")],
)
def test_the_selection_and_the_plans_notes_are_said(tree, selection, said):
    out = written(tree(tasks=("rte",), selection=selection))
    for name in ("main.md", "main.tex", "main.txt"):
        text = " ".join((out / name).read_text().split())
        assert said.lower() in text.lower()
        assert "A note of the plan." in text
        assert "No star does not mean no difference" in text


def test_latex_rows_are_balanced_and_escaped(tree):
    text = (written(tree(tasks=("mnli", "rte"))) / "main.tex").read_text()
    body = [one for one in text.splitlines() if one.endswith(r"\\")]
    assert {one.count("&") for one in body} == {5}
    assert r"\begin{tabular}{lrrrrr}" in text
    assert r"vanilla\_kd" in text
    assert text.count("{") == text.count("}")
    assert "%" not in text.replace(r"\%", "").split("\n", 1)[1]
    assert r"a\_b \& 5\,\%".replace(r"\,", "") in latex(Table("t", headings("x"), [Row("a_b & 5%", [])]))


def test_a_second_role_has_a_second_table_without_stars(tree):
    skill = {"finetune": 0.1, "adkd": 9.0}
    out = written(tree(tasks=("movies",), skill=skill, seeds=(1, 2, 3, 4, 5, 6), roles=("validation", "test")))
    first, second = (out / "main.txt").read_text().split("Scores on test")
    assert "*" in line(first, "finetune")
    assert "*" not in line(second, "finetune")
    assert "selected on validation, not on test" in second
    assert set(pd.read_csv(out / "main.csv")["split"]) == {"validation", "test"}


def test_predictions_that_do_not_give_the_score_are_refused(tree):
    results = tree()
    replaced(results, "students/adkd/rte/seed-1", scores={"validation": {"accuracy": 0.999}})
    with pytest.raises(InputError, match=r"accuracy on validation .* got 0\.999"):
        written(results)
    assert not (results / "tables").exists()


def test_other_examples_are_refused(tree):
    results = tree()
    path = results / "students/finetune/rte/seed-2/predictions/validation.parquet"
    table = pd.read_parquet(path)
    table["idx"] = table["idx"][::-1].to_numpy()
    table.to_parquet(path, index=False)
    reported(path.parents[1])
    with pytest.raises(InputError, match="other examples"):
        written(results)


def test_scores_that_lack_a_run_are_refused(tree):
    results = tree()
    collect(Grid.load(results / "plan/grid.json"))
    table = pd.read_csv(results / "scores.csv")
    csv_file.write(results / "scores.csv", table[table["method"] != "adkd"], [])
    with pytest.raises(InputError, match=r"lacks 6 of 20 runs .* adkd scores"):
        tables.write(Grid.load(results / "plan/grid.json"))


def test_the_summary_is_the_table_and_the_paths(tree):
    out = written(tree())
    text = tables.summary(out)
    assert "Scores on validation" in text
    assert str(out / "significance.md") in text
    assert "|" not in text
    assert max(map(len, text.split("Tables:")[0].splitlines())) <= 110
    with pytest.raises(InputError, match="adkd tables"):
        tables.summary(out / "nowhere")


def test_a_wide_table_goes_on_below():
    rows = [Row("a", [Cell(12.3, sd=0.4)] * 20)]
    text = plain(Table("t", headings("method", *(f"column {n}" for n in range(20))), rows))
    assert max(map(len, text.splitlines())) <= 110
    assert text.count("12.3 ± 0.4") == 20
    assert text.count("method") == text.count("a   ")
