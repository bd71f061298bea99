"""Fidelity of explanations that are written as real files: known relations between teacher and student."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text
from scipy.stats import spearmanr

from adkd.analysis.collect import fidelity
from adkd.analysis.collect.explanations import top_overlap, top_size
from adkd.analysis.collect.scores import collect as collect_scores
from adkd.analysis.collect.scores import read_scores
from adkd.analysis.figures import fidelity as fidelity_figure
from adkd.analysis.tables import fidelity as fidelity_table
from adkd.base.errors import InputError
from adkd.bench.made_up import PROVENANCE
from adkd.plan.grid import Grid
from adkd.plan.reports import CompletenessError, ExplainReport, Statistics
from adkd.plan.results import Results
from adkd.plan.specs import ExplainSpec, OfModel
from tests.analysis.conftest import regridded

FAITHFULNESS = ("comprehensiveness", "sufficiency", "comprehensiveness_random", "sufficiency_random")


def example(idx, outputs, rng, length=None):
    """A row of ``examples.parquet`` with random maps; first and last token are special."""
    length = length or int(rng.integers(6, 20)) + 2
    return {
        "idx": idx,
        "special": [True] + [False] * (length - 2) + [True],
        "logits": rng.normal(size=outputs),
        "contributions": rng.normal(size=(outputs, length)),
        "magnitudes": rng.random((outputs, length)),
    } | {name: rng.random() for name in FAITHFULNESS}


def examples(outputs, rng, count=25):
    return [example(idx, outputs, rng) for idx in range(count)]


def with_maps(rows, change, names=("contributions", "magnitudes")):
    """The same examples, their maps ``[C, L]`` changed."""
    return [row | {name: change(row[name]) for name in names} for row in rows]


def write_explanation(root, model, rows, planned=True, steps=16, data_fingerprint="d"):
    """An explanation as ``adkd explain`` leaves it and, if planned, its spec."""
    results, plain = Results(root), [{name: np.asarray(value).tolist() for name, value in row.items()} for row in rows]
    spec = ExplainSpec(
        result=f"explanations/{model}",
        code="code",
        task=model.split("/")[-2],
        device="cpu",
        threads=1,
        seed=0,
        split="validation",
        rows=len(rows),
        steps=steps,
        bins=(0.1, 0.5),
        inputs=OfModel(data="data", **{model.partition("/")[0].removesuffix("s"): model}),
    )
    out = results.directory(spec.result)
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(plain), out / "examples.parquet")
    if planned:
        spec.write(results.plan_file(spec.result))
    statistics = Statistics(mean=0.5, median=0.25, max=1.0)
    report = ExplainReport(
        spec=spec,
        rows=len(rows),
        completeness_error=CompletenessError(absolute=statistics, relative=statistics),
        seconds=1.0,
        data_fingerprint=data_fingerprint,
        **PROVENANCE,
    )
    report.write_last(results.report_file(spec.result, spec.stage))


def with_explanations(runs):
    return tuple(run.model_copy(update={"explanation": f"explanations/{run.result}"}) for run in runs)


@pytest.fixture
def explained(tree):
    """Writes a tree whose every run is explained: ``rows(method, task, teacher's rows, rng)`` says how."""

    def make(rows=lambda method, task, teacher, rng: teacher, **options) -> Path:
        results, rng = tree(**({"tasks": ("rte",)} | options)), np.random.default_rng(5)
        grid = Grid.load(results / "plan/grid.json")
        teachers = {run.task: examples(1 if run.task == "stsb" else 2, rng) for run in grid.teachers}
        for run in grid.teachers:
            write_explanation(results, run.result, teachers[run.task])
        for run in grid.students:
            write_explanation(results, run.result, rows(run.method, run.task, teachers[run.task], rng))
        regridded(results, students=with_explanations(grid.students), teachers=with_explanations(grid.teachers))
        return results

    return make


def collected(results):
    fidelity.collect(Grid.load(results / "plan/grid.json"))
    return pd.read_csv(results / "fidelity.csv", dtype={"seed": str})


def values(table, method="adkd", **more):
    rows = table[table["method"] == method]
    for name, value in more.items():
        rows = rows[rows[name] == value]
    return rows.groupby("measure")["value"].mean()


@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_a_student_that_is_its_teacher_agrees_in_all_and_a_reversed_one_in_nothing(explained, task):
    def rows(method, task, teacher, rng):
        return teacher if method == "adkd" else with_maps(teacher, lambda values: -values)

    table = collected(explained(rows, tasks=(task,)))
    measures = ["rank_correlation", "magnitude_correlation", "top_k_overlap", "agreement"]
    np.testing.assert_allclose(values(table)[measures], 1)
    reversed_ = values(table, "finetune")
    np.testing.assert_allclose(reversed_[measures[:2]], -1)
    assert reversed_["top_k_overlap"] == (1 if task == "stsb" else 0), "regression ranks by size"
    assert list(table.columns) == ["method", "task", "seed", "split", "measure", "value", "rows"]
    assert not table.duplicated(["method", "task", "seed", "measure"]).any()
    own = values(table, "teacher")
    assert set(own.index) == {*FAITHFULNESS, "completeness_error"}
    assert own["completeness_error"] == 0.25


def test_the_top_is_a_fifth_rounded_up_of_the_largest():
    a, b = np.array([5.0, 4, 3, 2, 1, 0]), np.array([5.0, 0, 1, 2, 3, 4])
    assert top_overlap(a, b) == 0.5
    assert top_overlap(a[:5], b[:5]) == 1
    assert [top_size(length) for length in (1, 5, 6, 10, 11)] == [1, 1, 2, 2, 3]


def test_random_maps_overlap_as_chance_says_and_correlate_with_nothing(explained):
    def rows(method, task, teacher, rng):
        return with_maps(teacher, lambda values: rng.permuted(values, axis=1))

    table = collected(explained(rows, seeds=tuple(range(1, 21)), skill={"adkd": 1.5}))
    found = values(table)
    assert found["top_k_overlap"] == pytest.approx(found["top_k_overlap_chance"], abs=0.04)
    assert found["rank_correlation"] == pytest.approx(0, abs=0.04)
    assert 0.2 <= found["top_k_overlap_chance"] <= 0.34, "a fifth, rounded up"


def test_both_are_asked_about_the_teachers_class_and_special_tokens_are_not(explained):
    def rows(method, task, teacher, rng):
        changed = []
        for row in teacher:
            predicted = int(np.argmax(row["logits"]))
            maps = rng.normal(size=row["contributions"].shape)
            maps[predicted, 1:-1] = row["contributions"][predicted, 1:-1]
            changed.append(row | {"logits": -row["logits"], "contributions": maps})
        return changed

    found = values(collected(explained(rows)))
    assert found["rank_correlation"] == pytest.approx(1)
    assert found["top_k_overlap"] == 1
    assert found["agreement"] == 0, "the student's own class is the other one"


def test_rank_correlation_is_the_mean_of_spearmans(explained):
    results = explained(lambda method, task, teacher, rng: with_maps(teacher, lambda v: v + rng.normal(size=v.shape)))
    found = values(collected(results), seed="2")["rank_correlation"]
    teacher, student = (
        pq.read_table(results / "explanations" / place / "examples.parquet").to_pylist()
        for place in ("teachers/rte/seed-shared", "students/adkd/rte/seed-2")
    )
    each = [
        spearmanr(*(one["contributions"][int(np.argmax(a["logits"]))][1:-1] for one in (a, b))).statistic
        for a, b in zip(teacher, student, strict=True)
    ]
    assert found == pytest.approx(np.mean(each))


def test_examples_without_a_correlation_are_left_out_and_counted(explained):
    results = explained(seeds=(1,))
    rng = np.random.default_rng(2)
    short, flat = example(0, 2, rng, length=3), example(1, 2, rng)
    flat["contributions"] = np.ones_like(flat["contributions"])
    bare = example(2, 2, rng, length=2) | dict.fromkeys(FAITHFULNESS, np.nan)
    rows = [short, flat, bare, *(example(idx, 2, rng) for idx in range(3, 10))]
    write_explanation(results, "teachers/rte/seed-shared", rows)
    for method in ("adkd", "finetune", "vanilla_kd"):
        write_explanation(results, f"students/{method}/rte/seed-1", rows)
    table = collected(results)
    counts = table[table["method"] == "adkd"].set_index("measure")["rows"]
    assert counts["rank_correlation"] == counts["top_k_overlap"] == 7
    assert counts["magnitude_correlation"] == 8
    assert counts["comprehensiveness"] == 9
    assert counts["agreement"] == 10
    assert values(table)["rank_correlation"] == pytest.approx(1)
    fidelity_table.write(Grid.load(results / "plan/grid.json"))
    assert "leaves out up to 3" in (results / "tables/fidelity.md").read_text()


def test_every_student_has_the_teacher_of_its_seed(tree):
    results = tree(tasks=("rte",), seeds=(1, 2))
    grid, rng = Grid.load(results / "plan/grid.json"), np.random.default_rng(4)
    both = {seed: examples(2, rng) for seed in ("1", "2")}
    (shared,) = grid.teachers
    own = [shared.model_copy(update={"seed": seed, "result": f"teachers/rte/seed-{seed}"}) for seed in both]
    for run in [*own, *grid.students]:
        write_explanation(results, run.result, both[run.seed])
    regridded(results, students=with_explanations(grid.students), teachers=with_explanations(own))
    table = collected(results)
    np.testing.assert_allclose(table[table["measure"] == "rank_correlation"]["value"], 1)


def test_a_missing_explanation_is_named_with_the_command_and_nothing_is_written(explained):
    results = explained()
    (results / "explanations/students/adkd/rte/seed-2/explanation.json").unlink()
    with pytest.raises(InputError) as caught:
        collected(results)
    assert "seed-2/explanation.json (1 of 10 runs" in caught.value.what
    assert f"adkd explain {results}/plan/explanations/students/adkd/rte/seed-2.json" in caught.value.remedy
    assert not list(results.glob("*fidelity*"))


@pytest.mark.parametrize("whose", ["teachers/rte/seed-shared", "students/adkd/rte/seed-2"])
def test_an_explanation_of_another_spec_or_of_other_examples_is_refused(explained, whose):
    results = explained()
    rows = examples(2, np.random.default_rng(1))
    write_explanation(results, whose, rows, planned=False, steps=8)
    with pytest.raises(InputError) as caught:
        collected(results)
    assert "steps was 8, the plan has 16" in caught.value.what
    assert caught.value.remedy == f"rebuild it with: adkd explain {results}/plan/explanations/{whose}.json"
    write_explanation(results, whose, rows, data_fingerprint="other")
    with pytest.raises(InputError, match="different examples"):
        collected(results)
    write_explanation(results, whose, rows[:24])
    with pytest.raises(InputError, match="different examples"):
        collected(results)


def test_a_plan_without_explanations_has_no_fidelity(tree):
    with pytest.raises(InputError, match=r"grid\.json plans no explanations"):
        collected(tree())


def noisy(method, task, teacher, rng):
    """adkd keeps most of its teacher's maps, finetune a little."""
    noise = {"adkd": 0.3}.get(method, 3.0)
    return with_maps(teacher, lambda values: values + noise * rng.normal(size=values.shape))


def everything(results):
    grid = results / "plan/grid.json"
    collect_scores(Grid.load(grid))
    table = collected(results)
    fidelity_table.write(Grid.load(grid))
    fidelity_figure.write(Grid.load(grid))
    files = [results / "fidelity.csv", *(results / "tables").iterdir(), *(results / "figures").iterdir()]
    return table, {path.name: path.read_bytes() for path in files}


@pytest.mark.workflow
@pytest.mark.usefixtures("svg_alone")
def test_tables_are_the_mean_and_sd_over_seeds_and_are_rebuilt_byte_by_byte(explained):
    results = explained(noisy, tasks=("rte", "stsb"), skipped=(("vanilla_kd", "stsb"),))
    table, files = everything(results)
    assert everything(results)[1] == files
    assert {"fidelity.md", "fidelity.tex", "fidelity.txt", "fidelity.svg"} <= set(files)
    summary = pd.read_csv(results / "tables/fidelity.csv")
    assert list(summary.columns) == ["method", "task", "measure", "mean", "sd", "n", "split", "rows"]
    for row in summary.itertuples():
        same = (table["method"] == row.method) & (table["task"] == row.task) & (table["measure"] == row.measure)
        seeds = table[same]["value"]
        assert row.n == len(seeds) == (1 if row.method == "teacher" else 3)
        assert row.mean == pytest.approx(seeds.mean())
        assert np.isnan(row.sd) if row.n == 1 else row.sd == pytest.approx(seeds.std(ddof=1))
    text = files["fidelity.md"].decode()
    assert "no star can appear" in text
    assert r"\*" not in "".join(line for line in text.splitlines() if line.startswith("|"))
    assert "nan" not in text
    tests = pd.read_csv(results / "tables/fidelity_tests.csv")
    assert list(tests["task"] + tests["method"]) == ["rtefinetune", "rtevanilla_kd", "stsbfinetune"]
    assert (tests["family"] == 3).all()
    assert tests["p_holm"].min() == pytest.approx(min(1, 3 * tests["p"].min()))
    mean = summary.set_index(["method", "task", "measure"])["mean"]
    expected = mean["finetune", "rte", "rank_correlation"] - mean["adkd", "rte", "rank_correlation"]
    assert tests.iloc[0]["difference"] == pytest.approx(expected)


@pytest.mark.workflow
@pytest.mark.usefixtures("svg_alone")
def test_six_seeds_and_a_large_gap_give_a_star(explained):
    options = {"skill": {"finetune": 1.0, "adkd": 1.5}, "seeds": (1, 2, 3, 4, 5, 6)}
    results = explained(noisy, **options)
    _, files = everything(results)
    lines = files["fidelity.md"].decode().splitlines()
    assert r"\*" in next(line for line in lines if line.startswith("| finetune"))
    assert r"\*" not in next(line for line in lines if line.startswith("| adkd"))


@pytest.mark.usefixtures("svg_alone")
def test_one_seed_has_no_sd_and_no_test_and_an_undefined_measure_is_a_dash(explained):
    def constant(method, task, teacher, rng):
        return with_maps(teacher, np.ones_like) if method == "finetune" else noisy(method, task, teacher, rng)

    results = explained(constant, seeds=(1,))
    table, files = everything(results)
    assert values(table, "finetune").isna()["rank_correlation"]
    text = files["fidelity.md"].decode()
    assert "One seed: no sd, no test." in text
    assert "undefined for every seed" in text
    assert "±" not in next(line for line in text.splitlines() if line.startswith("| adkd"))
    assert "nan" not in text


@pytest.mark.workflow
def test_labels_of_the_figure_lie_neither_on_one_another_nor_outside(explained):
    skill = dict.fromkeys(("one_method", "another_method", "vanilla_kd", "finetune", "pkd", "tinybert", "adkd"), 1.5)
    results = explained(lambda method, task, teacher, rng: noisy("", task, teacher, rng), skill=skill)
    plan = Grid.load(results / "plan/grid.json")
    collect_scores(plan)
    figure = fidelity_figure.draw(plan, read_scores(plan), collected(results))
    plt.close(figure)
    axes = figure.axes[0]
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}
    assert set(boxes) == set(skill)
    assert not [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    assert all(axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max) for box in boxes.values())
