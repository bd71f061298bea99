"""Every mark of a figure is where the number of the table says, and the files are the same for the same results."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from adkd.analysis.collect.scores import collect, read_scores
from adkd.analysis.figures import cost, curve, differences, stage, study, tuning
from adkd.analysis.figures import scores as score_figure
from adkd.analysis.figures.palette import BLACK, VERMILION, looks
from adkd.analysis.stats.budget import expected_best
from adkd.analysis.tables import stage as tables
from adkd.base.errors import InputError
from adkd.plan.grid import Grid
from adkd.plan.space import Choice, Range
from adkd.plan.specs import StudyDefinition
from adkd.sweeps.trials import COMPLETE, Trial

METHODS = ("finetune", "vanilla_kd", "adkd")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def scored(tree):
    """Makes a tree with scores and tables; returns its grid, its scores and its root."""

    def make(**more):
        results = tree(**more)
        path = results / "plan/grid.json"
        collect(Grid.load(path))
        tables.write(Grid.load(path))
        grid = Grid.load(path)
        return grid, read_scores(grid), results

    return make


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.axison}


def marks(axes: Axes) -> list[np.ndarray]:
    """Of every scatter of a panel, its points [n, 2]."""
    return [np.asarray(part.get_offsets()) for part in axes.collections if isinstance(part, PathCollection)]


def vertical(axes: Axes, color: str) -> list[float]:
    """Where vertical lines of a colour that cross the whole panel stand."""
    return [
        line.get_xdata()[0] for line in axes.lines if line.get_color() == color and list(line.get_ydata()) == [0, 1]
    ]


def rows(figure: Figure) -> list[str]:
    """The names of the rows, which the first panel has for all."""
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_every_score_is_a_dot_and_every_mean_a_bar(scored):
    grid, scores, _ = scored(skipped=(("finetune", "rte"),))
    figure = score_figure.draw(grid, scores)
    shown = panels(figure)
    assert list(shown) == ["STS-B", "RTE"]
    for task, metric, axes in zip(("stsb", "rte"), ("spearmanr", "accuracy"), shown.values(), strict=True):
        here = scores[(scores["task"] == task) & (scores["metric"] == metric)]
        values = {method: 100 * group["value"] for method, group in here.groupby("method")}
        drawn = [method for method in METHODS if method in values]
        for method, dots in zip(drawn, marks(axes), strict=True):
            assert sorted(dots[:, 0]) == pytest.approx(sorted(values[method]))
            assert np.abs(dots[:, 1] - METHODS.index(method)).max() < 0.5
        bars = [line.get_xdata()[0] for line in axes.lines if line.get_color() != BLACK]
        assert bars == pytest.approx([values[method].mean() for method in drawn])
        assert vertical(axes, BLACK) == pytest.approx([values["teacher"].mean()])
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "from top to bottom"
    assert rows(figure) == list(METHODS)
    assert [text.get_text() for text in shown["RTE"].texts] == ["not run"]
    assert [axes.get_xlabel() for axes in shown.values()] == ["Spearman (×100)", "acc (×100)"]


@pytest.mark.parametrize("seeds", [(1, 2, 3), (1,)])
def test_every_difference_is_a_diamond_on_its_interval(scored, seeds):
    grid, _, results = scored(seeds=seeds)
    significance = pd.read_csv(results / "tables/significance.csv")
    figure = differences.draw(grid, significance)
    shown = panels(figure)
    assert list(shown) == ["STS-B", "RTE", "average over tasks"]
    for task, axes in zip(("stsb", "rte", "average"), shown.values(), strict=True):
        level = "task" if task == "average" else "seed"
        tested = significance[(significance["task"] == task) & (significance["level"] == level)].set_index("method")
        for row, (method, diamond) in enumerate(zip(grid.compared, marks(axes), strict=True)):
            one = 100 * tested.loc[method, ["difference", "low", "high"]].astype(float)
            assert diamond[0] == pytest.approx([one["difference"], row])
            line = next(line for line in axes.lines if list(line.get_ydata()) == [row, row])
            np.testing.assert_allclose(line.get_xdata(), one[["low", "high"]])
        assert vertical(axes, VERMILION) == [0]
    assert rows(figure) == list(grid.compared)
    heading = figure.get_suptitle().replace("\n", " ")
    assert ("one seed: no interval" in heading) == (len(seeds) == 1)


def test_the_points_of_an_ablation_are_rows_beside_its_base(scored):
    grid, scores, _ = scored(tasks=("rte",), title="Skill", setting="skill")
    figure = curve.draw(grid, scores)
    (axes,) = panels(figure).values()
    mean = 100 * scores[scores["task"] == "rte"].groupby("method")["value"].mean()
    assert rows(figure) == ["finetune", "vanilla_kd"]
    circles = [points[0] for points in marks(axes) if len(points) == 1]
    np.testing.assert_allclose(circles, [[mean["finetune"], 0], [mean["vanilla_kd"], 1]])
    assert vertical(axes, VERMILION) == pytest.approx([mean["adkd"]])
    assert vertical(axes, BLACK) == pytest.approx([mean["teacher"]])
    joined = [list(line.get_xdata()) for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    assert pytest.approx([mean["finetune"], mean["vanilla_kd"]]) in joined


def test_the_grid_of_a_benchmark_has_no_curve(scored):
    _, _, results = scored(tasks=("rte",))
    with pytest.raises(InputError) as caught:
        curve.write(Grid.load(results / "plan/grid.json"))
    assert caught.value.value == str(results / "plan/grid.json")
    assert "results/plan/ablations/NAME.json" in caught.value.remedy


def test_cost_is_score_against_operations(scored):
    grid, scores, _ = scored(tasks=("rte",))
    scores.loc[scores["method"] == "adkd", "flops"] = 8e12
    (axes,) = panels(cost.draw(grid, scores)).values()
    mean = 100 * scores[scores["task"] == "rte"].groupby("method")["value"].mean()
    means = [points[0] for points in marks(axes) if len(points) == 1]
    np.testing.assert_allclose(means, [[4, mean["finetune"]], [4, mean["vanilla_kd"]], [8, mean["adkd"]]])
    assert axes.get_xscale() == "log"
    assert {text.get_text() for text in axes.texts} == set(METHODS)
    horizontal = [line.get_ydata()[0] for line in axes.lines if line.get_color() == BLACK]
    assert horizontal == pytest.approx([mean["teacher"]])


def test_tuning_is_a_line_per_method_over_its_trials(scored):
    grid, _, _ = scored()
    studies = {("adkd", "stsb"): [0.2, 0.6, 0.4], ("adkd", "rte"): [0.5], ("finetune", "rte"): [0.7, 0.1]}
    figure = tuning.draw(grid, studies)
    shown = panels(figure)
    for (method, task), values in studies.items():
        axes = shown[{"stsb": "STS-B", "rte": "RTE"}[task]]
        line = next(line for line in axes.lines if line.get_label() == method)
        np.testing.assert_allclose(line.get_ydata(), 100 * expected_best(values))
        assert line.get_color() == looks(grid)[method].color
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["finetune", "adkd"]
    assert shown["STS-B"].get_ylabel() == "held-out Spearman (×100)"


def test_the_figures_of_a_study_show_every_trial():
    space = {"alpha": Range(type="float", low=0.1, high=0.9, log=False), "top_k": Choice(choices=(4, 8))}
    about = {"method": "adkd", "task": "stsb", "variant": "full", "sampler": "tpe", "startup": 2, "seed": 0}
    definition = StudyDefinition(**about, space=space, trials={}, upstream={}, signals=())
    scores = {0: 0.4, 1: 0.7, 3: 0.5}
    trials = [Trial(n, {"alpha": 0.2 * n + 0.1, "top_k": 8}, COMPLETE, {1: score}) for n, score in scores.items()]
    trials.insert(2, Trial(2, {"alpha": 0.5, "top_k": 4}, "diverged"))
    weights = pd.DataFrame({"setting": ["alpha", "top_k"], "importance": [0.8, np.nan], "trials": 3})
    shown = study.draw(definition, trials, weights)
    (history,), (importance,), (expected,) = (shown[name].axes for name in ("history", "importance", "expected"))
    np.testing.assert_allclose(history.collections[0].get_offsets(), [[0, 40], [1, 70], [3, 50]])
    so_far, crosses = history.lines
    np.testing.assert_allclose(so_far.get_ydata(), [40, 70, 70])
    assert list(crosses.get_xdata()) == [2]
    assert [bar.get_width() for bar in importance.patches] == [0.8, 0]
    assert [text.get_text() for text in importance.texts] == ["unknown"]
    np.testing.assert_allclose(expected.lines[0].get_ydata(), 100 * expected_best(list(scores.values())))
    alpha, top_k = (axes for axes in shown["slices"].axes if axes.axison)
    assert (alpha.get_xlabel(), top_k.get_xlabel()) == ("alpha", "top_k")
    low, high = alpha.get_xlim()
    assert low < 0.1 < 0.9 < high, "all of the range, not only what was tried"
    for axes, places in ((alpha, [0.1, 0.3, 0.7]), (top_k, [1, 1, 1])):
        dots = [part.get_offsets()[0] for part in axes.collections]
        np.testing.assert_allclose(dots, list(zip(places, [40, 70, 50], strict=True)))
        assert [to_hex(part.get_facecolor()[0]) == VERMILION for part in axes.collections] == [False, True, False]


@pytest.mark.workflow
def test_the_same_results_are_the_same_files_and_their_text_stays_text(scored):
    grid, _, results = scored()

    def drawn():
        stage.write(grid)
        return {path.name: path.read_bytes() for path in (results / "figures").glob("[!.]*")}

    first = drawn()
    assert drawn() == first
    assert set(first) == {f"{name}.{kind}" for name in ("scores", "differences") for kind in ("pdf", "png", "svg")}
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(first["scores.svg"])
    words = ["".join(text.itertext()).strip() for text in root.iter(f"{svg}text")]
    assert [words.count(name) for name in METHODS] == [2, 2, 2], "every panel names its rows"
    heading, *described = [title.text for title in root.iter(f"{svg}title")]
    assert heading.startswith("Scores on validation")
    assert len(described) == 6


def test_missing_tables_are_named_with_their_command(scored):
    _, _, results = scored(tasks=("rte",))
    (results / "tables/significance.csv").unlink()
    with pytest.raises(InputError) as caught:
        stage.write(Grid.load(results / "plan/grid.json"))
    assert caught.value.what == f"{results / 'tables/significance.csv'} is missing"
    assert caught.value.remedy == f"make it with: adkd tables {results / 'plan/grid.json'}"
