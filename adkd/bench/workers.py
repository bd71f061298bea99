"""Timing: every case in a process of its own, one call at a time, the cases taking turns.

A process for each keeps the cases from sharing memory settings and gives each its own peak memory; the turns let a
machine that slows down slow all of them down.
"""

import logging
import multiprocessing
import time
from collections.abc import Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from statistics import fmean, median
from typing import Any, Self

import torch

from adkd.base.errors import RunError
from adkd.bench.variants import Case, calls
from adkd.training import runtime

log = logging.getLogger(__name__)

ROUNDS = 7
"""Rounds that count, after one that does not."""
MATRIX = {"cpu": (2048, torch.float32), "cuda": (8192, torch.bfloat16)}
"""Size and type of the two square matrices whose product tells what a device can do."""


def take_turns(cases: Mapping[str, Case], threads: int, rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Time all calls of all cases, in turn.

    Args:
        cases: name -> case, all on one device.
        threads: of every process. One process works at a time.
        rounds: how often every call is timed.

    Returns:
        Name -> ``seconds_per_step``: mean over the calls of their median seconds; ``seconds_per_row``: the same over
        the examples of a call; ``seconds``: every measurement of every call; ``rows``: examples of every call;
        ``flops``: floating-point operations of every call, counted, where they can be; ``matrix_flops_per_second``:
        median rate of a product of two matrices (``MATRIX``) just before and after the case's turns; ``efficiency``:
        median of (operations / that rate) / seconds; ``peak_memory_bytes``: of the process, or of the GPU, at the end.
    """
    torch.set_num_threads(threads)
    (device,) = {case.device for case in cases.values()}
    log.info("%s: starting", ", ".join(cases))
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(case, threads)) for name, case in cases.items()}
        flops = {name: worker.ready() for name, worker in workers.items()}
        seconds: dict[str, list[list[float]]] = {name: [[] for _ in worker.rows] for name, worker in workers.items()}
        rates: dict[str, list[float]] = {name: [] for name in workers}
        for number in range(rounds + 1):
            began, before = time.perf_counter(), matrix_rate(device)
            for name, worker in workers.items():
                times = [worker.call(i) for i in range(len(worker.rows))]
                after = matrix_rate(device)
                if number:
                    rates[name].append((before + after) / 2)
                    for known, new in zip(seconds[name], times, strict=True):
                        known.append(new)
                before = after
            log.info("  round %d of %d: %.0f s", number, rounds, time.perf_counter() - began)
        peaks = {name: worker.finish() for name, worker in workers.items()}
    return {
        name: _summary(seconds[name], worker.rows, flops[name], rates[name]) | {"peak_memory_bytes": peaks[name]}
        for name, worker in workers.items()
    }


def _summary(seconds: list[list[float]], rows: tuple[int, ...], flops: list[int], rates: list[float]) -> dict[str, Any]:
    rounds = list(zip(*seconds, strict=True))
    return {
        "seconds_per_step": fmean(map(median, seconds)),
        "seconds_per_row": sum(map(median, seconds)) / sum(rows),
        "efficiency": median(sum(flops) / rate / sum(one) for one, rate in zip(rounds, rates, strict=True))
        if flops
        else None,
        "matrix_flops_per_second": median(rates),
        "seconds": seconds,
        "rows": rows,
        "flops": flops,
    }


def matrix_rate(device: str = "cpu", repeats: int = 3) -> float:
    """Floating-point operations per second of a matrix product, the best of a few."""
    size, dtype = MATRIX[device]
    a = torch.randn(size, size, device=device, dtype=dtype)
    times = []
    for _ in range(repeats):
        _wait_for(device)
        began = time.perf_counter()
        a @ a
        _wait_for(device)
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def _wait_for(device: str) -> None:
    """Until the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


class Worker:
    """A process that holds one case and makes one of its calls when told to."""

    def __init__(self, case: Case, threads: int):
        context = multiprocessing.get_context("spawn")
        self.case = case
        self.connection, self.theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.theirs, case, threads), daemon=True)
        self.rows: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        self.process.start()
        self.theirs.close()  # so that the pipe ends with the process
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()

    def ready(self) -> list[int]:
        """Wait until the case is built; the operations counted in each of its calls, made once each."""
        self.rows, flops = self._answer()
        return flops

    def call(self, number: int) -> float:
        """Seconds of one call."""
        self.connection.send(number)
        return self._answer()

    def finish(self) -> int:
        """End the process; its peak memory in bytes."""
        self.connection.send(None)
        peak = self._answer()
        self.process.join()
        return peak

    def _answer(self) -> Any:
        """Raises RunError if the process has died; it has said why."""
        try:
            return self.connection.recv()
        except EOFError:
            raise RunError(f"the process that times {self.case} has ended; its own message stands above") from None


def _serve(connection: Connection, case: Case, threads: int) -> None:
    from adkd.training.flops import counted

    device = torch.device(case.device)
    torch.set_num_threads(threads)
    if not case.published:
        runtime.keep_freed_memory()
        runtime.make_deterministic(device)
    todo, rows = zip(*calls(case), strict=True)
    flops = []
    for call in todo:
        if case.counted:
            flops.append(counted(call))
        else:
            call()
    connection.send((rows, flops))
    while (number := connection.recv()) is not None:
        began = time.perf_counter()
        todo[number]()
        _wait_for(case.device)
        connection.send(time.perf_counter() - began)
    connection.send(runtime.peak_memory(device))
