"""Measure the benchmark part by part, and write the results."""

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
from adkd.bench import markdown, processes, ratios, runs, sharing, steps, workflow
from adkd.bench.sizes import Sizes
from adkd.training import runtime

log = logging.getLogger(__name__)

PARTS = ("workflow", "steps", "growth", "runs", "cuda", "sharing")
ON_A_GPU = ("cuda", "sharing")
MISSING = {"runs": "needs --glue"} | dict.fromkeys(ON_A_GPU, "needs a GPU")


def measure(out: Path, threads: int, glue: Path | None, parts: Sequence[str] = (), sizes: Sizes | None = None) -> str:
    """Measure, and write ``bench.json`` and ``bench.md`` to ``out`` after every part.

    Args:
        out: directory; a measured part is written to ``bench/PART.json`` in it.
        threads: CPU threads of everything that is timed.
        glue: directory of GLUE's original files, for whole runs on real tasks; None skips them.
        parts: names in ``PARTS``, or none for all of them. The tables include the parts that were measured earlier.
        sizes: how much is measured, if not as much as usual.

    Returns:
        The tables.

    Raises:
        InputError: there is no such part or directory.
    """
    _check(parts, glue)
    sizes = sizes or Sizes()
    measured: dict[str, Callable[[], dict[str, Any]]] = {
        "workflow": lambda: workflow.workflow(threads, sizes),
        "steps": lambda: steps.steps(threads, sizes),
        "growth": lambda: steps.growth(threads, sizes),
    }
    if glue is not None:
        measured["runs"] = lambda: runs.runs(glue, threads, sizes.run)
    if torch.cuda.is_available():
        measured["cuda"] = lambda: steps.cuda(threads, sizes)
        measured["sharing"] = lambda: sharing.sharing(threads, sizes)
    machine = _machine(threads)
    for part in parts or measured:
        log.info("part %s", part)
        began = time.perf_counter()
        report = {"machine": machine, "measured": measured[part]()}
        write_json(out / "bench" / f"{part}.json", report | {"seconds": round(time.perf_counter() - began)})
        tables = _write(out, machine)
    log.info("wrote %s and %s", out / "bench.json", out / "bench.md")
    return tables


def _check(parts: Sequence[str], glue: Path | None) -> None:
    for part in parts:
        if part not in PARTS:
            raise unknown("part of the benchmark", part, PARTS)
    if glue is not None and not glue.is_dir():
        raise InputError("--glue", value=str(glue), allowed="a directory")
    if "runs" in parts and glue is None:
        raise InputError("part runs needs GLUE's original files", remedy="give their directory with --glue")
    for part in parts:
        if part in ON_A_GPU and not torch.cuda.is_available():
            raise InputError(f"part {part} needs a GPU, and torch finds none")
    if not processes.SNAKEFILE.exists() and (not parts or "workflow" in parts):
        raise InputError("part workflow needs the Snakefile", remedy="run it from a checkout of the repository")


def _write(out: Path, machine: dict[str, Any]) -> str:
    """Combine the parts that were measured on this machine with these versions."""
    measured: dict[str, Any] = {}
    made: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for part in PARTS:
        file = out / "bench" / f"{part}.json"
        if not file.exists():
            missing[part] = MISSING.get(part, "not measured yet")
            continue
        report = read_json(file)
        if {"gpu": None} | report["machine"] | {"git_commit": None} == machine | {"git_commit": None}:
            measured[part] = report["measured"]
            made[part] = {"git_commit": report["machine"]["git_commit"], "seconds": report["seconds"]}
        else:
            missing[part] = "measured on another machine or with other versions"
    whole = {"machine": machine, "made": made, "ratios": ratios.ratios(measured), "missing": missing, "parts": measured}
    write_json(out / "bench.json", whole)
    tables = markdown.text(whole)
    with new_file(out / "bench.md") as temporary:
        temporary.write_text(tables, encoding="utf-8")
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
