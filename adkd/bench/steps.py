"""What training costs: steps of every method compared with the published implementation, and how the cost grows."""

from typing import Any

from adkd.bench.sizes import Models, Sizes
from adkd.bench.timing import take_turns
from adkd.bench.variants import Case
from adkd.methods import registry
from adkd.methods.contract import Setup

Measured = dict[str, dict[str, Any]]

COMPARED = ("reference", "adkd", "vanilla_kd")
AROUND = ("evaluate", "reference_evaluate", "signals", "teacher")
"""What a run or a grid does beside the student's steps."""


def steps(threads: int, sizes: Sizes) -> dict[str, Any]:
    """Steps at two sizes of models. Keys: ``small`` and ``large``, then the task, then the variant."""

    def small(task: str, *names: str) -> Measured:
        return _time(sizes, sizes.small, task, names, threads)

    def large(task: str, *names: str, **more: Any) -> Measured:
        return _time(sizes, sizes.large, task, names, threads, bins=1, **more)

    methods = ("vanilla_kd", *(name for name in variants(sizes.small) if name not in COMPARED))
    return {
        "small": {task: small(task, *COMPARED, *AROUND) for task in ("cola", "sst2", "mrpc", "rte")}
        | {task: small(task, *COMPARED) for task in ("mnli", "stsb")}
        | {"mrpc, baselines": small("mrpc", *methods)},
        "large": {
            "mrpc": large("mrpc", *COMPARED),
            "mrpc, baselines": large("mrpc", *methods),
            "mnli, batch 8": large("mnli", *COMPARED, batch_size=8),
            "stsb, batch 8": large("stsb", *COMPARED, batch_size=8),
        },
    }


def cuda(threads: int, sizes: Sizes) -> dict[str, Any]:
    """Steps of the large models on a GPU, with the settings that runs use there. Keys: the task, then the variant."""

    def timed(task: str, *names: str) -> Measured:
        return _time(sizes, sizes.large, task, names, threads, device="cuda")

    others = (name for name in variants(sizes.large) if name not in COMPARED)
    return (
        {task: timed(task, *COMPARED, *AROUND) for task in ("cola", "mrpc")}
        | {task: timed(task, *COMPARED) for task in ("mnli", "stsb")}
        | {"mrpc, baselines": timed("mrpc", "vanilla_kd", *others)}
    )


def growth(threads: int, sizes: Sizes) -> dict[str, Any]:
    """How a step of the small models grows with the length of the examples and with the steps m of integrated
    gradients, and training with the number of examples."""

    def case(method: str, task: str, **more: Any) -> Case:
        return _case(sizes, sizes.small, method, task, **more)

    by_length = {name: case(name, "mrpc", lengths=sizes.lengths) for name in ("adkd", "vanilla_kd")}
    by_m = {f"m = {m}": case("adkd", "mrpc", bins=1, settings=(("steps", m),)) for m in (1, 2, 4)}
    by_rows = {"adkd": case("adkd", "sst2", stretches=sizes.stretches)}
    return {
        "length": take_turns(by_length, threads, sizes) | {"lengths": sizes.lengths},
        "m": take_turns(by_m, threads, sizes),
        "rows": take_turns(by_rows, threads, sizes),
    }


def variants(models: Models) -> list[str]:
    """Every method of the suite; METHOD/PHASE for each phase of a method with several."""
    setup, names = Setup(2, False, models.teacher, models.student), []
    for method in registry.names():
        phases = registry.load(method)(registry.configure(method, {}), setup).phases()
        names += [method] if len(phases) == 1 else [f"{method}/{phase.name}" for phase in phases]
    return names


def _time(sizes: Sizes, models: Models, task: str, names: tuple[str, ...], threads: int, **more: Any) -> Measured:
    return take_turns({name: _case(sizes, models, name, task, **more) for name in names}, threads, sizes)


def _case(sizes: Sizes, models: Models, variant: str, task: str, **more: Any) -> Case:
    return Case(variant, task, models.teacher, models.student, examples=sizes.examples, **more)
