"""What training costs: steps of every method against the published way, and how the cost grows."""

from typing import Any

from adkd.bench.variants import Case
from adkd.bench.workers import take_turns
from adkd.fetch.checkpoints import Shape
from adkd.methods import registry

Measured = dict[str, dict[str, Any]]

SMALL = {"teacher": Shape(6, 384, 12), "student": Shape(3, 384, 12)}
LARGE = {"teacher": Shape(12, 768, 12), "student": Shape(6, 768, 12)}

COMPARED = ("reference", "adkd", "vanilla_kd")
AROUND = ("evaluate", "reference_evaluate", "signals", "teacher")
"""What a run or a grid does beside the student's steps."""


def steps(threads: int) -> dict[str, Any]:
    """Steps at two sizes. Keys: ``small`` and ``large``, then the task, then the variant."""
    others = [name for name in variants() if name not in COMPARED]
    small = {task: _time(SMALL, task, (*COMPARED, *AROUND), threads) for task in ("cola", "sst2", "mrpc", "rte")}
    small |= {task: _time(SMALL, task, COMPARED, threads) for task in ("mnli", "stsb")}
    small["mrpc, baselines"] = _time(SMALL, "mrpc", ("vanilla_kd", *others), threads)
    large = {
        "mrpc": _time(LARGE, "mrpc", COMPARED, threads, bins=1),
        "mrpc, baselines": _time(LARGE, "mrpc", ("vanilla_kd", *others), threads, bins=1),
        "mnli, batch 8": _time(LARGE, "mnli", COMPARED, threads, bins=1, batch_size=8),
        "stsb, batch 8": _time(LARGE, "stsb", COMPARED, threads, bins=1, batch_size=8),
    }
    return {"small": small, "large": large}


def cuda(threads: int) -> dict[str, Any]:
    """Steps of the larger size on a GPU, as runs take them there. Keys: the task, then the variant."""
    others = [name for name in variants() if name not in COMPARED]
    found = {task: _time(LARGE, task, (*COMPARED, *AROUND), threads, device="cuda") for task in ("cola", "mrpc")}
    found |= {task: _time(LARGE, task, COMPARED, threads, device="cuda") for task in ("mnli", "stsb")}
    return found | {"mrpc, baselines": _time(LARGE, "mrpc", ("vanilla_kd", *others), threads, device="cuda")}


def growth(threads: int) -> dict[str, Any]:
    """How a step of 3 x 384 grows with the length of the examples and the steps m of integrated gradients, and an epoch
    with the number of examples."""
    lengths, epochs, m = (16, 32, 64, 128), (4, 8, 16), (1, 2, 4)
    by_length = take_turns(
        {name: Case(name, "mrpc", **SMALL, lengths=lengths) for name in ("adkd", "vanilla_kd")}, threads
    )
    by_m = take_turns({f"m = {n}": Case("adkd", "mrpc", **SMALL, bins=1, settings=(("steps", n),)) for n in m}, threads)
    by_rows = take_turns({"adkd": Case("adkd", "sst2", **SMALL, epochs=epochs)}, threads)
    return {"length": by_length | {"lengths": lengths}, "m": by_m, "rows": by_rows}


def variants() -> list[str]:
    """Every method of the suite; METHOD/PHASE for each phase of one with several."""
    from adkd.methods.contract import Setup

    found = []
    for name in registry.names():
        phases = registry.load(name)(registry.configure(name, {}), Setup(2, False, **SMALL)).phases()
        found += [name] if len(phases) == 1 else [f"{name}/{phase.name}" for phase in phases]
    return found


def _time(size: dict[str, Shape], task: str, names: tuple[str, ...], threads: int, **more: Any) -> Measured:
    return take_turns({name: Case(name, task, **size, **more) for name in names}, threads)
