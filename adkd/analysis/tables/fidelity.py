"""The fidelity table: every method's agreement with its teacher's reasons, mean ± sd over seeds, and its tests."""

from pathlib import Path

import numpy as np
import pandas as pd

from adkd.analysis.collect import fidelity as collect
from adkd.analysis.collect.explanations import TOP
from adkd.analysis.grid import TEACHER, Grid, read_grid
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.over_seeds import Array
from adkd.analysis.tables import table as layout
from adkd.analysis.tables.main import spans, star_note
from adkd.analysis.tables.table import DASH, Cell, Table, cell
from adkd.base.seeds import entropy
from adkd.data.tasks import Task, task
from adkd.plan.specs import ExplainSpec

COLUMNS = ["method", "task", "measure", "mean", "sd", "n", "split", "rows"]
TESTED = "rank_correlation"
HEADER = {
    "rank_correlation": "rank ρ",
    "magnitude_correlation": "size ρ",
    "top_k_overlap": f"top {100 // TOP} %",
    "agreement": "answers",
    "comprehensiveness": "compr. (random)",
    "sufficiency": "suff. (random)",
}
"""Measures that are columns of the table, and their titles."""
UNDEFINED = "undefined in at least one run"


def write(grid: Path, fidelity: Path, out: Path) -> None:
    """Fill the directory ``out``: ``fidelity.{csv,md,tex,txt}`` and ``fidelity_tests.csv``.

    Raises:
        InputError: the measures are missing, or lack an explained run of the plan.
    """
    plan = read_grid(grid)
    table = collect.read(plan, fidelity)
    tests = comparisons(plan, table)
    tables = fidelity_tables(plan, table, tests, collect.specs(plan))
    texts = {
        "fidelity.csv": measured(plan, table).to_csv(index=False, lineterminator="\n"),
        "fidelity_tests.csv": tests.to_csv(index=False, lineterminator="\n"),
    }
    layout.write(out, texts | layout.texts("fidelity", "Fidelity to the teacher's reasons", tables))


def values_of(table: pd.DataFrame, method: str, task: str, measure: str) -> pd.Series:
    """[seeds] one measure of one method on one task, by seed, in the file's order; empty if none."""
    rows = table[(table["method"] == method) & (table["task"] == task) & (table["measure"] == measure)]
    return rows.set_index("seed")["value"].astype(float)


def measured(grid: Grid, table: pd.DataFrame) -> pd.DataFrame:
    """``COLUMNS``, one row per method, task and measure, in the grid's order; sd over seeds with ddof=1.

    ``rows``: examples behind the value of a seed, the fewest of all seeds.
    """
    rows = []
    for name in grid.tasks:
        for method in (TEACHER, *grid.methods):
            here = table[(table["method"] == method) & (table["task"] == name)]
            for measure, group in here.groupby("measure", sort=False):
                mean, sd, n = over_seeds.mean_and_sd(group["value"].to_numpy(dtype=float))
                rows.append((method, name, measure, mean, sd, n, group["split"].iloc[0], group["rows"].min()))
    return pd.DataFrame(rows, columns=COLUMNS)


def comparisons(grid: Grid, table: pd.DataFrame) -> pd.DataFrame:
    """Every method's rank correlation against the reference's: paired seeds, Holm over tasks x methods.

    Difference = method minus reference, mean over paired seeds.
    """
    rows = []
    for name in grid.tasks:
        theirs = values_of(table, grid.reference, name, TESTED)
        for method in grid.compared:
            ours = values_of(table, method, name, TESTED)
            seeds = [seed for seed in grid.seeds if seed in ours.index and seed in theirs.index]
            if seeds:
                rows.append(
                    {"task": name, "method": method, "reference": grid.reference, "measure": TESTED}
                    | _comparison(ours[seeds].to_numpy() - theirs[seeds].to_numpy(), f"{name}/{method}/fidelity")
                )
    columns = "task method reference measure difference low high p p_holm n test smallest_p family interval note"
    found = pd.DataFrame(rows, columns=columns.split())
    return found.assign(p_holm=over_seeds.holm(found["p"].to_numpy(dtype=float)), family=len(found))


def _comparison(differences: Array, name: str) -> dict[str, object]:
    test = over_seeds.sign_flip(differences, np.random.default_rng(entropy(name)))
    interval = over_seeds.interval_over_seeds(differences)
    return {
        "difference": float(differences.mean()),
        "low": interval.low,
        "high": interval.high,
        "p": test.p,
        "n": test.n,
        "test": test.name if np.isfinite(test.p) else "",
        "smallest_p": test.smallest,
        "interval": interval.name,
        "note": test.reason,
    }


