"""``report.html``: all results on one page that needs no network, no server and, for its tables, no JavaScript."""

from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adkd.analysis.collect import costs, csv_file
from adkd.analysis.collect.fidelity import specs
from adkd.analysis.collect.scores import finished_runs, read_scores
from adkd.analysis.page.ablations import ablations, tables_of_scores
from adkd.analysis.page.attributions import attributions
from adkd.analysis.page.curves import curves, looks
from adkd.analysis.page.inlined import Inlined, inlined
from adkd.analysis.page.provenance import provenance
from adkd.analysis.stats import fidelity, over_seeds
from adkd.analysis.tables import published, tuning
from adkd.analysis.tables.cost import cost_tables
from adkd.analysis.tables.fidelity import fidelity_tables
from adkd.analysis.tables.html import html, html_of_all
from adkd.analysis.tables.main import main_tables
from adkd.analysis.tables.significance import difference_table
from adkd.analysis.tables.wording import selection_note, spans
from adkd.base.checked import was_written
from adkd.base.files import new_file
from adkd.data.metrics import metric_title
from adkd.data.sources import SOURCES
from adkd.data.tasks import task
from adkd.plan.grid import TEACHER, Grid

OPTIONAL: Mapping[str, Mapping[str, Iterable[str]]] = {
    "fidelity": {"fidelity": fidelity.COLUMNS, "fidelity_tests": fidelity.TEST_COLUMNS},
    "cost": {"cost": costs.COLUMNS},
    "tables": {"published": published.COLUMNS},
    "tuning": {"tuning": tuning.COLUMNS},
}
"""Stage -> the tables of it, and their columns, that the page shows if they were made."""
FIGURES = ("scores", "differences", "fidelity", "cost", "tuning")


def write(grid: Grid) -> None:
    """Write the page ``report.html`` from everything that lies beside the plan; the same results give the same bytes.

    A part that was not made (fidelity, cost, published numbers, ablations) is one line that names the command.

    Raises:
        InputError: scores, their tables or figures, or the metrics of a run are missing, or a file is damaged.
    """
    results = grid.out
    read_scores(grid)  # refuses scores of other runs
    scores = tables_of_scores(grid)
    metrics = {run: grid.report(run) for run in finished_runs(grid)}
    tables = _optional_tables(grid)
    explained = attributions(grid)
    page = {
        "grid": grid,
        "students": sum(run.method != TEACHER for run in metrics),
        "facts": _facts(grid, len(grid.runs) - len(metrics)),
        "guide": _guide(grid, scores["significance"]),
        "scores": main_tables(grid, **scores),
        "differences": difference_table(grid, scores["significance"]) if grid.compared else None,
        "figures": _figures(grid, results),
        "watched": "held_out" if grid.selection == "held_out" else "validation",
        "fidelity": _made(
            tables["fidelity"],
            lambda table: fidelity_tables(grid, table, tables["fidelity_tests"], specs(grid)),
        ),
        "explained": explained,
        "cost": _made(tables["cost"], lambda table: cost_tables(grid, table)),
        "tuning": _made(tables["tuning"], lambda table: tuning.tuning_tables(grid, table)),
        "published": _made(tables["published"], lambda table: published.lists(grid, table)),
        "ablations": ablations(grid),
        "provenance": provenance(grid, metrics),
        "data": {
            "reference": grid.reference,
            "looks": looks(grid),
            "titles": {name: task(name).title for name in grid.tasks},
            "metrics": {name: _metric(name) for name in grid.tasks},
            "curves": curves(grid, metrics),
            "explained": explained,
        },
    }
    with new_file(results / "report.html") as temporary:
        temporary.write_text(_rendered(page), encoding="utf-8")


def _optional_tables(grid: Grid) -> dict[str, pd.DataFrame | None]:
    """Name -> table; None for one that was not made.

    Raises:
        InputError: one that was made is missing, damaged or stale.
    """
    tables = {}
    for stage, columns_of in OPTIONAL.items():
        paths = {name: grid.out / f"tables/{name}.csv" for name in columns_of}
        made = any(map(was_written, paths.values())) and (stage != "tuning" or grid.tuned)
        for name, path in paths.items():
            tables[name] = csv_file.read(path, f"adkd {stage} {grid.file}", columns_of[name]) if made else None
    return tables


