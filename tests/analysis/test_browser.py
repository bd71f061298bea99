"""The page, driven in a real browser where there is one."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from adkd.analysis.page.attributions import SHOWN
from tests.analysis.page_results import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.workflow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

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


def test_a_click_sorts_by_number_and_keeps_the_teacher_on_top(reported):
    found = reported(tasks=("rte",), skill={"finetune": -9.0, "vanilla_kd": 0.0, "pkd": 1.0, "adkd": 9.0})
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


def test_the_page_answers_its_reader(reported):
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
    found = reported(whole=True)
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


@pytest.mark.parametrize("width", [360, 1400])
def test_the_page_never_scrolls_sideways(reported, width):
    found = reported(whole=True, tasks=("stsb", "rte", "mnli", "qqp"))
    steps = "seen.widths = [document.documentElement.scrollWidth, innerWidth]"
    scrolled, inner = driven(found, steps, width)["widths"]
    assert inner == width
    assert scrolled <= width