def fidelity_tables(grid: Grid, table: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> list[Table]:
    """One table per task.

    Args:
        table: as ``adkd.analysis.collect.fidelity.collect`` writes it.
        tests: as ``comparisons`` gives them.
        specs: of the explanations.
    """
    cells = measured(grid, table)
    return [
        _table(grid, task(name), here, tests, [spec for spec in specs if spec.task == name])
        for name in grid.tasks
        if len(here := cells[cells["task"] == name])
    ]


def _table(grid: Grid, one: Task, cells: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> Table:
    stars = starred(tests, one.name)
    footnotes: dict[str, str] = {}
    rows = []
    for method in (TEACHER, *grid.methods):
        of_method = cells[cells["method"] == method].set_index("measure")
        row = [Cell(grid.row(method)), Cell(str(of_method["n"].max()) if len(of_method) else DASH)]
        for measure in HEADER:
            if measure not in of_method.index:
                row.append(Cell(DASH))
            elif np.isnan(of_method.loc[measure, "mean"]):
                footnotes["u"] = UNDEFINED
                row.append(Cell(DASH, mark="u"))
            else:
                shown = cell(*of_method.loc[measure, ["mean", "sd"]], digits=2)
                random = of_method["mean"].get(f"{measure}_random", np.nan)
                yardstick = f" ({random:.2f})" if random == random else ""
                row.append(Cell(shown.text + yardstick, star=measure == TESTED and method in stars))
        rows.append(row)
    about = f"{grid.title}: fidelity" if grid.title else "Fidelity"
    title = f"{about} on {one.title}, mean ± sd over n seeds"
    under = notes(grid, one, cells, tests, specs)
    return Table(title, ["method", "n", *HEADER.values()], rows, footnotes, under)


def notes(grid: Grid, one: Task, cells: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> list[str]:
    """What a reader has to know: the measures in one line each, the examples, the integrals' error, the test."""
    chance = cells[cells["measure"] == "top_k_overlap_chance"]["mean"].mean()
    shares = ", ".join(f"{100 * share:g}" for share in specs[0].bins)
    said = [
        "Reasons: what each token contributes to the teacher's answer, by integrated gradients from the zero vector; "
        "special tokens do not count. rank ρ: Spearman correlation between teacher and student over the tokens of an "
        "example, mean over examples. size ρ: the same of the contributions' L2 norms, which AD-KD trains.",
        f"top {100 // TOP} %: share of the teacher's top tokens"
        + (", by size, " if one.regression else " ")
        + f"that are at the student's top{_by_chance(chance)}. answers: "
        + ("Pearson correlation of teacher's and student's values." if one.regression else "share of equal classes."),
        _faithfulness_note(one, shares),
        *_example_notes(cells, specs),
        f"Seeds: {spans(grid.seeds)} (n = {len(grid.seeds)}). "
        + (
            "One seed: no sd, no test."
            if len(grid.seeds) < 2
            else "sd: over seeds, ddof = 1; all see the same examples."
        ),
    ]
    if grid.teacher_is_shared:
        said.append("One teacher serves all seeds (n = 1): how results vary between teachers is not in the ±.")
    return said + star_note(grid, tests, more="fidelity_tests.csv")


def starred(tests: pd.DataFrame, name: str) -> set[str]:
    """The methods whose rank correlation on a task differs from the reference's; ``tests`` of ``comparisons``."""
    return set(tests[(tests["task"] == name) & (tests["p_holm"] < over_seeds.ALPHA)]["method"])


def _by_chance(chance: float) -> str:
    return f" ({chance:.2f} if it chose at random)" if chance == chance else ""


def _faithfulness_note(one: Task, shares: str) -> str:
    lost = "how far the model's value moves" if one.regression else "probability that the model's own class loses"
    departure = " Departure for regression: values for probabilities, tokens ranked by size." if one.regression else ""
    return (
        f"compr., suff.: ERASER (DeYoung et al. 2020), of the model's reasons for its own answer: {lost} when the "
        f"first {shares} % of the tokens are deleted (comprehensiveness, larger is more faithful) or alone kept "
        "(sufficiency, smaller is more faithful), mean over these shares; beside it the same of a random order."
        + departure
    )


def _example_notes(cells: pd.DataFrame, specs: list[ExplainSpec]) -> list[str]:
    """The examples, those that were left out, the steps of the integrals and their error."""
    whole, least = (int(of(cells[cells["rows"] > 0]["rows"])) for of in (max, min))
    examples = f"Examples: {whole} of {specs[0].split}, the same for every model."
    if least < whole:
        examples += f" A measure leaves out up to {whole - least}: fewer than two tokens, or a map without differences."
    errors = cells[cells["measure"] == "completeness_error"].dropna(subset="mean").set_index("method")["mean"]
    students = errors.drop(TEACHER, errors="ignore")
    said = [f"{errors[TEACHER]:.2g} of the teacher"] if TEACHER in errors else []
    said += [f"{students.min():.2g} to {students.max():.2g} of the students, by method"] if len(students) else []
    steps = {role: spec.steps for spec in specs for role in ("teacher", "student") if getattr(spec.inputs, role)}
    points = " and ".join(f"{number} steps for {role}s" for role, number in steps.items())
    return [
        examples,
        f"Integrals: Gauss-Legendre, {points}. Completeness error (median share of the output's change): "
        f"{', '.join(said) or 'undefined'}. It blurs every column, correlations most.",
    ]
