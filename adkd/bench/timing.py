"""Time several cases side by side: each in a process of its own, one call at a time, in turns.

A process of its own gives every case its own memory settings and its own peak memory. Because the cases take turns, a
machine that slows down slows all of them down.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from statistics import fmean, median
from typing import Any, Self

import torch

from adkd.base.errors import RunError
from adkd.bench.sizes import Sizes
from adkd.bench.variants import Call, Case, calls
from adkd.training import runtime
from adkd.training.flops import counted

log = logging.getLogger(__name__)

Question = Callable[[Sequence[Call], str], Any]
"""What a case's process is asked: a function of its calls and its device."""
DTYPE = {"cpu": torch.float32, "cuda": torch.bfloat16}
"""Type of the two matrices whose product shows how fast a device is."""


def take_turns(cases: Mapping[str, Case], threads: int, sizes: Sizes) -> dict[str, dict[str, Any]]:
    """Time all calls of all cases, in turn.

    Args:
        cases: name -> case, all on one device.
        threads: of every process. One process works at a time.
        sizes: number of rounds, and of the matrices that show the rate of the device.

    Returns:
        Name -> ``seconds_per_step``: mean over the calls of their median seconds; ``seconds_per_row``: the same over
        the examples of a call; ``seconds``: every measurement of every call; ``rows``: examples of every call;
        ``flops``: floating-point operations of every call, where they can be counted; ``matrix_flops_per_second``:
        median rate of a matrix product immediately before and after the case's turns; ``efficiency``: median of
        (operations / that rate) / seconds; ``peak_memory_bytes``: of the process, or of the GPU, at the end.
    """
    torch.set_num_threads(threads)
    (device,) = {case.device for case in cases.values()}
    matrix = sizes.matrix[device]
    log.info("%s: starting", ", ".join(cases))
    with ExitStack() as stack:
        processes = {name: stack.enter_context(CaseProcess(case, threads)) for name, case in cases.items()}
        flops = {name: process.ready() for name, process in processes.items()}
        seconds: dict[str, list[list[float]]] = {
            name: [[] for _ in process.rows] for name, process in processes.items()
        }
        rates: dict[str, list[float]] = {name: [] for name in processes}
        for number in range(sizes.rounds + 1):
            began, before = time.perf_counter(), matrix_rate(device, matrix)
            for name, process in processes.items():
                times = [process.ask(partial(seconds_of, i)) for i in range(len(process.rows))]
                after = matrix_rate(device, matrix)
                if number:
                    rates[name].append((before + after) / 2)
                    for known, new in zip(seconds[name], times, strict=True):
                        known.append(new)
                before = after
            log.info("  round %d of %d: %.0f s", number, sizes.rounds, time.perf_counter() - began)
        peaks = {name: process.finish() for name, process in processes.items()}
    return {
        name: _summary(seconds[name], process.rows, flops[name], rates[name]) | {"peak_memory_bytes": peaks[name]}
        for name, process in processes.items()
    }


def _summary(seconds: list[list[float]], rows: tuple[int, ...], flops: list[int], rates: list[float]) -> dict[str, Any]:
    rounds = list(zip(*seconds, strict=True))
    return {
        "seconds_per_step": fmean(map(median, seconds)),
        "seconds_per_row": sum(map(median, seconds)) / sum(rows),
        "efficiency": median(sum(flops) / rate / sum(of_round) for of_round, rate in zip(rounds, rates, strict=True))
        if flops
        else None,
        "matrix_flops_per_second": median(rates),
        "seconds": seconds,
        "rows": rows,
        "flops": flops,
    }


def matrix_rate(device: str, size: int, repeats: int = 3) -> float:
    """Floating-point operations per second of a product of two square matrices, the best of a few."""
    a = torch.randn(size, size, device=device, dtype=DTYPE[device])
    times = []
    for _ in range(repeats):
        wait_for(device)
        began = time.perf_counter()
        a @ a
        wait_for(device)
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def seconds_of(number: int, calls: Sequence[Call], device: str) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    calls[number]()
    wait_for(device)
    return time.perf_counter() - began


def wait_for(device: str) -> None:
    """Block until the device has finished all its work."""
    if device == "cuda":
        torch.cuda.synchronize()


class CaseProcess:
    """A process that holds one case and answers questions about its calls.

    It is forked from a server that has imported what it needs and done nothing else: no process imports torch again,
    and none inherits threads or settings.
    """

    def __init__(self, case: Case, threads: int):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.case = case
        self.connection, self.far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.far_end, case, threads), daemon=True)
        self.rows: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        self.process.start()
        self.far_end.close()  # so that the pipe ends with the process
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()

    def ready(self) -> list[int]:
        """Wait until the case is built and every call was made once; return the operations counted in each."""
        self.rows, flops = self.answer()
        return flops

    def send(self, question: Question) -> None:
        """Ask, and do not wait for the answer."""
        self.connection.send(question)

    def ask(self, question: Question) -> Any:
        """The answer to a question."""
        self.send(question)
        return self.answer()

    def finish(self) -> int:
        """End the process and return its peak memory in bytes."""
        self.connection.send(None)
        peak = self.answer()
        self.process.join()
        return peak

    def answer(self) -> Any:
        """The next message of the process.

        Raises:
            RunError: it died; it has printed the reason.
        """
        try:
            return self.connection.recv()
        except EOFError:
            raise RunError(f"the process that times {self.case} ended early; see its message above") from None


def _serve(connection: Connection, case: Case, threads: int) -> None:
    device = torch.device(case.device)
    torch.set_num_threads(threads)
    if not case.published:
        runtime.keep_freed_memory()
        runtime.make_deterministic(device)
    timed, rows = zip(*calls(case), strict=True)
    flops = []
    for call in timed:
        if case.counted:
            flops.append(counted(call))
        else:
            call()
    connection.send((rows, flops))
    while (question := connection.recv()) is not None:
        connection.send(question(timed, case.device))
    connection.send(runtime.peak_memory(device))
