"""The fidelity table: every method's agreement with its teacher's attributions, mean ± sd over seeds, and its tests."""

import pandas as pd

from adkd.analysis.collect.explanations import TOP
from adkd.analysis.collect.fidelity import FILE, read, specs
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.fidelity import TESTED, comparisons, means
from adkd.analysis.tables.table import Cell, Footnotes, Heading, Table
from adkd.analysis.tables.table import write as write_texts
from adkd.analysis.tables.text import csv, texts
from adkd.analysis.tables.wording import row_of, seeds_note, star_note, titled
from adkd.data.tasks import Task, task
from adkd.plan.grid import TEACHER, Grid
from adkd.plan.specs import ExplainSpec

HEADINGS = {
    "rank_correlation": Heading("rank ρ"),
    "magnitude_correlation": Heading("size ρ"),
    "top_k_overlap": Heading(f"top {100 // TOP} %"),
    "agreement": Heading("answers"),
    "comprehensiveness": Heading("compr.", beside="random"),
    "sufficiency": Heading("suff.", beside="random"),
    "completeness_error": Heading("integrals' error", page_only=True),
}
"""The measures that are columns of the table, with their headings."""
YARDSTICKS = {
    "top_k_overlap": ("by chance", "top_k_overlap_chance"),
    "comprehensiveness": ("random order", "comprehensiveness_random"),
    "sufficiency": ("random order", "sufficiency_random"),
}
"""Measure -> what it is compared with, in words, and the measure that has its value."""


def write(grid: Grid) -> None:
    """Write ``tables/fidelity.{csv,md,tex,txt}`` and ``tables/fidelity_tests.csv``.

    Raises:
        InputError: the measures are missing, or lack an explained run of the plan.
    """
    by_seed = read(grid)
    table, tests = means(grid, by_seed), comparisons(grid, by_seed)
    tables = fidelity_tables(grid, table, tests, specs(grid))
    files = {"fidelity.csv": csv(table), "fidelity_tests.csv": csv(tests)}
    files |= texts("fidelity", "Fidelity to the teacher's attributions", tables)
    write_texts(grid.out / "tables", files, [grid.file, grid.out / FILE])


