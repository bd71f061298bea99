"""The ratios that have goals, computed from the measurements."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from adkd.data.tasks import task as task_named
from adkd.methods import settings
from adkd.plan import config as configs
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config

GRID_SEEDS = 5

GOALS: dict[str, tuple[str, float, str]] = {
    "run.adkd.mrpc": ("at most", 1 / 5, "a whole run of adkd over the reference's"),
    "run.adkd.sst2": ("at most", 1 / 16, "a whole run of adkd over the reference's"),
    "run.adkd.cola": ("at most", 1 / 16, "a whole run of adkd over the reference's"),
    "step.adkd.three_class": ("at most", 1 / 9, "a step with three classes over the reference's"),
    "step.adkd_over_vanilla_kd": ("at most", 1.75, "a step of adkd over a step of vanilla_kd, mrpc, 3 x 384"),
    "efficiency.adkd": ("at least", 0.75, "time of the step's operations at the matrix rate over its time, 6 x 768"),
    "efficiency.vanilla_kd": ("at least", 0.8, "the same"),
    "grid.teacher_share": ("at most", 0.05, "teacher's part of the time of 5 methods x 5 seeds, mrpc"),
    "memory.adkd_over_vanilla_kd": ("at most", 1.6, "peak memory of the process, 6 x 768"),
    "collect_2400_seconds": ("at most", 30.0, "2,400 results to tables"),
    "overhead_seconds_per_job": ("at most", 6.0, "seconds of a job outside of training"),
}
"""Ratio -> its goal, and its meaning."""


def ratios(parts: Mapping[str, Any]) -> dict[str, float | None]:
    """The ratios; None for those whose part was not measured.

    The time of a whole run is computed from measured medians, for the task's official number of examples and the
    published epochs, in batches of 32: start-up + epochs x (steps + scoring of the dev set). For ``adkd`` the signals
    of the whole training set are added; the steps of the reference include its teacher. The grid compares one teacher,
    trained for the published epochs, and its signals with the runs of every method.
    """
    values: dict[str, float | None] = dict.fromkeys(GOALS)
    workflow = parts.get("workflow", {})
    overhead = workflow.get("per_job", {}).get("seconds")
    values["overhead_seconds_per_job"] = overhead
    values["collect_2400_seconds"] = workflow.get("collect", {}).get("seconds")
    if "steps" not in parts:
        return values
    small, large = parts["steps"]["small"], parts["steps"]["large"]
    values["step.adkd.three_class"] = _over(small["mnli"], "adkd", "reference")
    values["step.adkd_over_vanilla_kd"] = _over(small["mrpc"], "adkd", "vanilla_kd")
    values["efficiency.adkd"] = large["mrpc"]["adkd"]["efficiency"]
    values["efficiency.vanilla_kd"] = large["mrpc"]["vanilla_kd"]["efficiency"]
    values["memory.adkd_over_vanilla_kd"] = _over(large["mrpc"], "adkd", "vanilla_kd", "peak_memory_bytes")
    if overhead is not None:
        for task in ("mrpc", "sst2", "cola"):
            values[f"run.adkd.{task}"] = run_seconds(small[task], task, "adkd", overhead) / run_seconds(
                small[task], task, "reference", overhead
            )
        values["grid.teacher_share"] = teacher_share(small, "mrpc", overhead)
    return values


def run_seconds(measured: Mapping[str, Any], task: str, variant: str, overhead: float) -> float:
    """Seconds of a whole run of ``adkd``, ``reference`` or another method, computed as ``ratios`` describes."""
    rows = task_named(task).rows
    evaluate = "reference_evaluate" if variant == "reference" else "evaluate"
    epoch = rows["train"] * measured[variant]["seconds_per_row"]
    epoch += rows["validation"] * measured[evaluate]["seconds_per_row"]
    signals = rows["train"] * measured["signals"]["seconds_per_row"] if variant == "adkd" else 0.0
    return overhead + signals + epochs(task)[0] * epoch


def teacher_share(small: Mapping[str, Any], task: str, overhead: float) -> float:
    """The share of teacher and signals in the time of a grid of 5 methods x 5 seeds, from the measured costs."""
    measured, rows = small[task], task_named(task).rows
    epoch = rows["train"] * measured["teacher"]["seconds_per_row"]
    student_epochs, teacher_epochs = epochs(task)
    teacher = 2 * overhead + teacher_epochs * epoch + rows["train"] * measured["signals"]["seconds_per_row"]
    trained = small[f"{task}, baselines"] | {"adkd": measured["adkd"]}
    evaluate = rows["validation"] * measured["evaluate"]["seconds_per_row"]
    pass_of_all = sum(rows["train"] * of["seconds_per_row"] + evaluate for of in trained.values())
    jobs = len({name.partition("/")[0] for name in trained})  # all phases of a method are one job
    students = GRID_SEEDS * (jobs * overhead + student_epochs * pass_of_all)
    return teacher / (teacher + students)


@cache
def epochs(task: str) -> tuple[int, int]:
    """Epochs of a student of ``adkd`` and of its teacher in the paper's grid."""
    paper = validate(load_config([CONFIGS / "paper.yaml"]))
    _, training = configs.method_settings(paper, "adkd", task)
    return training.epochs, settings.resolve_teacher(paper.teacher.training, task, paper.settings).epochs


def _over(measured: Mapping[str, Any], one: str, other: str, key: str = "seconds_per_row") -> float:
    return measured[one][key] / measured[other][key]
