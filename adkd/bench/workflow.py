"""What the workflow costs apart from training: the wait for the first job, the overhead of a job, and the tables.

The commands of the suite run as processes of their own in temporary directories. All times are wall-clock seconds.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from adkd.base.errors import RunError
from adkd.base.files import read_json
from adkd.bench.made_up import predictions, write_run
from adkd.bench.processes import SNAKEFILE, adkd, planned
from adkd.bench.sizes import Sizes
from adkd.data.tasks import TASKS
from adkd.plan.config import CONFIGS, load_config
from adkd.plan.results import Results
from adkd.plan.specs import StudentSpec, TeacherSpec

log = logging.getLogger(__name__)

_JOB = re.compile(r"(local)?(rule|checkpoint) \w+:")


def workflow(threads: int, sizes: Sizes) -> dict[str, Any]:
    """All measurements of the workflow. Keys: ``start_up``, ``per_job`` and ``collect``."""
    return {
        "per_job": per_job(threads, sizes.job, sizes.jobs),
        "collect": collect(sizes.collected, sizes.collections, sizes.tasks),
        "start_up": start_up(sizes.grids, sizes.limit, sizes.tasks),
    }


def start_up(grids: tuple[int, ...], limit: float, tasks: tuple[str, ...] = ()) -> dict[str, Any]:
    """Seconds from calling Snakemake in an empty directory until it starts its first job, by the size of the grid.

    Args:
        grids: about how many students each grid has: tasks x methods of ``tiny.yaml`` x seeds.
        limit: seconds after which the wait ends.
        tasks: of the grid; all tasks if empty.

    Returns:
        ``limit`` and ``sizes``, a list with ``students`` and ``results`` (their planned numbers), ``seconds`` (None
        after ``limit``, with a ``note``) and ``plan_seconds`` (of ``adkd plan`` alone, with the start of its process).
    """
    return {"limit": limit, "sizes": [_start_up(size, limit, tasks or tuple(TASKS)) for size in grids]}


def _start_up(size: int, limit: float, tasks: tuple[str, ...]) -> dict[str, Any]:
    config = _config("tiny", tasks)
    config["seeds"] = _seeds(size, config)
    with TemporaryDirectory() as name:
        plan_only, run = Path(name, "plan"), Path(name, "run")
        plan, plan_seconds = planned(plan_only, config)
        run.mkdir()
        seconds = _first_job(run, plan_only / "config.yaml", limit)
    counts = {"students": len(plan.grid().students), "results": len(plan.specs)}
    measured: dict[str, Any] = counts | {"seconds": seconds, "plan_seconds": plan_seconds}
    if seconds is None:
        measured["note"] = f"no job had started after {limit:.0f} s"
    log.info("start-up: %s", measured)
    return measured


def _first_job(folder: Path, config: Path, limit: float) -> float | None:
    """Seconds until Snakemake, called in ``folder``, reports the start of a job, or None after ``limit`` seconds.

    Raises:
        RunError: it ended without starting a job.
    """
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--cores", "1"]
    call += ["--configfile", str(config)]
    began, lines = time.perf_counter(), []
    variables = os.environ | {
        "TMPDIR": str(folder)
    }  # what it leaves behind when it is killed is deleted with the folder
    with subprocess.Popen(
        call,
        cwd=folder,
        env=variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        given_up = Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        given_up.start()
        try:
            for line in process.stderr or ():
                if _JOB.match(line):
                    return round(time.perf_counter() - began, 3)
                lines.append(line)
        finally:
            given_up.cancel()
            if process.poll() is None:  # it was not waited for, so its id cannot belong to another process
                os.killpg(process.pid, signal.SIGKILL)
    if time.perf_counter() - began >= limit:
        return None
    raise RunError(
        f"snakemake ended with status {process.returncode} and started no job: {''.join(lines[-5:]).strip()}"
    )


def per_job(threads: int, job: tuple[str, str], repeats: int) -> dict[str, Any]:
    """Seconds that the process of one student takes in addition to its training: imports, loading, writing.

    This is the time of ``adkd student`` minus its epochs. Each epoch counts as much as the shortest one, because the
    first does some work that is done once and is not training.

    Args:
        threads: CPU threads of every process.
        job: method and task of the student; its encoder is ``tiny_bert``.
        repeats: number of timed processes, after one that is not timed.

    Returns:
        ``seconds`` (median) and ``values`` without training; ``wall`` and ``training`` of each process; ``repeats``,
        ``threads``, ``device``.
    """
    method, task = job
    config = _config("tiny", (task,)) | {"methods": [method], "seeds": [1], "reference": method, "threads": threads}
    with TemporaryDirectory() as name:
        folder = Path(name)
        plan, _ = planned(folder, config)
        (student,) = (run.result for run in plan.grid().students)
        for result in plan.needed(student):
            adkd(folder, plan.specs[result].stage, f"results/plan/{result}.json")
        times = [_job_seconds(folder, student) for _ in range(repeats + 1)][1:]
        device = read_json(folder / "results" / student / "metrics.json")["device"]
    values = [round(wall - training, 3) for wall, training in times]
    wall, training = ([round(value, 3) for value in column] for column in zip(*times, strict=True))
    measured = {"seconds": median(values), "values": values, "wall": wall, "training": training}
    measured |= {"repeats": repeats, "threads": threads, "device": device}
    log.info("per job: %s", measured)
    return measured


def _job_seconds(folder: Path, result: str) -> tuple[float, float]:
    """Seconds of one student's process, and of its epochs if all of them took as long as the shortest."""
    shutil.rmtree(folder / "results" / result, ignore_errors=True)
    wall = adkd(folder, "student", f"results/plan/{result}.json")
    history = read_json(folder / "results" / result / "metrics.json")["history"]
    return wall, len(history) * min(record["seconds"] for record in history)