def fidelity_tables(grid: Grid, table: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> list[Table]:
    """One table per task that was explained.

    Args:
        table: as from ``means``, or ``fidelity.csv`` among the tables.
        tests: as from ``comparisons``, or ``fidelity_tests.csv``.
        specs: of the explanations.
    """
    return [
        _table(grid, task(name), rows, tests, [spec for spec in specs if spec.task == name])
        for name in grid.tasks
        if len(rows := table[table["task"] == name])
    ]


def _table(grid: Grid, task: Task, table: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> Table:
    starred = set(tests[(tests["task"] == task.name) & (tests["p_holm"] < over_seeds.ALPHA)]["method"])
    footnotes = Footnotes()
    rows = []
    for method in (TEACHER, *grid.methods):
        measures = table[table["method"] == method].set_index("measure")
        cells = [_cell(measures, measure, method in starred, footnotes) for measure in HEADINGS]
        seeds = Cell(measures["n"].max(), ".0f") if len(measures) else Cell()
        rows.append(row_of(grid, method, [seeds, *cells]))
    title = f"{titled(grid, 'fidelity')} on {task.title}, mean ± sd over n seeds"
    header = [Heading("method"), Heading("n"), *HEADINGS.values()]
    return Table(title, header, rows, footnotes.texts, notes(grid, task, table, tests, specs))


def _cell(measures: pd.DataFrame, measure: str, star: bool, footnotes: Footnotes) -> Cell:
    """One measure of one method; ``measures``: those that the method has, by name."""
    if measure not in measures.index:
        return Cell()
    row = measures.loc[measure]
    if pd.isna(row["mean"]):
        return footnotes.dash("undefined for every seed", "u")
    words, yardstick = YARDSTICKS.get(measure, ("", ""))
    random = measures["mean"].get(yardstick, float("nan"))
    below = None if pd.isna(random) else (words, random)
    form = ".4f" if measure == "completeness_error" else ".2f"
    seeds = measures["n"].max()
    lacking = seeds - row["n"]
    mark = footnotes.mark(f"undefined for {lacking} of {seeds} seeds: mean over the others") if lacking else ""
    return Cell(row["mean"], form, sd=row["sd"], below=below, star=star and measure == TESTED, mark=mark)


def notes(grid: Grid, task: Task, table: pd.DataFrame, tests: pd.DataFrame, specs: list[ExplainSpec]) -> list[str]:
    """What a reader has to know: the measures in one line each, the examples, the integrals' error, the test."""
    chance = table[table["measure"] == "top_k_overlap_chance"]["mean"].mean()
    shares = ", ".join(f"{100 * share:g}" for share in specs[0].bins)
    lines = [
        "Attributions: how much each token adds to the teacher's answer, by integrated gradients from the zero vector; "
        "special tokens are left out. rank ρ: Spearman correlation between teacher and student over the tokens of an "
        "example, mean over examples. size ρ: the same for the L2 norms of the attributions, which AD-KD trains.",
        f"top {100 // TOP} %: share of the teacher's top tokens"
        + (", by size, " if task.regression else " ")
        + f"that are among the student's top tokens{_by_chance(chance)}. answers: "
        + ("Pearson correlation of teacher's and student's values." if task.regression else "share of equal classes."),
        _faithfulness_note(task, shares),
        *_example_notes(table, specs),
        seeds_note(grid, "One seed: no sd, no test.", "sd: over seeds, ddof = 1; all see the same examples."),
    ]
    if grid.teacher_is_shared:
        lines.append("One teacher serves all seeds (n = 1): how results vary between teachers is not in the ±.")
    return lines + star_note(grid, tests, more="fidelity_tests.csv")


def _by_chance(chance: float) -> str:
    return f" ({chance:.2f} if chosen at random)" if chance == chance else ""


def _faithfulness_note(task: Task, shares: str) -> str:
    lost = "how far the model's value moves" if task.regression else "probability that the model's own class loses"
    departure = " Departure for regression: values for probabilities, tokens ranked by size." if task.regression else ""
    return (
        f"compr., suff.: ERASER (DeYoung et al. 2020), of the model's attributions for its own answer: {lost} when the "
        f"first {shares} % of the tokens are deleted (comprehensiveness: larger is more faithful) or are the only ones "
        "kept (sufficiency: smaller is more faithful), mean over these shares; beside it the same for a random order."
        + departure
    )


def _example_notes(table: pd.DataFrame, specs: list[ExplainSpec]) -> list[str]:
    """The examples, those that were left out, the steps of the integrals and their error."""
    whole, least = (int(extreme(table[table["rows"] > 0]["rows"])) for extreme in (max, min))
    examples = f"Examples: {whole} of {specs[0].split}, the same for every model."
    if least < whole:
        examples += f" A measure leaves out up to {whole - least}: fewer than two tokens, or a map without differences."
    errors = table[table["measure"] == "completeness_error"].dropna(subset="mean").set_index("method")["mean"]
    students = errors.drop(TEACHER, errors="ignore")
    parts = [f"{errors[TEACHER]:.2g} of the teacher"] if TEACHER in errors else []
    parts += [f"{students.min():.2g} to {students.max():.2g} of the students, by method"] if len(students) else []
    steps = {role: spec.steps for spec in specs for role in ("teacher", "student") if getattr(spec.inputs, role)}
    points = " and ".join(f"{number} steps for {role}s" for role, number in steps.items())
    return [
        examples,
        f"Integrals: Gauss-Legendre, {points}. Completeness error (median share of the output's change): "
        f"{', '.join(parts) or 'undefined'}. It blurs every column, correlations most.",
    ]
