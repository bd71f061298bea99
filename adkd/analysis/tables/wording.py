"""What several tables say in the same words."""

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from adkd.analysis.collect.scores import CONSTANT, FAILED
from adkd.analysis.stats import over_seeds
from adkd.analysis.stats.collapse import NORMAL, RULE
from adkd.analysis.tables.table import DASH, Cell, Row
from adkd.plan.grid import TEACHER, Grid

NOT_PLANNED = "not in this plan"
CONSTANT_RULE = (
    "Constant predictions: the same answer for every example. A correlation is undefined then and counts as 0, as do "
    "Matthews' correlation and, where nothing is predicted positive, F1."
)
WITHOUT = "No score: a mean over the other seeds flatters a method whose failed seeds are left out of it."


def notes_on(remarks: pd.Series) -> list[str]:
    """What the remarks on the seeds of a table mean; blank where there is none."""
    text = "; ".join(remarks.dropna())
    meanings = {CONSTANT: CONSTANT_RULE, "outlying": RULE, FAILED: WITHOUT, "no score": WITHOUT}
    found = [meaning for words, meaning in meanings.items() if words in text]
    if CONSTANT_RULE in found and RULE not in found:
        found.append(NORMAL)
    return list(dict.fromkeys(found))


def row_of(grid: Grid, method: str, cells: Sequence[Cell]) -> Row:
    """The row of a method. In an ablation no row is marked as the reference: the labels of its points say enough."""
    reference = None if grid.title else grid.reference
    kind = {TEACHER: "teacher", reference: "reference"}.get(method, "")
    return Row(grid.labels.get(method, method), cells, kind)


def titled(grid: Grid, about: str) -> str:
    """``Scores``, or ``The loss of AD-KD: scores`` in an ablation with that title."""
    return f"{grid.title}: {about}" if grid.title else about.capitalize()


def why_not_run(grid: Grid, method: str, task: str) -> str:
    """Why a method has no run on a task."""
    return f"{method}: {grid.reason(method, task)}"


def minus(text: str) -> str:
    """The text with real minus signs, which are as wide as a plus."""
    return text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A number that shows its sign."""
    return minus(f"{value:+.{digits}f}")


def p_text(p: float) -> str:
    """A p-value with as many digits as are meaningful; a dash where there is none."""
    if p != p:
        return DASH
    if p < 1e-4:
        return "<.0001"
    return f"{p:.3f}" if p >= 1e-3 else f"{p:.4f}"


def spans(seeds: Sequence[str]) -> str:
    """Seeds, more than three in a row as first–last."""
    parts = []
    for _, group in groupby(enumerate(map(int, seeds)), lambda pair: pair[1] - pair[0]):
        row = [str(seed) for _, seed in group]
        parts += row if len(row) <= 3 else [f"{row[0]}–{row[-1]}"]
    return ", ".join(parts)


def seeds_note(grid: Grid, one_seed: str, several: str) -> str:
    """The seeds, and what follows from their number."""
    return f"Seeds: {spans(grid.seeds)} (n = {len(grid.seeds)}). {one_seed if len(grid.seeds) < 2 else several}"


def selection_note(grid: Grid, role: str) -> str:
    """Which data chose the epoch of a run."""
    if grid.selection == "held_out":
        return "Epoch: selected on a part of the training split that was held out; the reported split chose nothing."
    if grid.selection == "last":
        return "Epoch: the last one; nothing was selected."
    if role == "validation":
        return (
            "Epoch: selected on validation, the split that is reported here, as in the paper. "
            "The scores are therefore optimistic."
        )
    return f"Epoch: selected on validation, not on {role}."


def star_note(grid: Grid, tests: pd.DataFrame, more: str = "significance.md") -> list[str]:
    """The test behind the stars, and whether any star was possible; none without tests.

    Args:
        tests: the family of comparisons over seeds.
        more: the file that lists them.
    """
    family = len(tests)
    if not family or len(grid.seeds) < 2:
        return []
    n = int(tests["n"].max())
    smallest = tests["smallest_p"].min()
    smallest = over_seeds.smallest_sign_flip(n) if smallest != smallest else smallest
    reach = f"The smallest p that {n} seeds can reach is {smallest:.3g}, adjusted {min(1, family * smallest):.3g}"
    if family * smallest >= over_seeds.ALPHA:
        reach += f": no star can appear (from {over_seeds.seeds_for_a_star(family)} seeds on one could)"
    return [
        f"* differs from {grid.labels[grid.reference]}: paired sign-flip test over seeds, two-sided, "
        f"p < {over_seeds.ALPHA} after Holm's adjustment for {family} comparison{'s' * (family > 1)}. {reach}. "
        f"No star does not mean no difference: see {more}.",
    ]