def _figures(grid: Grid, results: Path) -> dict[str, Inlined]:
    """Name -> figure: those of scores and differences, and of the other parts those that were made.

    Raises:
        InputError: the figures of scores or differences are missing, or a figure is damaged.
    """
    always = ("scores", "differences")
    paths = {name: results / "figures" / f"{name}.svg" for name in FIGURES}
    return {
        name: inlined(path, name, f"adkd {'figures' if name in always else name} {grid.file}")
        for name, path in paths.items()
        if name in always or was_written(path)
    }


def _metric(name: str) -> str:
    metric = task(name).metrics[0]
    return metric_title(metric)


def _facts(grid: Grid, failed: int) -> list[tuple[str, str]]:
    """The config in words, and how many of its runs left no result."""
    layers = grid.student.from_teacher_layers
    without = f"; {failed} of them left no result" if failed else ""
    shared = "one per task, for all seeds" if grid.teacher_is_shared else "one per task and seed"
    return [
        ("Data", SOURCES[grid.source].title),
        ("Tasks", ", ".join(f"{task(name).title} ({_metric(name)})" for name in grid.tasks)),
        ("Methods", ", ".join(grid.methods)),
        ("Reference", f"{grid.reference}: what the other methods are tested against"),
        ("Teacher", f"{grid.teacher_model}, fine-tuned, {shared}"),
        (
            "Student",
            f"layers {', '.join(map(str, layers))} (counted from 0) of the teacher before fine-tuning"
            if layers
            else str(grid.student.model),
        ),
        ("Seeds", f"{spans(grid.seeds)} (n = {len(grid.seeds)})"),
        ("Selection", selection_note(grid, grid.roles[0])),
        ("Runs", f"{len(grid.students)} students, {len(grid.teachers)} teachers{without}"),
    ]


def _guide(grid: Grid, significance: pd.DataFrame) -> list[str]:
    """What a reader has to know before the first number."""
    n = len(grid.seeds)
    guide = [
        "Scores are the task's main metric in points (×100); higher is better. Mean ± sd over seeds: sd (ddof = 1) is "
        "how far single runs lie apart, not how well the mean is known. For that, turn on the 95 % intervals.",
        f"A difference is method minus {grid.reference}, paired by seed. Seeds vary how a student starts and in which "
        f"order it sees its data; the examples{' and the teacher' * grid.teacher_is_shared} stay the same.",
    ]
    tested = significance[significance["level"] == "seed"]
    if n < 2:
        return [*guide, "One seed: no sd, no interval and no test. A difference may be luck."]
    if len(tested):
        least = min(1.0, len(tested) * float(tested["smallest_p"].min()))
        reach = (
            f"With n = {n} seeds and {len(tested)} comparisons the smallest p that can be reached, after Holm's "
            f"adjustment, is {least:.3g}"
        )
        verdict = (
            ": over seeds, no difference can be significant, whatever its size." if least >= over_seeds.ALPHA else "."
        )
        guide.append(f"{reach}{verdict} A large p does not show that two methods are equal: read the interval.")
    return guide


def _rendered(page: dict[str, Any]) -> str:
    """The page as HTML; everything but its own style and script is escaped."""
    here = "adkd.analysis.page"
    environment = Environment(
        loader=PackageLoader(here, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters |= {"html": html, "html_of_all": html_of_all}
    files = resources.files(here)
    style, script = (Markup((files / name).read_text(encoding="utf-8")) for name in ("style.css", "page.js"))
    return environment.get_template("page.html").render(page, style=style, script=script)


Made = Callable[[pd.DataFrame], Any]


def _made(table: pd.DataFrame | None, part: Made) -> Any | None:
    """A part of the page, or None where its table was not made."""
    return None if table is None else part(table)
