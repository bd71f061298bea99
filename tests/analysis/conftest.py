"""Small result trees, written by the classes that write real ones: what training would have left."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adkd.bench.made_up import write_run
from adkd.data.tasks import Task, task
from adkd.methods.settings import Training
from adkd.plan.grid import TEACHER, Grid, Run
from adkd.plan.reports import RunReport
from adkd.plan.results import Results
from adkd.plan.sections import StudentConfig
from adkd.plan.specs import OfData, OfSignals, StudentSpec, TeacherSpec

Tree = Callable[..., Path]

EXAMPLES = 60
START = StudentConfig(from_teacher_layers=(0, 1, 4))


def outputs(one: Task, skill: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are always the same, and logits that are the better the higher ``skill``."""
    fixed = np.random.default_rng(0)
    classes = fixed.integers(0, max(2, one.outputs), EXAMPLES)
    labels = classes + fixed.random(EXAMPLES).round(1) if one.regression else classes
    noise = rng.normal(size=(EXAMPLES, one.outputs))
    logits = labels[:, None] * skill + noise if one.regression else np.eye(one.outputs)[classes] * skill + noise
    return labels, logits.astype("float32")


def teacher_spec(name: str, **fields: Any) -> TeacherSpec:
    """The spec of the shared teacher of a task."""
    values = {
        "result": f"teachers/{name}/seed-shared",
        "code": "code",
        "task": name,
        "device": "cpu",
        "threads": 1,
        "seed": 0,
        "model": "minilm_l6",
        "training": Training(),
        "selection": "dev",
        "margin": 0.05,
        "evaluate": ("validation",),
        "inputs": OfData(data=f"data/{name}"),
    }
    return TeacherSpec(**(values | fields))


def student_spec(method: str, name: str, seed: int, **fields: Any) -> StudentSpec:
    """The spec of a student."""
    values = {
        "result": f"students/{method}/{name}/seed-{seed}",
        "code": "code",
        "task": name,
        "device": "cpu",
        "threads": 1,
        "seed": seed,
        "method": method.partition("+")[0],
        "settings": {"alpha": 0.9},
        "training": Training(),
        "student": START,
        "teacher_model": "minilm_l6",
        "selection": "dev",
        "evaluate": ("validation",),
        "inputs": OfSignals(data=f"data/{name}", signals={}, teacher=None),
    }
    return StudentSpec(**(values | fields))


def replaced(results: Path, name: str, **fields: Any) -> None:
    """Put other fields into the report of a run."""
    stage = "teacher" if name.startswith("teachers/") else "student"
    file = Results(results).report_file(name, stage)
    file.chmod(0o644)
    report = RunReport.read(file, "")
    file.unlink()  # it may be a link to a tree that tests share
    RunReport(**(dict(report) | fields)).write(file)


def relisted(results: Path, name: str) -> None:
    """Write the report of a run again, with the files that lie beside it now."""
    file = Results(results).report_file(name, "teacher" if name.startswith("teachers/") else "student")
    report = RunReport.read(file, "")
    file.unlink()  # it may be a link to a tree that tests share
    report.write_last(file)


def regridded(results: Path, name: str = "grid", **fields: Any) -> Grid:
    """Put other fields into a grid; returns it."""
    grid = Grid.load(results / "plan" / f"{name}.json")
    changed = Grid(**(dict(grid) | fields)).below(Results(results))
    changed.write(changed.file)
    return changed


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a tree and returns its ``results``; ``skill`` of each method, the higher the better."""

    def make(
        tasks: tuple[str, ...] = ("stsb", "rte"),
        skill: dict[str, float] | None = None,
        seeds: tuple[int, ...] = (1, 2, 3),
        skipped: tuple[tuple[str, str], ...] = (),
        **more: Any,
    ) -> Path:
        skill = skill or {"finetune": 1.0, "vanilla_kd": 1.3, "adkd": 1.5}
        results, rng = Results(tmp_path / "results"), np.random.default_rng(7)
        roles = more.get("roles", ("validation",))

        def run(spec: TeacherSpec | StudentSpec, method: str, seed: str, ability: float) -> Run:
            one = task(spec.task)
            spec.write(results.plan_file(spec.result))
            splits = [split for role in roles for split in one.splits(role)]
            write_run(results, spec, {split: outputs(one, ability, rng) for split in splits})
            latency = f"latency/{spec.result}"
            return Run(method=method, task=spec.task, seed=seed, result=spec.result, explanation=None, latency=latency)

        teachers = tuple(run(teacher_spec(name), TEACHER, "shared", 3) for name in tasks)
        students = tuple(
            run(student_spec(method, name, seed), method, str(seed), ability)
            for name in tasks
            for method, ability in skill.items()
            for seed in seeds
            if (method, name) not in skipped
        )
        values: dict[str, Any] = {
            "name": "grid",
            "tasks": tasks,
            "methods": tuple(skill),
            "labels": {method: method for method in skill},
            "seeds": tuple(map(str, seeds)),
            "reference": "adkd",
            "roles": ("validation",),
            "selection": "dev",
            "source": "embedded",
            "tuned": False,
            "teacher_model": "minilm_l6",
            "student": START,
            "notes": ("A note of the plan.",),
            "absent": {},
            "students": students,
            "teachers": teachers,
            "skipped": {method: {name: "needs classes"} for method, name in skipped},
        }
        grid = Grid(**(values | more))
        grid.write(results.plan_file(grid.name))
        return results.root

    return make


@pytest.fixture(scope="session")
def shared() -> dict[str, Path]:
    """The trees of ``reported`` that were made so far."""
    return {}


@pytest.fixture
def reported(tree: Tree, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, shared: dict[str, Path]) -> Tree:
    """A tree with tables; with all optional parts of the page too if ``whole``. A tree is made once and then copied."""
    from tests.analysis.page_results import complete

    def make(whole: bool = False, **more: Any) -> Path:
        asked = repr((whole, sorted(more.items())))
        if asked not in shared:
            kept = tmp_path_factory.mktemp("reported") / "results"
            shared[asked] = complete(tree(**more), whole).rename(kept)
        return Path(shutil.copytree(shared[asked], tmp_path / "results"))

    return make


def predicted(results: Path, name: str, split: str) -> pd.DataFrame:
    """The stored predictions of a run."""
    return pd.read_parquet(results / name / "predictions" / f"{split}.parquet")
