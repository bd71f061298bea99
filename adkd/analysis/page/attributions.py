"""Examples with the teacher's and the students' token attributions side by side, chosen by a rule."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from adkd.analysis.collect import explanations
from adkd.analysis.tables.wording import minus
from adkd.data.tasks import Task
from adkd.data.tasks import task as task_named
from adkd.plan.grid import TEACHER, Grid, Run

SHOWN = 9
"""Examples per task: the best, the worst and those at seven equal steps between, the median among them."""
RULE = (
    "Not picked by hand: all explained examples of a task are ordered by the rank correlation (Spearman, over tokens "
    "without the special ones) of the teacher's attributions with those of {method}, seed {seed}; shown are the best, "
    "the worst and those at equal steps between. The order is that of {method}: the correlations of another student "
    "need not fall from the top down."
)

COLUMNS = ["idx", "label", "tokens", "special", "logits", "contributions"]
"""What is read of ``examples.parquet``."""
Explained = Mapping[str, Any]
"""One row of ``examples.parquet``."""


def attributions(grid: Grid) -> dict[str, dict[str, Any]]:
    """Task -> what the page shows of it; a task whose teacher or reference was not explained is left out.

    Per task: ``rule``, ``seeds`` (method -> seed), and ``examples``, best first, each with ``tokens``, ``special``,
    ``label``, ``rank`` (of the correlation with the reference, among so many examples), ``teacher`` and ``students`` by
    method: its ``answer``, its ``map`` [L] for the teacher's predicted class, and ``rho`` with the teacher's map.

    Raises:
        InputError: an explanation was made with another spec than the plan's.
    """
    shown = {name: _of_task(grid, task_named(name)) for name in grid.tasks}
    return {name: examples for name, examples in shown.items() if examples}


def _of_task(grid: Grid, task: Task) -> dict[str, Any] | None:
    students = {run.method: run for run in reversed(grid.students) if run.task == task.name}  # the first seed stays
    if grid.reference not in students:
        return None
    seed = students[grid.reference].seed
    teacher = next((run for run in grid.teachers if run.task == task.name and run.seed in (seed, "shared")), None)
    read = {run.method: _read(grid, run) for run in (teacher, *students.values()) if run}
    if not read.get(TEACHER) or not read[grid.reference]:
        return None
    theirs = read.pop(TEACHER)
    chosen = spread(_correlations(theirs, read[grid.reference]))
    order = [method for method in grid.methods if read.get(method)]
    return {
        "rule": RULE.format(method=grid.reference, seed=seed),
        "seeds": {method: students[method].seed for method in order},
        "examples": [_example(task, theirs[idx], {m: read[m].get(idx) for m in order}, rank) for idx, rank in chosen],
    }


def _read(grid: Grid, run: Run) -> dict[int, Explained]:
    """idx -> one explained example of a run; nothing if it was not explained."""
    if run.explanation is None or not explanations.report_file(grid, run).exists():
        return {}
    _, table = explanations.stored(grid, run, COLUMNS)
    return {row["idx"]: row for row in table.to_pylist()}


def spread(correlations: Mapping[int, float]) -> list[tuple[int, str]]:
    """``SHOWN`` examples at equal steps from the highest to the lowest correlation: (idx, its rank in words)."""
    order = sorted((idx for idx, rho in correlations.items() if rho == rho), key=lambda idx: (-correlations[idx], idx))
    last = len(order) - 1
    names = {0: " (best)", last: " (worst)", round(last / 2): " (median)"}
    places = sorted(set(np.linspace(0, last, SHOWN).round().astype(int).tolist())) if order else []
    return [(order[place], f"rank {place + 1} of {len(order)}{names.get(place, '')}") for place in places]


def _correlations(theirs: Mapping[int, Explained], ours: Mapping[int, Explained]) -> dict[int, float]:
    return {idx: correlation(teacher, ours[idx]) for idx, teacher in theirs.items() if idx in ours}


def correlation(teacher: Explained, student: Explained) -> float:
    """The rank correlation of two maps over the tokens that are not special; NaN where it has no meaning."""
    real = ~np.array(teacher["special"], bool)
    return explanations.rank_correlation(
        *(np.array(shown_map(explained, teacher))[real] for explained in (teacher, student))
    )


def shown_map(explained: Explained, teacher: Explained) -> Sequence[float]:
    """[L] attributions of the logit of the class that the teacher predicts; of the output, for regression."""
    return explained["contributions"][int(np.argmax(teacher["logits"]))]


def _example(task: Task, teacher: Explained, students: Mapping[str, Explained | None], rank: str) -> dict[str, Any]:
    def shown(explained: Explained) -> dict[str, Any]:
        values = [float(f"{value:.3g}") for value in shown_map(explained, teacher)]
        rho = correlation(teacher, explained)
        return {
            "answer": _answer(task, explained["logits"]),
            "map": values,
            "rho": round(rho, 2) if rho == rho else None,
        }

    return {
        "idx": teacher["idx"],
        "label": f"{teacher['label']:.2f}" if task.regression else task.labels[int(teacher["label"])],
        "explained": "the output" if task.regression else task.labels[int(np.argmax(teacher["logits"]))],
        "rank": rank,
        "tokens": teacher["tokens"],
        "special": [int(special) for special in teacher["special"]],
        "teacher": {key: value for key, value in shown(teacher).items() if key != "rho"},
        "students": {method: shown(row) for method, row in students.items() if row},
    }


def _answer(task: Task, logits: Sequence[float]) -> str:
    if task.regression:
        return minus(f"{logits[0]:.2f}")
    shares = softmax(logits)
    return f"{task.labels[int(np.argmax(shares))]} ({shares.max():.2f})"
