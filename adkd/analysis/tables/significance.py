"""``significance.md``: the comparisons in words that say what each test can and cannot show."""

from dataclasses import replace
from typing import Any

import pandas as pd

from adkd.analysis.stats import over_examples, over_seeds
from adkd.analysis.stats.over_seeds import Interval
from adkd.analysis.stats.significance import AVERAGE
from adkd.analysis.tables.table import DASH, NO_INTERVAL, Cell, Footnotes, Heading, Row, Table, headings
from adkd.analysis.tables.text import markdown
from adkd.analysis.tables.wording import minus, notes_on, p_text
from adkd.plan.grid import Grid


def significance_markdown(grid: Grid, table: pd.DataFrame) -> str:
    """The whole file; ``table`` as from ``stats.significance.comparisons``."""
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


def difference_table(grid: Grid, table: pd.DataFrame) -> Table:
    """Every difference over seeds in a row of its own, then the averages over tasks, in points (×100).

    Args:
        table: as from ``stats.significance.comparisons``, or ``significance.csv``.
    """
    tests = {(test.task, test.method): test for test in table[table["level"] == "seed"].itertuples()}
    rows, footnotes = [], Footnotes()
    for column in grid.columns(grid.roles[0]):
        for method in grid.compared:
            test = tests.get((column.name, method))
            if test is None or pd.isna(test.difference):
                reason = grid.skipped.get(method, {}).get(column.task.name, "no seed has a score of both")
                cells = [Cell(words=column.title), Cell(), Cell(words=reason), Cell()]
                rows.append(Row(method, cells))
            else:
                rows.append(_difference_row(test, column.title, footnotes))
    averages = table[(table["level"] == "task") & table["difference"].notna()]
    rows += [_difference_row(test, f"{AVERAGE} over tasks", footnotes) for test in averages.itertuples()]
    header = headings("method", "task", f"points above {grid.reference}", "95 % interval", "p (Holm)")
    shown = table[(table["level"] != "example") & table["difference"].notna()]
    return Table(f"Differences to {grid.reference}", header, rows, footnotes.texts, notes_on(shown["note"]))


def _difference_row(test: Any, task: str, footnotes: Footnotes) -> Row:
    difference = _difference(test)
    mark = "" if pd.isna(test.note) or not test.note else footnotes.mark(test.note)
    interval = Cell(words=minus(difference.brackets) or DASH, mark=mark)
    p = Cell(test.p_holm, words=p_text(test.p_holm))
    return Row(test.method, [Cell(words=task), replace(difference, interval=NO_INTERVAL), interval, p])


def _seed_level(grid: Grid, table: pd.DataFrame) -> Table:
    tests = table[table["level"] == "seed"]
    notes = [
        "Question: would the difference hold with other seeds, on these same examples?",
        "Test: paired sign-flip over the n seeds, two-sided. Interval: paired Student t over the n seeds, which takes "
        "the differences to be roughly normal; the percentile bootstrap, too narrow with few seeds, is in "
        "significance.csv. "
        f"Holm over {len(tests)} comparisons. ρ: correlation of the two methods' seeds; near 0, pairing gains nothing.",
        *_reach(tests, "seeds"),
    ]
    if grid.teacher_is_shared:
        notes.append(
            "Seeds vary the students alone; they share one teacher per task, and another might give other results."
        )
    rows = [
        Row(
            test.task,
            [Cell(words=test.method), _difference(test), _count(test), *_p_values(test), Cell(test.rho, ".2f")],
        )
        for test in tests.itertuples()
    ]
    header = headings("task", "method", "difference", "seeds", "p", "Holm", "ρ")
    return _with_remarks(Table("Other seeds", header, rows, {}, notes), tests)


