"""Jobs that share a GPU: how many steps they take together, and how long the GPU computes for one step."""

import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from adkd.bench.sizes import Sizes
from adkd.bench.steps import variants
from adkd.bench.timing import CaseProcess, wait_for
from adkd.bench.variants import Call, Case

log = logging.getLogger(__name__)


def sharing(threads: int, sizes: Sizes, device: str = "cuda") -> dict[str, Any]:
    """Steps of every method with the large models, by one job and by several jobs at the same time.

    Args:
        threads: of every job's process.
        sizes: tasks, numbers of jobs, and seconds for which each number of jobs takes steps.
        device: ``cuda``; ``cpu`` for a test.

    Returns:
        Task -> variant -> ``steps_per_second``: number of jobs -> steps per second of all of them;
        ``kernel_seconds_per_step``: time in which the kernels of one step run when a job has the GPU to itself.
    """

    def measured(variant: str, task: str) -> dict[str, Any]:
        models = sizes.large
        case = Case(variant, task, models.teacher, models.student, examples=sizes.examples, device=device)
        return _shared(case, threads, sizes)

    return {task: {variant: measured(variant, task) for variant in variants(sizes.large)} for task in sizes.shared}


def _shared(case: Case, threads: int, sizes: Sizes) -> dict[str, Any]:
    with ExitStack() as stack:
        jobs = [stack.enter_context(CaseProcess(case, threads)) for _ in range(max(sizes.sharing))]
        for job in jobs:
            job.ready()
        rates = {number: _rate_of_all(jobs[:number], sizes.window) for number in sizes.sharing}
        log.info("%s, %s: %s", case.task, case.variant, ", ".join(f"{rate:.1f}" for rate in rates.values()))
        return {"steps_per_second": rates, "kernel_seconds_per_step": jobs[0].ask(kernel_seconds)}


def _rate_of_all(jobs: Sequence[CaseProcess], seconds: float) -> float:
    for job in jobs:
        job.send(partial(rate, seconds))
    return sum(job.answer() for job in jobs)


def rate(seconds: float, calls: Sequence[Call], device: str) -> float:
    """Calls per second, of all calls in turn until the seconds are over."""
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for call in calls:
            call()
        rounds += 1
    wait_for(device)
    return rounds * len(calls) / (time.perf_counter() - began)


def kernel_seconds(calls: Sequence[Call], device: str) -> float:
    """Mean over the calls of the time in which their kernels run on the GPU; 0 on a CPU."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        for call in calls:
            call()
        wait_for(device)
    # An operator's event repeats the time of the kernels that it starts.
    kernels = (event for event in profiler.key_averages() if event.device_type == DeviceType.CUDA)
    return sum(kernel.self_device_time_total for kernel in kernels) * 1e-6 / len(calls)
