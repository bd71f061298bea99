"""The pages name files, links and commands that exist; generated pages follow from the code; the site stands alone."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from adkd.__main__ import app
from adkd.analysis.collect import fidelity, scores
from adkd.analysis.stats import significance
from adkd.methods import registry
from adkd.plan.reports import RunReport
from docs import generate

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md")]
PAGES += sorted((REPOSITORY / "docs").glob("*.md"))
TO_BE_WRITTEN = {"baselines/mse_kd.py"}
"""Files that a page asks its reader to write."""


def named(path):
    return str(path.relative_to(REPOSITORY))


def code_of(page):
    """All code of a page: its spans, and the lines of its blocks without comments."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [" ".join(span.split()) for span in spans] + [
        line.partition("#")[0].strip() for block in blocks for line in block.splitlines()
    ]


def commands_of(page, program):
    """The words after ``program`` of every command of a page."""
    parts = [part.strip() for code in code_of(page) for part in re.split(r"[;&]", code)]
    return [shlex.split(part)[1:] for part in parts if part.startswith(f"{program} ")]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    relative = [link.partition("#")[0] for link in links if "://" not in link]
    assert [link for link in relative if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_files_exist(page):
    files = [code for code in code_of(page) if re.fullmatch(r"(adkd|baselines|docs|tests|workflow)/[\w./]+\.\w+", code)]
    files = [file for file in files if not re.search("[A-Z]{3}", file)]
    assert [file for file in files if file not in TO_BE_WRITTEN and not (REPOSITORY / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_make_targets_exist(page):
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w.%-]+):", makefile, re.MULTILINE))
    named = {words[0] for words in commands_of(page, "make") if words}
    assert {re.sub("^ablation-.+", "ablation-%", target) for target in named} - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_verbs_and_their_options_exist(page):
    program = get_command(app)
    for verb, *words in (words for words in commands_of(page, "adkd") if words):
        command, words = (program, [verb]) if verb.startswith("-") else (program.commands.get(verb), words)
        if verb.isupper():
            continue
        assert command, f"{verb} is not a verb of adkd"
        options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        assert {word for word in words if word.startswith("-")} <= options, verb


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_pages_follow_from_the_code(name):
    stored = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    assert stored == generate.PAGES[name](), f"docs/{name} is out of date; rebuild it with: python docs/generate.py"


def test_contributing_lists_the_modules_that_a_config_may_import():
    text = " ".join((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    listed = re.search(r"may import only from (.*?) \(", text)[1]
    assert set(re.findall(r"`([\w.]+)`", listed)) == set(registry.MODULES) - {"__future__"}


@pytest.mark.parametrize(
    "names",
    [RunReport.model_fields, scores.COSTS, significance.COLUMNS, fidelity.COLUMNS],
    ids=lambda names: min(names),
)
def test_the_page_of_results_describes_every_column(names):
    described = set(code_of(REPOSITORY / "docs" / "results.md"))
    assert set(names) - described == set()


def test_contributing_describes_every_room():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (REPOSITORY / "adkd").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `adkd/(\w+)/` \|", text, re.MULTILINE)) == rooms


def test_the_site_builds_without_warnings_and_loads_nothing_from_the_network(tmp_path, caplog):
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 10
    external = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\"'>\s]+")
    assert {page.name: external.findall(page.read_text(encoding="utf-8")) for page in pages} == {
        page.name: [] for page in pages
    }
