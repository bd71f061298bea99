"""All measurements, part after part, and what is written of them."""

import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from adkd.base.errors import InputError, unknown
from adkd.base.files import new_file, read_json, write_json
from adkd.bench import ratios, report, runs, steps, workflow
from adkd.training import runtime

log = logging.getLogger(__name__)

PARTS = ("workflow", "steps", "growth", "runs", "cuda")


def measure(out: Path, threads: int, glue: Path | None, parts: Sequence[str] = ()) -> str:
    """Measure and write ``bench.json`` and ``bench.md`` to ``out``, anew after every part.

    Args:
        out: directory; a part that is measured lies in ``bench/PART.json`` there.
        threads: CPU threads of everything that is timed.
        glue: directory of GLUE's original files, for whole runs on real tasks; None leaves them out.
        parts: of ``PARTS``; none for all. Other parts are taken from where they lie, if they were measured before.

    Returns:
        The tables.

    Raises:
        InputError: no such part or directory.
    """
    for part in parts:
        if part not in PARTS:
            raise unknown("part of the benchmark", part, PARTS)
    if glue is not None and not glue.is_dir():
        raise InputError(f"--glue {glue} is not a directory")
    if "runs" in parts and glue is None:
        raise InputError("part runs needs --glue, the directory of GLUE's original files")
    if "cuda" in parts and not torch.cuda.is_available():
        raise InputError("part cuda needs a GPU, and torch finds none")
    todo: dict[str, Callable[[], dict[str, Any]]] = {
        "workflow": lambda: {
            "per_job": workflow.per_job(threads=threads),
            "collect": workflow.collect(),
            "start_up": workflow.start_up(),
        },
        "steps": lambda: steps.steps(threads),
        "growth": lambda: steps.growth(threads),
    }
    if glue is not None:
        todo["runs"] = lambda: runs.runs(glue, threads)
    if torch.cuda.is_available():
        todo["cuda"] = lambda: steps.cuda(threads)
    machine = _machine(threads)
    for part in parts or todo:
        log.info("part %s", part)
        began = time.perf_counter()
        found = {"machine": machine, "measured": todo[part]()}
        write_json(out / "bench" / f"{part}.json", found | {"seconds": round(time.perf_counter() - began)})
        tables = _write(out, machine)
    log.info("wrote %s and %s", out / "bench.json", out / "bench.md")
    return tables


def _write(out: Path, machine: dict[str, Any]) -> str:
    """Put the parts together that have been measured on this machine with these versions."""
    measured: dict[str, Any] = {}
    made: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for part in PARTS:
        file = out / "bench" / f"{part}.json"
        if not file.exists():
            missing[part] = {"runs": "needs --glue", "cuda": "needs a GPU"}.get(part, "not measured yet")
            continue
        found = read_json(file)
        if {"gpu": None} | found["machine"] | {"git_commit": None} == machine | {"git_commit": None}:
            measured[part] = found["measured"]
            made[part] = {"git_commit": found["machine"]["git_commit"], "seconds": found["seconds"]}
        else:
            missing[part] = "measured on another machine or with other versions"
    whole = {"machine": machine, "made": made, "ratios": ratios.ratios(measured), "missing": missing, "parts": measured}
    write_json(out / "bench.json", whole)
    tables = report.text(whole)
    with new_file(out / "bench.md") as temporary:
        temporary.write_text(tables)
    return tables


def _machine(threads: int) -> dict[str, Any]:
    known = runtime.provenance(torch.device("cpu"))
    return {
        "cpu": _cpu(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "platform": known["platform"],
        "python": known["python"],
        "versions": known["versions"],
        "git_commit": known["git_commit"],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
