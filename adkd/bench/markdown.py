"""The measurements as Markdown tables."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from adkd.bench.ratios import GOALS
from adkd.data.tasks import TASKS

Row = Sequence[str]


def text(report: Mapping[str, Any]) -> str:
    """All of ``bench.json`` in Markdown, with the names of the parts that were not measured."""
    parts, machine = report["parts"], report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    blocks = [
        "# What the suite costs",
        f"{machine['cpu']}, {machine['threads']} threads, {machine['memory_gib']} GiB; Python {machine['python']}, "
        f"{versions}.",
        _table(("part", "measured at commit", "took"), _made(report["made"])),
        _table(("ratio", "measured", "goal", "met", "of what"), _goals(report["ratios"])),
    ]
    for size, shape in (("small", "teacher 6 x 384, student 3 x 384"), ("large", "teacher 12 x 768, student 6 x 768")):
        if "steps" in parts:
            blocks += [f"## Steps: {shape}", _table(STEP_HEAD, _steps(parts["steps"][size]))]
    if "cuda" in parts:
        title = f"## Steps on {machine['gpu']}: teacher 12 x 768, student 6 x 768"
        blocks += [title, _table(STEP_HEAD, _steps(parts["cuda"]))]
    if "sharing" in parts:
        blocks += [f"## Jobs that share {machine['gpu']}: student 6 x 768", *_sharing(parts["sharing"])]
    if "growth" in parts:
        blocks += ["## Growth of a step of adkd, student 3 x 384", _table(("by", "value", "seconds"), _growth(parts))]
    if "runs" in parts:
        blocks += ["## Whole runs, student 3 x 384", _table(RUN_HEAD, _runs(parts["runs"]))]
    if "workflow" in parts:
        blocks += ["## The workflow", _table(("what", "seconds"), _workflow(parts["workflow"]))]
    blocks += [f"Not measured: {part} ({reason})." for part, reason in report["missing"].items()]
    return "\n\n".join(blocks) + "\n"


STEP_HEAD = ("task", "variant", "batch", "s per step", "s per epoch", "of reference", "efficiency", "peak memory")
RUN_HEAD = (
    *("task", "adkd", "signals", "reference", "ratio", "score of adkd", "of reference", "difference"),
    *("of the teacher", "of a constant answer"),
)


def _made(made: Mapping[str, Any]) -> Iterator[Row]:
    for part, record in made.items():
        yield part, record["git_commit"] or "unknown", f"{record['seconds'] / 60:.0f} min"


def _goals(ratios: Mapping[str, float | None]) -> Iterator[Row]:
    for name, (bound, goal, what) in GOALS.items():
        value = ratios[name]
        if value is None:
            yield name, "not measured", f"{bound} {_number(goal)}", "", what
            continue
        met = value <= goal if bound == "at most" else value >= goal
        yield name, _number(value), f"{bound} {_number(goal)}", "yes" if met else "no", what


def _steps(size: Mapping[str, Any]) -> Iterator[Row]:
    for task, variants in size.items():
        train = TASKS[task.split(",")[0]].rows["train"]
        for name, of in variants.items():
            reference = variants.get("reference") if not name.startswith(("evaluate", "reference", "signals")) else None
            yield (
                task,
                name,
                str(round(sum(of["rows"]) / len(of["rows"]))),
                f"{of['seconds_per_step']:.3f}",
                f"{of['seconds_per_row'] * train:.0f}",
                f"1/{reference['seconds_per_row'] / of['seconds_per_row']:.1f}" if reference else "",
                f"{of['efficiency']:#.2g}" if of["efficiency"] else "",
                f"{of['peak_memory_bytes'] / 2**30:.2f} GiB",
            )


def _sharing(tasks: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Steps per second of all jobs together. In brackets: the share of the time in which the GPU computes, if its "
        "kernels take as long as those of a job that has it to itself."
    )
    numbers = next(of["steps_per_second"] for variants in tasks.values() for of in variants.values())
    rows = (
        (
            task,
            variant,
            f"{1e3 * of['kernel_seconds_per_step']:.1f}",
            *(f"{rate:.1f} ({rate * of['kernel_seconds_per_step']:.2f})" for rate in of["steps_per_second"].values()),
        )
        for task, variants in tasks.items()
        for variant, of in variants.items()
    )
    yield _table(("task", "variant", "ms of kernels per step", *(f"jobs: {number}" for number in numbers)), rows)


def _growth(parts: Mapping[str, Any]) -> Iterator[Row]:
    growth = parts["growth"]
    for name in ("adkd", "vanilla_kd"):
        for length, seconds in zip(growth["length"]["lengths"], growth["length"][name]["seconds"], strict=True):
            yield f"length ({name})", f"{length} tokens", f"{median(seconds):.3f}"
    for name, of in growth["m"].items():
        yield "steps of integrated gradients (mrpc)", name, f"{of['seconds_per_step']:.3f}"
    for rows, seconds in zip(growth["rows"]["adkd"]["rows"], growth["rows"]["adkd"]["seconds"], strict=True):
        yield "examples (sst2, the whole pass)", f"{rows}", f"{median(seconds):.2f}"
    if "steps" in parts:
        for classes, task in ((1, "stsb"), (2, "mrpc"), (3, "mnli")):
            of = parts["steps"]["small"][task]["adkd"]
            yield "outputs, each at its task's lengths", f"{classes} ({task})", f"{of['seconds_per_step']:.3f}"


def _runs(runs: Mapping[str, Any]) -> Iterator[Row]:
    for task, run in runs.items():
        if task == "config":
            continue
        ours, theirs = (run["scores"][name] for name in ("adkd", "reference"))
        yield (
            task,
            f"{median(run['seconds']['adkd']):.0f} s",
            f"{run['seconds']['signals']:.0f} s",
            f"{median(run['seconds']['reference']):.0f} s",
            f"1/{1 / run['ratio']:.1f}",
            ", ".join(f"{score:.3f}" for score in ours),
            ", ".join(f"{score:.3f}" for score in theirs),
            f"{run['difference']['mean']:+.3f} (sd {run['difference']['sd']:.3f}, n = {len(ours)})",
            f"{run['teacher']:.3f}",
            f"{run['constant']:.3f}",
        )


def _workflow(workflow: Mapping[str, Any]) -> Iterator[Row]:
    for grid in workflow["start_up"]["sizes"]:
        seconds = grid.get("note", f"{grid['seconds'] or 0:.1f}, of these {grid['plan_seconds']:.1f} for the plan")
        yield f"from `snakemake` to the first job, {grid['students']} students", seconds
    job, collect = workflow["per_job"], workflow["collect"]
    yield "a student's process, training excluded", f"{job['seconds']:.2f}"
    yield f"{collect['students']} results to scores.csv", f"{collect['scores']:.1f}"
    yield "to tables", f"{collect['tables']:.1f}"
    yield "to figures", f"{collect['figures']:.1f}"


def _number(value: float) -> str:
    return f"1/{1 / value:.1f} = {value:.3f}" if value < 0.4 else f"{value:.2f}"


def _table(head: Row, rows: Iterator[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
