"""Results with everything that the page can show, and the page as text."""

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from adkd.analysis.collect import csv_file
from adkd.analysis.collect.fidelity import collect as collect_fidelity
from adkd.analysis.collect.scores import collect
from adkd.analysis.figures.palette import BLUE, VARIABLES
from adkd.analysis.figures.style import STYLE, describe, panels_for, save, title
from adkd.analysis.page import page as report
from adkd.analysis.tables import cost, fidelity
from adkd.analysis.tables import stage as tables
from adkd.base.checked import new_checked_file
from adkd.data.tasks import task
from adkd.plan.grid import TEACHER, Grid
from adkd.plan.reports import Epoch
from tests.analysis.conftest import regridded, replaced
from tests.analysis.test_cost import with_latencies
from tests.analysis.test_fidelity import FAITHFULNESS, with_explanations, write_explanation

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
    csv_file.write(results / "tables/fidelity_tests.csv", tests, [])
    cost.write(grid)
    ablation = Grid(**(dict(grid) | {"name": "ablations/steps", "title": "Number of steps"})).below(grid.results)
    ablation.write(ablation.file)
    collect(ablation)
    tables.write(ablation)
    draw(ablation.out / "figures", "curve")
    for name in ("fidelity", "cost"):
        draw(results / "figures", name)


def draw(out: Path, name: str) -> None:
    """Write a figure as SVG, the kind that the page shows."""
    with new_checked_file(out / f"{name}.svg") as temporary:
        temporary.write_text(drawn(name), encoding="utf-8")


@cache
def drawn(name: str) -> str:
    """A small figure with a described mark, two words, a marker, a clipped line and every colour of the palette."""
    with plt.rc_context(STYLE), TemporaryDirectory() as out:
        drawing, (axes,) = panels_for(1, 2)
        for number, color in enumerate(VARIABLES):
            axes.plot([0, 1], [0, number], color=color)
        describe(axes.scatter([0.5], [0.5], color=BLUE), f"{name}: mean 0.5")
        axes.set_title(NASTY)
        title(drawing, f"Figure {name} & <all>")
        save(drawing, Path(out), name)
        return Path(out, f"{name}.svg").read_text(encoding="utf-8")


def complete(results: Path, whole: bool) -> Path:
    """Add tables and figures to a tree of runs; all optional parts too, and a nasty note, if ``whole``."""
    rng, grid = np.random.default_rng(11), results / "plan/grid.json"
    recorded(Grid.load(grid), rng)
    if whole:
        regridded(results, notes=(NASTY,))
        explained(Grid.load(grid), rng)
        with_latencies(results)
    tabled(results)
    for name in ("scores", "differences"):
        draw(results / "figures", name)
    if whole:
        measured(Grid.load(grid))
    return results


def tabled(results: Path) -> None:
    """Collect the scores of a tree of runs, and write their tables."""
    grid = Grid.load(results / "plan/grid.json")
    collect(grid)
    tables.write(grid)


def page(results: Path) -> str:
    report.write(Grid.load(results / "plan/grid.json"))
    return (results / "report.html").read_text()


def section(text: str, name: str) -> str:
    return re.search(rf'<section id="{name}">.*?</section>', text, re.DOTALL).group()


def payload(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL).group(1))
