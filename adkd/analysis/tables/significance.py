"""``significance.md``: the comparisons in words that say what each test can and cannot show."""

import pandas as pd

from adkd.analysis.grid import Grid
from adkd.analysis.stats import over_examples, over_seeds
from adkd.analysis.stats.significance import AVERAGE
from adkd.analysis.tables.table import DASH, Cell, Table, markdown


def significance_markdown(grid: Grid, table: pd.DataFrame) -> str:
    """The whole file; ``table`` as made by ``significance.comparisons``."""
    reference = grid.labels[grid.reference]
    table = table.assign(method=table["method"].map(grid.labels))
    head = [
        f"# Comparisons with {reference}",
        "",
        f"Split: {grid.roles[0]}. Difference = method − {reference}, in points (×100) of the task's main metric, "
        f"mean over paired seeds: above 0 the method scored higher, below 0 {reference} did. "
        "Square brackets: 95 % interval. "
        "Holm: p adjusted for all comparisons of the same level. A large p does not show that two methods are equal: "
        "read the interval for how large a difference the data leave open.",
        "",
    ]
    if table.empty:
        return "\n".join([*head, "No method was compared: the plan has none besides the reference.", ""])
    if len(grid.seeds) < 2:
        head += ["One seed: differences are shown, but there is no sd, no interval and no test.", ""]
    tables = [_seed_level(grid, table), _example_level(table), _task_level(grid, table)]
    return "\n".join(head) + "\n" + "\n".join(map(markdown, tables))


def _seed_level(grid: Grid, table: pd.DataFrame) -> Table:
    rows = table[table["level"] == "seed"]
    notes = [
        "Question: would the difference hold with other seeds, on these same examples?",
        "Test: paired sign-flip over the n seeds, two-sided. Interval: paired Student t over the n seeds, which takes "
        "the differences to be roughly normal; the percentile bootstrap, too narrow with few seeds, is in "
        "significance.csv. "
        f"Holm over {len(rows)} comparisons. ρ: correlation of the two methods' seeds; near 0, pairing gains nothing.",
    ]
    notes += _reach(rows, "seeds")
    if grid.teacher_is_shared:
        notes.append(
            "Seeds vary the students alone; they share one teacher per task, and another might give other results."
        )
    cells = [
        [
            Cell(row.task),
            Cell(row.method),
            _difference(row),
            Cell(str(int(row.n))),
            Cell(_p(row.p)),
            Cell(_p(row.p_holm)),
            Cell(_or_dash(row.rho, f"{row.rho:.2f}")),
            Cell(row.note),
        ]
        for row in rows.itertuples()
    ]
    header = ["task", "method", "difference", "seeds", "p", "Holm", "ρ", "note"]
    return _without_blank_note(Table("Other seeds", header, cells, {}, notes))


def _example_level(table: pd.DataFrame) -> Table:
    rows = table[table["level"] == "example"]
    notes = [
        "Question: would the difference hold on other examples, as many and of the same kind, given these runs' "
        "average?",
        "Test: on the predictions averaged over seeds (their difference stands under *averaged*; it is not the mean "
        "over seeds), exact McNemar for accuracy, else a paired permutation over examples with "
        f"{over_examples.PERMUTATIONS} draws (smallest p {1 / (1 + over_examples.PERMUTATIONS):.4f}). It says nothing "
        "about other seeds: a method can win here by the luck of its seeds.",
        "Interval: hierarchical bootstrap of the mean difference, seeds and examples resampled "
        f"{over_examples.BOOTSTRAPS} times. Holm over {len(rows)} comparisons. n: examples.",
    ]
    cells = [
        [
            Cell(row.task),
            Cell(row.method),
            _difference(row),
            Cell(DASH if pd.isna(row.n) else str(row.n)),
            Cell(_or_dash(row.tested_difference, f"{100 * row.tested_difference:+.2f}")),
            Cell(_p(row.p)),
            Cell(_p(row.p_holm)),
            Cell(row.note),
        ]
        for row in rows.itertuples()
    ]
    header = ["task", "method", "difference", "examples", "averaged", "p", "Holm", "note"]
    return _without_blank_note(Table("Other examples", header, cells, {}, notes))


def _task_level(grid: Grid, table: pd.DataFrame) -> Table:
    rows = table[table["level"] == "task"]
    left_out = [column.title for column in grid.columns(grid.roles[0]) if not column.averaged]
    without = f" {', '.join(left_out)} is left out." if left_out else ""
    notes = [
        f"Question: is the method above or below {grid.labels[grid.reference]} across tasks?{without}",
        "Difference: mean over tasks of the mean over seeds. Interval: t over seeds within tasks "
        "(Welch-Satterthwaite); the stratified percentile bootstrap, too narrow with few seeds, is in "
        "significance.csv. Tasks and examples are taken as given, so neither speaks of other tasks.",
        "Test: exact Wilcoxon signed-rank over the n task means. It ranks points of different metrics against each "
        "other. "
        f"Holm over {len(rows)} comparison{'s' * (len(rows) > 1)}.",
    ]
    notes += _reach(rows, "tasks")
    cells = [
        [
            Cell(row.method),
            _difference(row),
            Cell(str(int(row.n))),
            Cell(_p(row.p)),
            Cell(_p(row.p_holm)),
            Cell(row.note),
        ]
        for row in rows.itertuples()
    ]
    header = ["method", "difference", "tasks", "p", "Holm", "note"]
    return _without_blank_note(Table(f"All tasks ({AVERAGE})", header, cells, {}, notes))


def _reach(rows: pd.DataFrame, things: str) -> list[str]:
    """What p-values were possible at all, before and after Holm's adjustment."""
    counts = [n for n in sorted(set(rows["n"])) if n > 1]
    if not counts:
        return []
    smallest = [over_seeds.smallest_sign_flip(n) for n in counts]
    least = min(1, len(rows) * min(smallest))
    verdict = f", so none can get below {over_seeds.ALPHA} here" if least >= over_seeds.ALPHA else ""
    said = ", ".join(f"{p:.3g} with {n} {things}" for n, p in zip(counts, smallest, strict=True))
    return [f"Smallest p that can be reached: {said}; after Holm {least:.3g}{verdict}."]


def _difference(row: object) -> Cell:
    if row.difference != row.difference:
        return Cell(DASH)
    interval = f" [{100 * row.low:+.2f}, {100 * row.high:+.2f}]" if row.low == row.low else ""
    return Cell(f"{100 * row.difference:+.2f}{interval}")


def _p(p: float) -> str:
    """A p-value with as many digits as can be read; a dash where there is none."""
    if p != p:
        return DASH
    if p < 1e-4:
        return "<.0001"
    return f"{p:.3f}" if p >= 1e-3 else f"{p:.4f}"


def _or_dash(value: float, text: str) -> str:
    return text if value == value else DASH


def _without_blank_note(table: Table) -> Table:
    """The table without its last column where that says nothing."""
    if any(row[-1].text for row in table.rows):
        return table
    rows = [row[:-1] for row in table.rows]
    return Table(table.title, table.header[:-1], rows, table.footnotes, table.notes)
