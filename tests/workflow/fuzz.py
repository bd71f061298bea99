"""Values of a tree of results changed at random, each read by the command that consumes it; and random command lines.

``python -m tests.workflow.fuzz FOLDER TRIES`` makes the tree of ``tests.workflow.damage`` in FOLDER, unless it is
there, tries as many changes of each kind, the same ones every time, and prints a table and every case that ended in
anything but a result or one line. Changed specs, reports and ``scores.csv`` get a new checksum, which tries the checks
below it.
"""

import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adkd.base.checked import checksum_file
from tests.test_fuzz import VERBS, WORDS, mangled, mutated
from tests.workflow.damage import GRID, SPEC, copied, prepared, run

LIMIT = 10
"""Seconds until a command is stopped: a changed spec may ask for a long training."""
OUTCOMES = ("made", "refused", "stopped", "lines", "traceback")

SPECS = {
    "data/sst2": "data",
    "teachers/sst2/seed-shared": "teacher",
    "signals/sst2/seed-shared/maps-all-1": "signals",
    "students/adkd/sst2/seed-1": "student",
    "explanations/students/adkd/sst2/seed-1": "explain",
    "latency/students/vanilla_kd/sst2/seed-1": "latency",
    "sweeps/vanilla_kd/sst2/round-0/trial-0/seed-1": "trial",
    "sweeps/vanilla_kd/sst2/round-0": "round",
    "sweeps/vanilla_kd/sst2": "study",
}
"""Name -> the command that carries it out."""

REPORTS: dict[str, tuple[str, ...]] = {
    "students/adkd/sst2/seed-1/metrics.json": ("scores", GRID),
    "teachers/sst2/seed-shared/metrics.json": ("scores", GRID),
    "data/sst2/data.json": ("student", SPEC.format("students/adkd/sst2/seed-1")),
    "signals/sst2/seed-shared/maps-all-1/signals.json": ("student", SPEC.format("students/adkd/sst2/seed-1")),
    "explanations/students/adkd/sst2/seed-1/explanation.json": ("fidelity", GRID),
    "latency/students/vanilla_kd/sst2/seed-1/latency.json": ("cost", GRID),
    "sweeps/vanilla_kd/sst2/round-0/trial-0/seed-1/trial.json": ("study", SPEC.format("sweeps/vanilla_kd/sst2")),
    "sweeps/vanilla_kd/sst2/sweep.json": ("plan", "-c", "config.yaml", "-c", "tuned.yaml"),
    "plan/grid.json": ("scores", GRID),
}
"""Report, or grid -> the command that reads it."""


def sealed(value: Any) -> str:
    """A changed record, with the checksum that its writer would have given it."""
    if not isinstance(value, dict):
        return json.dumps(value)
    value = {key: inner for key, inner in value.items() if key != "sha256"}
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(value | {"sha256": digest}, indent=1, sort_keys=True) + "\n"


def outcome(tree: Path, arguments: tuple[str, ...], change: Callable[[Path], object]) -> tuple[str, str]:
    """What a command makes of a changed copy of a tree, and what it said."""
    with copied(tree) as folder:
        change(folder)
        status, said = run(folder, *arguments, limit=LIMIT)
    errors = said[said.index("error:") :].strip().splitlines() if "error:" in said else []
    if "Traceback" in said:
        return "traceback", said
    if status < 0:
        return "stopped", said
    if status:
        return "refused" if len(errors) == 1 or status == 2 else "lines", said
    return "made", said


def rewrite(name: str, content: bytes, folder: Path) -> None:
    """Put other content into a file of a copy, which may share it with the tree."""
    file = folder / name
    file.unlink()
    file.write_bytes(content)


def rewrite_scores(content: bytes, folder: Path) -> None:
    """Other scores, with their checksum."""
    rewrite("results/scores.csv", content, folder)
    beside = checksum_file(folder / "results/scores.csv")
    lines = beside.read_text().splitlines(keepends=True)
    beside.unlink()
    beside.write_text("".join([f"{hashlib.sha256(content).hexdigest()}  scores.csv\n", *lines[1:]]))


@st.composite
def changed_tables(draw: Any, content: bytes) -> bytes:
    """A CSV file with other bytes, or another value in one to three of its cells."""
    if draw(st.booleans()):
        return draw(mangled(content))
    rows = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(
            st.sampled_from(["", "nan", "inf", "-1", "2", "1e400", "x", "adkd", "stsb", "shared", "True", '"'])
        )
    return "\n".join(map(",".join, rows)).encode()


def cases(tree: Path) -> dict[str, st.SearchStrategy]:
    """Kind -> strategy of (arguments of ``adkd``, change of a folder)."""

    def record(name: str, arguments: tuple[str, ...]) -> st.SearchStrategy:
        value = json.loads((tree / "results" / name).read_text())
        change = mutated(value).map(lambda new: partial(rewrite, f"results/{name}", sealed(new).encode()))
        return st.tuples(st.just(arguments), change)

    table = (tree / "results/scores.csv").read_bytes()
    words = st.lists(st.sampled_from(WORDS), max_size=5)
    return {
        "specs": st.one_of([record(f"plan/{name}.json", (stage, SPEC.format(name))) for name, stage in SPECS.items()]),
        "reports": st.one_of([record(name, arguments) for name, arguments in REPORTS.items()]),
        "scores.csv": st.tuples(
            st.sampled_from([("tables", GRID), ("figures", GRID)]),
            changed_tables(table).map(lambda content: partial(rewrite_scores, content)),
        ),
        "command lines": st.tuples(
            st.tuples(st.sampled_from(VERBS), words).map(lambda drawn: (drawn[0], *drawn[1])),
            st.just(lambda folder: None),
        ),
    }


def main(folder: Path, tries: int) -> None:
    """Try all kinds, and print a table and every case that is not as it should be."""
    tree = prepared(folder.absolute())
    for kind, strategy in cases(tree).items():
        counts: Counter[str] = Counter()

        @settings(
            max_examples=tries,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def attempt(case: tuple[tuple[str, ...], Callable[[Path], object]]) -> None:
            arguments, change = case
            found, said = outcome(tree, arguments, change)
            counts[found] += 1  # noqa: B023
            if found in ("lines", "traceback"):
                shown = re.sub(r"\s+", " ", said[-600:])
                print(f"{found:<10} {kind}: {arguments}: {shown}", flush=True)  # noqa: B023

        attempt()
        print(f"{kind}: {counts.total()} tries; " + ", ".join(f"{counts[o]} {o}" for o in OUTCOMES), flush=True)


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    main(Path(sys.argv[1]), int(sys.argv[2]))
