"""The plan: all results that a config asks for, each with its spec. Imports no torch.

The spec of ``results/X`` is ``results/plan/X.json``. Spec files are inputs of the workflow's rules and are written only
when they would say something new, so a result is stale exactly when its spec, or a result it stands on, has changed.
Code counts by the fingerprint of its syntax tree, which is part of the spec.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adkd import config as configs
from adkd.config import Config, load_config, validate
from adkd.errors import InputError
from adkd.files import read_json, write_if_changed
from adkd.specs import Spec, code, inputs, specs

__all__ = [
    "DEFAULT_CONFIG",
    "RESULT_FILE",
    "Grid",
    "build",
    "load_config",
    "read_spec",
    "result_of",
    "specs",
    "upstream",
    "validate",
    "write",
]

DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "workflow" / "config" / "embedded.yaml"
RESULT_FILE = {"data": "data.json", "teacher": "metrics.json", "signals": "signals.json", "student": "metrics.json"}
"""Stage -> the file that says that a result is complete."""
ANALYSIS = ("scores", "tables", "figures")

_CONTAMINATED = {
    "minilm_l6": (
        ("mnli", "qqp", "qnli"),
        "encoder's published training pairs include AllNLI, Quora duplicates and SQuAD",
    )
}
"""Teacher -> tasks whose examples its pre-training has seen, and what is known of it."""


@dataclass(frozen=True)
class Grid:
    """All that a config asks for."""

    specs: dict[str, Spec]
    """Result, relative to the root, e.g. ``students/adkd/stsb/seed-1`` -> its spec."""
    summary: dict[str, Any]
    """``results/plan/grid.json``: what the analysis reads."""

    def upstream(self, result: str) -> list[str]:
        """The files of other results that a result is made from.

        Raises:
            InputError: the config does not ask for this result.
        """
        if result not in self.specs:
            raise InputError(f"{result} is not part of this config's plan")
        return [f"{path}/{RESULT_FILE[stage]}" for stage, path in inputs(self.specs[result])]

    def metrics(self) -> list[str]:
        """The files that scores are collected from."""
        return [f"{entry['result']}/metrics.json" for entry in self.summary["runs"] + self.summary["teachers"]]


def build(config: Config, root: Path = Path("results")) -> Grid:
    """The plan of a validated config. Writes nothing.

    Raises:
        InputError: the config cannot be carried out.
    """
    found = specs(config, root)
    keys = ("tasks", "methods", "seeds", "reference", "score", "predict", "selection")
    summary = {key: config[key] for key in keys} | {
        "source": config["data"]["source"],
        "notes": list(_notes(config)),
        "runs": [
            {key: spec[key] for key in ("method", "task", "seed")} | {"result": str(root / result)}
            for result, spec in found.items()
            if spec["stage"] == "student"
        ],
        "teachers": [
            {"task": spec["task"], "seed": _seed(config, spec), "result": str(root / result)}
            for result, spec in found.items()
            if spec["stage"] == "teacher"
        ],
        "skipped": [
            {"method": method, "task": task, "reason": reason}
            for method in config["methods"]
            for task in config["tasks"]
            if (reason := configs.reason_to_skip(configs.method_settings(config, method, task)[0], task))
        ],
    }
    return Grid(found, summary)


def write(config: Config, root: Path = Path("results")) -> Grid:
    """The plan of a validated config, written below ``root/plan``; files that say the same keep their time stamp."""
    grid = build(config, root)
    files = {f"{result}.json": spec for result, spec in grid.specs.items()}
    files |= {f"{stage}.json": {"stage": stage, "code": code(stage)} for stage in ANALYSIS}
    for name, content in (files | {"grid.json": grid.summary}).items():
        if write_if_changed(root / "plan" / name, content) and name.removesuffix(".json") in grid.specs:
            _keep_if_made(root / "plan" / name, content)
    return grid


def upstream(spec: Spec) -> list[str]:
    """The results, as directories, that the result of a spec is made from."""
    return [path for _, path in inputs(spec)]


def result_of(path: Path) -> Path:
    """Where the result of a spec file goes: ``ROOT/plan/X.json`` is the spec of ``ROOT/X``.

    Raises:
        InputError: the file does not lie in a plan.
    """
    root = next((parent.parent for parent in path.parents if parent.name == "plan"), None)
    if root is None or path.suffix != ".json":
        raise InputError(f"{path} is not the spec of a result; a spec is results/plan/X.json")
    return root / path.relative_to(root / "plan").with_suffix("")


def read_spec(path: Path, stage: str) -> Spec:
    """The spec in a file.

    Raises:
        InputError: there is none, or it is the spec of another stage.
    """
    result_of(path)
    try:
        spec = read_json(path)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"no such spec: {path}; Snakemake writes the specs of a config when it starts") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    found = spec.get("stage") if isinstance(spec, dict) else None
    if found != stage:
        raise InputError(f'{path} is a spec of stage "{found}"; allowed here is "{stage}"')
    return spec


def _keep_if_made(path: Path, spec: Spec) -> None:
    """Make a spec file no newer than the result that was made by just this spec: a setting that was changed and put
    back, or a plan that was deleted, reruns nothing."""
    report = result_of(path) / RESULT_FILE[spec["stage"]]
    try:
        made_by = read_json(report)["spec"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if made_by == spec:
        time = report.stat().st_mtime_ns
        os.utime(path, ns=(time, time))


def _seed(config: Config, spec: Spec) -> int | str:
    return "shared" if config["teacher"]["seeds"] == "shared" else spec["seed"]


def _notes(config: Config) -> Iterator[str]:
    """What a reader of the tables has to know about the numbers."""
    model = config["teacher"]["model"]
    seen, why = _CONTAMINATED.get(model, ((), ""))
    if hit := [task for task in config["tasks"] if task in seen]:
        yield f"{model}: {why}: scores on {', '.join(hit)} are contaminated"
    for task in config["tasks"]:
        if cut := configs.train_rows(config, task):
            yield f"{task}: trained on at most {cut} of the training examples (data.train_rows)"
        for split, number in config["data"]["expected_rows"].get(task, {}).items():
            found = "is absent" if number is None else f"has {number} examples, not the official number"
            yield f"{task}: {split} {found} (data.expected_rows)"