def collect(results: int, repeats: int, tasks: tuple[str, ...] = ()) -> dict[str, Any]:
    """Seconds from finished runs to tables, on the paper's grid: 8 tasks x 5 methods x seeds, one teacher per task.

    The runs are made up, see ``made_up``. Their files were written immediately before, so they are in memory.

    Args:
        results: about how many students there are.
        repeats: how often each command is timed.
        tasks: of the grid; the paper's if empty.

    Returns:
        ``students``; medians of ``scores``, ``tables``, ``figures`` and ``seconds``, the sum of the first two;
        ``values`` of each; ``writing``, seconds that making up the runs took.
    """
    config = _config("paper", tasks)
    config["seeds"] = _seeds(results, config)
    with TemporaryDirectory() as name:
        folder = Path(name)
        plan, _ = planned(folder, config)
        began = time.perf_counter()
        for spec in plan.specs.values():
            if isinstance(spec, TeacherSpec | StudentSpec):
                write_run(Results(folder / "results"), spec, predictions(spec))
        writing = round(time.perf_counter() - began, 3)
        log.info("collect: wrote %d students in %.0f s", len(plan.grid().students), writing)
        commands = ("scores", "tables", "figures")
        values = {command: [adkd(folder, command) for _ in range(repeats)] for command in commands}
    medians = {command: median(seconds) for command, seconds in values.items()}
    measured = medians | {
        "students": len(plan.grid().students),
        "seconds": round(medians["scores"] + medians["tables"], 3),
    }
    log.info("collect: %s", measured)
    return measured | {"values": values, "writing": writing}


def _config(name: str, tasks: tuple[str, ...]) -> dict[str, Any]:
    """A config that comes with the suite, on these tasks, or on its own if there are none."""
    config = dict(load_config([CONFIGS / f"{name}.yaml"]))
    return config | {"tasks": list(tasks)} if tasks else config


def _seeds(students: int, config: dict[str, Any]) -> list[int]:
    """The seeds that make a grid of about this many students; at least two."""
    return list(range(1, 1 + max(2, round(students / (len(config["tasks"]) * len(config["methods"]))))))
