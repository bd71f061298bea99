"""Carries out stages: leases a device, imports what the table of stages names, and calls it with the spec."""

import gc
import logging
from collections.abc import Iterable
from pathlib import Path

from adkd.base import devices, disk, locks
from adkd.base.errors import InputError
from adkd.base.records import Record
from adkd.base.stage_records import Spec
from adkd.plan.grid import Grid
from adkd.plan.results import Results
from adkd.plan.stages import STAGES

log = logging.getLogger(__name__)


def run_file(file: Path, stage: str, digest: str | None = None) -> None:
    """Carry out one stage from its spec file.

    Args:
        digest: of the spec that was planned.

    Raises:
        InputError: the file is not the spec of such a stage, or not the planned one, or the spec cannot be carried out.
        RunError: the run failed. No result is left behind.
    """
    results, name = Results.of(file)
    with locks.job(results.root):
        _run_file(file, stage, digest, results, name)


def _run_file(file: Path, stage: str, digest: str | None, results: Results, name: str) -> None:
    spec = results.spec(name, Spec)
    _refuse_changed(file, spec, digest)
    if spec.stage != stage:
        raise InputError(f"the stage of {file}", value=spec.stage, allowed=f'"{stage}"')
    # A trial of the same point is kept when its round is planned again.
    if stage == "trial" and results.is_up_to_date(spec):
        log.info("%s is up to date", results.directory(name))
        return
    try:
        run(spec, results)
    except InputError as error:  # the spec asks for what is wrong, if it is not wrong itself
        raise error.within(str(file)) from error


def run(spec: Spec, results: Results) -> None:
    """Carry out one stage. A GPU is leased before torch is imported.

    The garbage collector does not search what the libraries bring in, while it is imported and again when the process
    ends: that took two seconds of every job.

    Raises:
        InputError: the spec cannot be carried out.
        RunError: the run failed. No result is left behind.
    """
    stage = STAGES[spec.stage]
    spec.check_external_files()
    disk.check_writable(results.directory(spec.result))
    if not stage.needs_device:
        stage.work(spec, results)
        return
    with devices.lease(str(getattr(spec, "device", "auto"))):
        gc.disable()
        work = stage.work
        gc.freeze()
        gc.enable()
        work(spec, results)
        gc.collect()  # of the work itself


def run_missing(specs: Iterable[Spec], results: Results) -> None:
    """Carry out, in this order, the stages whose results are missing or stale.

    Raises:
        InputError, RunError: as ``run``.
    """
    made: set[str] = set()
    specs = list(specs)
    for spec in specs:
        disk.check_writable(results.directory(spec.result))
    for spec in specs:
        fresh = results.is_made(spec) and not made & {name for _, name in spec.inputs.names()}
        results.write_spec(spec)
        if fresh:
            log.info("%s is up to date", results.directory(spec.result))
            continue
        log.info("making %s", results.directory(spec.result))
        run(spec, results)
        made.add(spec.result)


def analyse(grid_file: Path, stage: str, digest: str | None = None, **options: bool) -> None:
    """Carry out one stage of the analysis on the grid in a file.

    Args:
        digest: of the grid that was planned.
        options: those of its function.

    Raises:
        InputError: the grid is not the planned one; or it, or a result that it needs, is missing or stale.
    """
    with locks.job(Results.of(grid_file)[0].root):
        grid = Grid.load(grid_file)
        _refuse_changed(grid_file, grid, digest)
        STAGES[stage].work(grid, **options)


def _refuse_changed(file: Path, record: Record, digest: str | None) -> None:
    """Raise if a file does not hold what was planned."""
    if digest is not None and record.digest() != digest:
        raise InputError(
            f"{file} has changed since this job was planned: its digest was {digest}, is now {record.digest()}",
            remedy="start the run again; to run what the file says now, leave out --planned",
        )
