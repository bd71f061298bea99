"""The page is read as text, and driven in a real browser where there is one."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.stats import t

from adkd.analysis.collect.fidelity import collect as collect_fidelity
from adkd.analysis.collect.scores import collect
from adkd.analysis.figures.palette import BLUE, VARIABLES
from adkd.analysis.figures.style import STYLE, describe, panels_for, save, title
from adkd.analysis.page import page as report
from adkd.analysis.page.attributions import SHOWN, spread
from adkd.analysis.page.inlined import inlined
from adkd.analysis.tables import cost, fidelity
from adkd.analysis.tables import stage as tables
from adkd.base.errors import InputError
from adkd.data.tasks import task
from adkd.plan.grid import TEACHER, Grid
from adkd.plan.reports import Epoch
from tests.analysis.conftest import regridded, replaced
from tests.analysis.test_cost import with_latencies
from tests.analysis.test_fidelity import FAITHFULNESS, with_explanations, write_explanation

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
NASTY = "</script><script>document.title='broken'</script>"
STARRED = ("finetune", "stsb")


def recorded(grid: Grid, rng: np.random.Generator) -> None:
    """Give every run a history of two phases, the first without a score, and what the page says of its making."""
    for run in grid.runs:
        kept = int(rng.integers(1, 4))
        history = tuple(
            Epoch(
                phase=phase,
                epoch=epoch,
                terms={"kd": rng.random()},
                score=None if phase == "warm" else rng.random(),
                seconds=1.0,
                kept=number == kept,
            )
            for number, (phase, epoch) in enumerate([("warm", 1), ("train", 1), ("train", 2), ("train", 3)])
        )
        about = {"versions": {"torch": "2.9"}, "git_commit": "c" * 40}
        replaced(grid.results.root, run.result, history=history, selection=history[kept], **about)


def explained(grid: Grid, rng: np.random.Generator, count: int = 30) -> Grid:
    """The explanation of every run: each student's map is the teacher's with noise, some of its tokens nasty."""
    words = ["<b>", "a&b", '"', NASTY, "film", "##ing"]
    for run in grid.runs:
        one, fixed = task(run.task), np.random.default_rng(0)
        rows = []
        for idx in range(count):
            tokens = ["[CLS]", *fixed.choice(words, 8), "[SEP]"]
            maps = fixed.normal(size=(one.outputs, len(tokens)))
            maps += (run.method != TEACHER) * rng.normal(size=maps.shape) * rng.uniform(0, 3)
            row = {
                "idx": idx,
                "label": float(fixed.integers(0, max(2, one.outputs))),
                "tokens": tokens,
                "special": [token in ("[CLS]", "[SEP]") for token in tokens],
                "logits": fixed.normal(size=one.outputs),
                "contributions": maps,
                "magnitudes": np.abs(maps),
            }
            rows.append(row | {name: rng.random() for name in FAITHFULNESS})
        write_explanation(grid.results.root, run.result, rows)
    runs = {"students": with_explanations(grid.students), "teachers": with_explanations(grid.teachers)}
    return regridded(grid.results.root, **runs)


def measured(grid: Grid) -> None:
    """The tables of fidelity and costs, and one ablation with its tables; one test of fidelity is made significant."""
    results = grid.results.root
    collect_fidelity(grid)
    fidelity.write(grid)
    tests = pd.read_csv(results / "tables/fidelity_tests.csv")
    tests.loc[(tests["method"] == STARRED[0]) & (tests["task"] == STARRED[1]), "p_holm"] = 0.001
    tests.to_csv(results / "tables/fidelity_tests.csv", index=False)
    grid = Grid.load(with_latencies(results) / "plan/grid.json")
    collect(grid)
    cost.write(grid)
    ablation = Grid(**(dict(grid) | {"name": "ablations/steps", "title": "Number of steps"})).below(grid.results)
    ablation.write(ablation.file)
    collect(ablation)
    tables.write(ablation)
    draw(ablation.out / "figures", "curve")
    for name in ("fidelity", "cost"):
        draw(results / "figures", name)


def draw(out: Path, name: str) -> None:
    """A small figure with a described mark, two words, a marker, a clipped line and every colour of the palette."""
    with plt.rc_context(STYLE):
        drawing, (axes,) = panels_for(1, 2)
        for number, color in enumerate(VARIABLES):
            axes.plot([0, 1], [0, number], color=color)
        describe(axes.scatter([0.5], [0.5], color=BLUE), f"{name}: mean 0.5")
        axes.set_title(NASTY)
        title(drawing, f"Figure {name} & <all>")
        save(drawing, out, name)


Made = Callable[..., Path]


@pytest.fixture
def results(tree) -> Made:
    """Results with tables; with all optional parts too if ``whole``."""

    def make(whole: bool = False, **more: object) -> Path:
        rng = np.random.default_rng(11)
        found = tree(**more)
        grid = found / "plan/grid.json"
        recorded(Grid.load(grid), rng)
        collect(Grid.load(grid))
        tables.write(Grid.load(grid))
        for name in ("scores", "differences"):
            draw(found / "figures", name)
        if whole:
            measured(explained(Grid.load(grid), rng))
        return found

    return make


def page(results: Path) -> str:
    report.write(Grid.load(results / "plan/grid.json"))
    return (results / "report.html").read_text()


def section(text: str, name: str) -> str:
    return re.search(rf'<section id="{name}">.*?</section>', text, re.DOTALL).group()


def payload(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL).group(1))


OPTIONAL = {"fidelity": "fidelity", "examples": "fidelity", "cost": "cost"}
OPTIONAL |= {"published": "published", "ablations": "ablations"}


def test_a_part_that_was_not_made_is_one_line_with_its_command(results):
    found = results()
    (found / "tables/published.csv").unlink()
    text = page(found)
    for name, target in OPTIONAL.items():
        part = section(text, name)
        assert f"<code>make {target}</code>" in part
        assert not re.search("<table|<svg|<select|<img", part)
    for name in ("scores", "differences", "provenance"):
        assert "<table" in section(text, name)


def test_every_part_that_was_made_is_shown(results):
    text = page(results(whole=True))
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


def test_a_table_of_reasons_or_costs_says_its_test_and_its_limits_once(results):
    text = page(results(whole=True))
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


def test_an_example_of_another_making_is_refused(results):
    found = results(whole=True)
    write_explanation(found, "students/adkd/rte/seed-1", [], planned=False)
    with pytest.raises(InputError) as caught:
        page(found)
    assert "rows was 0, the plan has 30" in caught.value.what
    assert re.search("adkd explain .*rte/seed-1", caught.value.remedy)


def test_scores_and_intervals_are_those_of_the_tables(results):
    found = results(tasks=("stsb", "mnli"))
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


def test_curves_hold_every_epoch_of_every_run(results):
    found = results()
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


def test_examples_follow_the_rule_and_show_the_teachers_class(results):
    found = results(whole=True, tasks=("mnli", "stsb"))
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


def test_what_others_wrote_is_text(results):
    found = results(whole=True, notes=(NASTY,))
    text = page(found)
    assert NASTY not in text
    assert text.count("<script") == text.count("</script>") == 2
    tokens = {token for one in payload(text)["explained"].values() for e in one["examples"] for token in e["tokens"]}
    assert {NASTY, "<b>", "a&b", '"'} <= tokens


def test_the_page_asks_for_nothing(results):
    text = page(results(whole=True))
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    links = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']?([^"'\s>]*)""", markup)
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|<link|<iframe", text)
    assert "default-src 'none'" in text