def _example_level(table: pd.DataFrame) -> Table:
    tests = table[table["level"] == "example"]
    notes = [
        "Question: would the difference hold on other examples, as many and of the same kind, given these runs' "
        "average?",
        "Test: on the predictions averaged over seeds (their difference stands under *averaged*; it is not the mean "
        "over seeds), exact McNemar for accuracy, else a paired permutation over examples with "
        f"{over_examples.PERMUTATIONS} draws (smallest p {1 / (1 + over_examples.PERMUTATIONS):.4f}). It says nothing "
        "about other seeds: a method can win here by the luck of its seeds.",
        "Interval: hierarchical bootstrap of the mean difference, seeds and examples resampled "
        f"{over_examples.BOOTSTRAPS} times. Holm over {len(tests)} comparisons. n: examples.",
    ]
    rows = []
    for test in tests.itertuples():
        averaged = Cell(100 * test.tested_difference, "+.2f")
        rows.append(
            Row(test.task, [Cell(words=test.method), _difference(test), _count(test), averaged, *_p_values(test)])
        )
    header = headings("task", "method", "difference", "examples", "averaged", "p", "Holm")
    return _with_remarks(Table("Other examples", header, rows, {}, notes), tests)


def _task_level(grid: Grid, table: pd.DataFrame) -> Table:
    tests = table[table["level"] == "task"]
    left_out = [column.title for column in grid.columns(grid.roles[0]) if not column.averaged]
    without = f" {', '.join(left_out)} is left out." if left_out else ""
    notes = [
        f"Question: is the method above or below {grid.labels[grid.reference]} across tasks?{without}",
        "Difference: mean over tasks of the mean over seeds. Interval: t over seeds within tasks "
        "(Welch-Satterthwaite); the stratified percentile bootstrap, too narrow with few seeds, is in "
        "significance.csv. Tasks and examples are taken as given, so neither speaks of other tasks.",
        "Test: exact Wilcoxon signed-rank over the n task means. It ranks points of different metrics against each "
        "other. "
        f"Holm over {len(tests)} comparison{'s' * (len(tests) > 1)}.",
        *_reach(tests, "tasks"),
    ]
    rows = [Row(test.method, [_difference(test), _count(test), *_p_values(test)]) for test in tests.itertuples()]
    header = headings("method", "difference", "tasks", "p", "Holm")
    return _with_remarks(Table(f"All tasks ({AVERAGE})", header, rows, {}, notes), tests)


def _reach(tests: pd.DataFrame, things: str) -> list[str]:
    """The smallest p-values that are possible, before and after Holm's adjustment."""
    counts = [n for n in sorted(set(tests["n"])) if n > 1]
    if not counts:
        return []
    smallest = [over_seeds.smallest_sign_flip(n) for n in counts]
    least = min(1, len(tests) * min(smallest))
    verdict = f", so none can get below {over_seeds.ALPHA} here" if least >= over_seeds.ALPHA else ""
    each = ", ".join(f"{p:.3g} with {n} {things}" for n, p in zip(counts, smallest, strict=True))
    return [f"Smallest p that can be reached: {each}; after Holm {least:.3g}{verdict}."]


def _difference(test: Any) -> Cell:
    return Cell(100 * test.difference, "+.2f", interval=Interval(100 * test.low, 100 * test.high))


def _count(test: Any) -> Cell:
    return Cell() if pd.isna(test.n) else Cell(test.n, ".0f")


def _p_values(test: Any) -> list[Cell]:
    return [Cell(p, words=p_text(p)) for p in (test.p, test.p_holm)]


def _with_remarks(table: Table, tests: pd.DataFrame) -> Table:
    """The table with the notes of its tests as a last column, where a test has one."""
    if not any(tests["note"]):
        return table
    table = replace(table, notes=[*table.notes, *notes_on(tests["note"])])
    rows = [Row(row.name, [*row.cells, Cell(words=note)]) for row, note in zip(table.rows, tests["note"], strict=True)]
    return Table(table.title, [*table.header, Heading("note")], rows, table.footnotes, table.notes)
