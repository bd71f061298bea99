"""What the workflow costs around training: until the first job starts, per job, and from results to tables.

The real commands run as processes of their own in temporary directories. All times are wall-clock seconds.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

import numpy as np

from adkd.base.errors import RunError
from adkd.base.files import read_json
from adkd.base.seeds import entropy
from adkd.bench.made_up import write_run
from adkd.bench.processes import REPOSITORY, adkd, planned
from adkd.data.tasks import TASKS, Task, task
from adkd.plan.config import load_config
from adkd.plan.results import Results
from adkd.plan.specs import StudentSpec, TeacherSpec

log = logging.getLogger(__name__)

LIMIT = 600.0
"""Seconds after which the wait for a first job is given up."""
TINY, PAPER = (REPOSITORY / "workflow" / "config" / f"{name}.yaml" for name in ("tiny", "paper"))

_JOB = re.compile(r"(local)?(rule|checkpoint) \w+:")
_SPREAD = 0.45
"""How much the logits of two runs differ, in units of what makes an example hard for all of them."""


def start_up(sizes: tuple[int, ...] = (100, 2_400, 20_000), limit: float = LIMIT) -> dict[str, Any]:
    """Seconds from calling Snakemake in an empty directory until it starts its first job, by the size of the grid.

    Args:
        sizes: about how many students each grid has; every task x every method of ``tiny.yaml`` x seeds.
        limit: seconds after which a size is given up.

    Returns:
        ``limit`` and ``sizes``, a list with ``students`` and ``results`` (how many are planned), ``seconds`` (None if
        given up, and ``note`` says so) and ``plan_seconds`` (``adkd plan`` alone, with the start of its process).
    """
    return {"limit": limit, "sizes": [_start_up(size, limit) for size in sizes]}


def _start_up(size: int, limit: float) -> dict[str, Any]:
    config = load_config([TINY]) | {"tasks": list(TASKS)}
    config["seeds"] = _seeds(size, config)
    with TemporaryDirectory() as name:
        alone, whole = Path(name, "plan"), Path(name, "run")
        grid, plan_seconds = planned(alone, config)
        whole.mkdir()
        seconds = _first_job(whole, alone / "config.yaml", limit)
    found: dict[str, Any] = {"students": len(grid.grid().students), "results": len(grid.specs)}
    found |= {"seconds": seconds, "plan_seconds": plan_seconds}
    if seconds is None:
        found["note"] = f"no job had started after {limit:.0f} s"
    log.info("start-up: %s", found)
    return found


def _first_job(folder: Path, config: Path, limit: float) -> float | None:
    """Seconds until Snakemake, called in ``folder``, says that it starts a job, or None after ``limit`` seconds.

    Raises:
        RunError: it ended without starting one.
    """
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    call += ["--configfile", str(config)]
    began, said = time.perf_counter(), []
    variables = os.environ | {"TMPDIR": str(folder)}  # what it leaves when it is killed goes with the folder
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(call, cwd=folder, env=variables, start_new_session=True, **streams) as process:
        given_up = Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        given_up.start()
        try:
            for line in process.stderr:
                if _JOB.match(line):
                    return round(time.perf_counter() - began, 3)
                said.append(line)
        finally:
            given_up.cancel()
            if process.poll() is None:  # not waited for, so its number is still its own
                os.killpg(process.pid, signal.SIGKILL)
    if time.perf_counter() - began >= limit:
        return None
    raise RunError(f"snakemake ended with status {process.returncode} and started no job: {''.join(said[-5:]).strip()}")


def per_job(repeats: int = 7, threads: int = 1) -> dict[str, Any]:
    """Seconds that one student's process takes outside training, with ``tiny_bert``: imports, loading, writing.

    That is the life of ``adkd student`` less its epochs, each counted as the shortest of them: what the first one does
    once is no training.

    Args:
        repeats: processes that are timed, after one that is not.
        threads: CPU threads of each.

    Returns:
        ``seconds`` (median) and ``values`` outside training; ``wall`` and ``training`` of each process; ``repeats``,
        ``threads``, ``device``.
    """
    config = load_config([TINY])
    config |= {"tasks": ["mnli"], "methods": ["adkd"], "seeds": [1], "reference": "adkd", "threads": threads}
    with TemporaryDirectory() as name:
        folder = Path(name)
        *others, student = planned(folder, config)[0].specs.items()
        for result, spec in others:
            adkd(folder, spec.stage, f"results/plan/{result}.json")
        runs = [_one_job(folder, student[0]) for _ in range(repeats + 1)][1:]
        device = read_json(folder / "results" / student[0] / "metrics.json")["device"]
    values = [round(wall - training, 3) for wall, training in runs]
    wall, training = ([round(one, 3) for one in column] for column in zip(*runs, strict=True))
    found = {"seconds": median(values), "values": values, "wall": wall, "training": training}
    found |= {"repeats": repeats, "threads": threads, "device": device}
    log.info("per job: %s", found)
    return found


def _one_job(folder: Path, result: str) -> tuple[float, float]:
    """Seconds of one student's process, and those of its epochs if all were as the shortest."""
    shutil.rmtree(folder / "results" / result, ignore_errors=True)
    wall = adkd(folder, "student", f"results/plan/{result}.json")
    history = read_json(folder / "results" / result / "metrics.json")["history"]
    return wall, len(history) * min(record["seconds"] for record in history)