def test_the_same_results_are_the_same_page_of_bounded_size(results, tmp_path):
    found = results(whole=True, seeds=(1, 2, 3))
    first = page(found)
    assert page(found) == first
    curves = payload(first)["curves"]
    runs = sum(len(one["seeds"]) for methods in curves.values() for one in methods.values())
    assert len(json.dumps(curves)) / runs < 1000  # 2,400 runs stay a few MB


def test_runs_of_different_making_are_warned_of(results):
    found = results()
    assert 'class="warning"' not in page(found)
    replaced(found, "students/finetune/rte/seed-2", git_commit="d" * 40 + "+", versions={"torch": "3.0"})
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
def test_what_is_missing_is_named_with_its_command(results, lost, said):
    found = results()
    (found / lost).unlink()
    with pytest.raises(InputError) as caught:
        page(found)
    assert caught.value.what == f"{found / lost} is missing"
    assert re.search(said, caught.value.remedy)
    assert not (found / "report.html").exists()


def test_metrics_of_another_making_are_refused(results):
    found = results()
    file = found / "students/adkd/rte/seed-1/metrics.json"
    file.write_text(file.read_text().replace('"history"', '"course"'))
    with pytest.raises(InputError, match=r"metrics\.json is not valid") as caught:
        page(found)
    assert f"adkd student {found}/plan/students/adkd/rte/seed-1.json" in caught.value.remedy