def collect(results: int = 2_400, repeats: int = 3) -> dict[str, Any]:
    """Seconds from finished runs to tables, on the paper's grid: 8 tasks x 5 methods x seeds, one teacher per task.

    Every run has predictions of its own on splits of the official sizes, with scores that fit them: nothing is linked
    or copied. They are made up so that two runs of a method disagree on about a tenth of the examples, because the time
    depends on it. Files were just written, so the system has them in memory.

    Args:
        results: about how many students there are.
        repeats: how often each command is timed.

    Returns:
        ``students``; medians of ``scores``, ``tables``, ``figures`` and ``seconds``, the first two together; ``values``
        of each; ``writing``, seconds that making the tree took.
    """
    config = load_config([PAPER])
    config["seeds"] = _seeds(results, config)
    with TemporaryDirectory() as name:
        folder = Path(name)
        grid, _ = planned(folder, config)
        began = time.perf_counter()
        for spec in grid.specs.values():
            if isinstance(spec, TeacherSpec | StudentSpec):
                _write_run(Results(folder / "results"), spec)
        writing = round(time.perf_counter() - began, 3)
        log.info("collect: wrote %d students in %.0f s", len(grid.grid().students), writing)
        commands = ("scores", "tables", "figures")
        values = {command: [adkd(folder, command) for _ in range(repeats)] for command in commands}
    found = {command: median(seconds) for command, seconds in values.items()}
    found |= {"students": len(grid.grid().students), "seconds": round(found["scores"] + found["tables"], 3)}
    found |= {"values": values, "writing": writing}
    log.info("collect: %s", found)
    return found


def _write_run(results: Results, spec: TeacherSpec | StudentSpec) -> None:
    """The report and the predictions of one finished run."""
    one, outputs = task(spec.task), {}
    rng = np.random.default_rng(entropy(spec.result))
    method = spec.method if isinstance(spec, StudentSpec) else ""
    skill = 2.0 + 0.05 * len(method) / 10 + rng.normal(scale=0.05)
    for split in one.splits("validation"):
        labels, right, hard = _examples(one, split)
        logits = skill * right + hard + rng.normal(scale=_SPREAD, size=hard.shape)
        outputs[split] = (labels, logits.astype(np.float32))
    write_run(results, spec, outputs)


@cache
def _examples(one: Task, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[E] labels of a split, [E, C] logits of a perfect run, and [E, C] what makes its examples hard for every run."""
    rng = np.random.default_rng(entropy(one.name, split))
    shape = one.rows[split], one.outputs
    labels = rng.integers(0, 51 if one.regression else one.outputs, shape[0])
    if one.regression:
        labels = labels / np.float32(10)
    right = labels[:, None] / 2 if one.regression else np.eye(one.outputs)[labels]
    return labels, right, rng.normal(size=shape)


def _seeds(students: int, config: dict[str, Any]) -> list[int]:
    """As many seeds as make about so many students; never fewer than two."""
    return list(range(1, 1 + max(2, round(students / (len(config["tasks"]) * len(config["methods"]))))))