def test_a_skipped_method_is_said_and_never_a_number(results):
    found = results(skipped=(("finetune", "stsb"),))
    text = page(found)
    assert "needs classes" in section(text, "differences")
    assert "finetune: needs classes" in section(text, "scores")
    assert "finetune" not in payload(text)["curves"]["stsb"]


def test_one_seed_has_no_interval(results):
    text = page(results(seeds=(1,)))
    assert "One seed: no sd, no interval and no test" in text
    assert 'class="interval"' not in section(text, "scores")
    assert "±" not in re.search("<tbody.*</table>", section(text, "scores"), re.DOTALL).group()


def test_a_method_alone_is_compared_with_nothing(results):
    text = page(results(whole=True, skill={"adkd": 1.0}))
    assert "nothing to compare" in section(text, "differences")
    assert "<table" not in section(text, "differences")


def test_a_figure_takes_the_fonts_and_colours_of_the_page_and_says_its_marks(results):
    found = results()
    one = inlined(found / "figures/scores.svg", "scores")
    assert one.caption == "Figure scores & <all>"
    assert "Figure scores &amp; &lt;all&gt;. scores: mean 0.5." in one.svg
    assert "<title>scores: mean 0.5</title>" in one.svg
    assert not re.search(r"#[0-9a-f]{6}|font-family|<style|<metadata", one.svg.split(">", 1)[1].lower())
    assert one.svg.split(">", 1)[0].count("viewBox") == 1
    defined = set(re.findall(r"(--[a-z]+):", (Path(report.__file__).parent / "style.css").read_text()))
    assert set(re.findall(r"var\((--[a-z]+)\)", one.svg)) <= defined
    assert {f"--{name}" for name in VARIABLES.values()} <= defined


def test_ids_are_unique_on_the_page_and_every_reference_has_its_target(results):
    text = page(results(whole=True))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) <= set(ids)


def test_the_numbers_of_a_difference_are_those_of_the_table(results):
    found = results()
    part = section(page(found), "differences")
    for row in pd.read_csv(found / "tables/significance.csv").query("level == 'seed'").itertuples():
        low, mean, high = (f"{100 * value:+.2f}".replace("-", "−") for value in (row.low, row.difference, row.high))
        assert f">{mean}</td>" in part
        assert f"[{low}, {high}]" in part
        assert f">{row.p_holm:.3f}</td>" in part


WATCH = """<script>window.problems = [];
addEventListener("error", (event) => problems.push(event.message));
addEventListener("securitypolicyviolation", (event) => problems.push(`blocked ${event.blockedURI}`));
console.error = (...words) => problems.push(words.join(" "));</script>"""


def driven(results: Path, steps: str, width: int) -> dict:
    """What ``steps``, which fill the object ``seen``, saw of the page in a frame of that width."""
    text = page(results).replace("<style>", f"{WATCH}<style>", 1)
    last = f"<script>const seen = {{}}; {steps}; seen.problems = problems; parent.postMessage(seen, '*');</script>"
    (results / "driven.html").write_text(text + last)
    frame = f'<iframe src="driven.html" style="width:{width}px;height:800px;border:0"></iframe>'
    listen = "addEventListener('message', (event) => { document.body.textContent = JSON.stringify(event.data); });"
    (results / "frame.html").write_text(f"<!doctype html><body><script>{listen}</script>{frame}")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--window-size=1500,900"]
    command = [
        CHROMIUM,
        *options,
        f"--user-data-dir={results / 'profile'}",
        "--dump-dom",
        f"file://{results}/frame.html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    seen = json.loads(re.search("<body>(.*)</body>", done.stdout, re.DOTALL).group(1))
    assert seen["problems"] == []
    return seen


@browser
def test_a_click_sorts_by_number_and_keeps_the_teacher_on_top(results):
    found = results(tasks=("rte",), skill={"finetune": -9.0, "vanilla_kd": 0.0, "pkd": 1.0, "adkd": 9.0})
    steps = """
    const table = document.querySelector("#scores table"), heading = table.tHead.rows[0].cells[2];
    const rows = () => [...table.tBodies].flatMap((body) => [...body.rows]);
    const names = () => rows().map((row) => row.cells[0].firstChild.data.trim());
    const numbers = () => [...table.tBodies[1].rows].map((row) => Number(row.cells[2].dataset.number));
    const button = heading.querySelector("button");
    seen.orders = [names()]; seen.sorted = []; seen.aria = [];
    for (let i = 0; i < 3; i += 1) {
      button.click();
      seen.orders.push(names()); seen.sorted.push(numbers()); seen.aria.push(heading.getAttribute("aria-sort"));
    }
    """
    seen = driven(found, steps, 1400)
    down, up, _ = seen["sorted"]
    assert down == sorted(down, reverse=True)
    assert up == down[::-1]
    assert len(str(int(max(down)))) > len(str(int(min(down))))  # an order as text would be another
    assert seen["aria"] == ["descending", "ascending", None]
    assert seen["orders"][3] == seen["orders"][0]
    assert {order[0] for order in seen["orders"]} == {"teacher"}


@browser
def test_the_page_answers_its_reader(results):
    steps = """
    const choose = (id, value) => { byId(id).value = value; byId(id).dispatchEvent(new Event("change")); };
    const background = () => getComputedStyle(document.body).backgroundColor;
    const shown = (name) => getComputedStyle(document.querySelector(`#scores .${name}`)).display;
    seen.themes = [];
    for (let i = 0; i < 3; i += 1) {
      byId("theme").click();
      seen.themes.push([byId("theme").textContent, background()]);
      seen.forced = "theme" in document.documentElement.dataset;
    }
    seen.lines = [shown("interval"), shown("p")];
    byId("show-interval").click(); byId("show-p").click();
    seen.lines.push(shown("interval"), shown("p"));
    const curves = () => byId("curve-plot").querySelectorAll("polyline").length;
    seen.curves = [curves()];
    choose("curve-task", "rte"); choose("curve-method", "adkd"); seen.curves.push(curves());
    seen.rings = byId("curve-plot").querySelectorAll(".ring").length;
    choose("curve-quantity", "kd"); seen.picture = byId("curve-plot").firstChild.getAttribute("aria-label");
    choose("example-method", "finetune");
    seen.examples = byId("examples-list").children.length;
    const token = byId("examples-list").querySelector(".token");
    token.focus();
    token.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    seen.focused = [...token.parentElement.children].indexOf(document.activeElement);
    seen.readout = byId("examples-list").querySelector(".readout").textContent;
    seen.stops = document.querySelectorAll(".tokens .token[tabindex='0']").length;
    seen.title = document.title;
    """
    found = results(whole=True)
    seen = driven(found, steps, 1400)
    colors = dict(seen["themes"])
    assert colors["Theme: dark"] != colors["Theme: light"]
    assert list(colors) == ["Theme: dark", "Theme: light", "Theme: system"]
    assert not seen["forced"]
    assert seen["lines"] == ["none", "none", "block", "block"]
    assert seen["curves"] == [4, 4]  # the teacher and three methods; three seeds and their mean
    assert seen["rings"] == 3
    assert "kd per epoch on RTE, adkd" in seen["picture"]
    assert seen["examples"] == SHOWN
    assert seen["focused"] == 1
    assert re.search(r": teacher −?[\d.]+, finetune −?[\d.]+$", seen["readout"])
    assert seen["stops"] == 2 * SHOWN
    assert "AD-KD" in seen["title"]  # no token ran as a script


@browser
@pytest.mark.parametrize("width", [360, 1400])
def test_the_page_never_scrolls_sideways(results, width):
    found = results(whole=True, tasks=("stsb", "rte", "mnli", "qqp"))
    steps = "seen.widths = [document.documentElement.scrollWidth, innerWidth]"
    scrolled, inner = driven(found, steps, width)["widths"]
    assert inner == width
    assert scrolled <= width


def test_the_room_does_not_import_torch():
    code = "import sys; from adkd.analysis.page import page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
