"""The plan: all results that a config asks for, each with its spec. Imports no torch.

The spec of ``results/X`` is ``results/plan/X.json``. Spec files are inputs of the workflow's rules and are written only
when they would say something new, so a result is stale exactly when its spec, or a result it stands on, has changed.
Code counts by the fingerprint of its syntax tree, which is part of the spec.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError, unknown
from adkd.base.files import read_json, write_if_changed
from adkd.plan import studies, tuned
from adkd.plan.checks import validate
from adkd.plan.config import Config, load_config
from adkd.plan.grids import MAIN, UNTUNED, grids
from adkd.plan.specs import Spec, as_written, code, inputs

__all__ = [
    "CONFIGS",
    "DEFAULT_CONFIG",
    "RESULT_FILE",
    "Plan",
    "build",
    "config_file",
    "load_config",
    "read_spec",
    "result_of",
    "specs",
    "upstream",
    "validate",
    "write",
]

CONFIGS = Path(__file__).parent / "configs"
"""The configs that come with the suite: ``workflow/config`` of the repository, inside the package."""
DEFAULT_CONFIG = CONFIGS / "embedded.yaml"
RESULT_FILE = {
    "data": "data.json",
    "teacher": "metrics.json",
    "signals": "signals.json",
    "student": "metrics.json",
    "trial": "trial.json",
    "worker": "worker.json",
    "sweep": "sweep.json",
    "explanation": "explanation.json",
    "latency": "latency.json",
}
"""Stage -> the file that says that a result is complete."""
ANALYSIS = ("scores", "tables", "figures", "fidelity", "cost", "curve", "report", "tuning")


@dataclass(frozen=True)
class Plan:
    """All that a config asks for."""

    specs: dict[str, Spec]
    """Result, relative to the root, e.g. ``students/adkd/stsb/seed-1`` -> its spec."""
    grids: dict[str, dict[str, Any]]
    """Name -> ``results/plan/NAME.json``, what the analysis reads: the main grid, one for every ablation, and with
    tuned settings the grid without them."""
    sweeps: tuple[str, ...]
    """The results of all studies, ``sweeps/METHOD/TASK``."""
    lacking: str = ""
    """Why there are no grids: tuned settings that are not there."""

    @property
    def main(self) -> dict[str, Any]:
        """The main grid."""
        return self._grid(MAIN)

    def upstream(self, result: str) -> list[str]:
        """The files of other results that a result is made from.

        Raises:
            InputError: the config does not ask for this result.
        """
        if result not in self.specs:
            raise InputError(f"{result} is not part of this config's plan")
        return [f"{path}/{RESULT_FILE[stage]}" for stage, path in inputs(self.specs[result])]

    def shared(self, study: str) -> list[str]:
        """The files that every trial of a study is made from.

        Raises:
            InputError: the config does not ask for this study.
        """
        if study not in self.sweeps:
            raise InputError(f"{study} is not part of this config's plan")
        return [f"{path}/{RESULT_FILE[stage]}" for stage, path in inputs(self.specs[study], "shared")]

    def needed(self, result: str, key: str = "inputs") -> list[str]:
        """All that a result is made from, in the order of making, and all that stands behind that.

        Args:
            key: ``shared`` for what the trials of a study are made from.
        """
        found: dict[str, None] = {}
        for _, path in inputs(self.specs[result], key):
            below = next(name for name in self.specs if path.endswith(f"/{name}"))
            found |= dict.fromkeys([*self.needed(below), below])
        return list(found)

    def metrics(self, name: str = MAIN) -> list[str]:
        """The files that a grid's scores are collected from.

        Raises:
            InputError: there is no such grid.
        """
        grid = self._grid(name)
        return list(dict.fromkeys(f"{entry['result']}/metrics.json" for entry in grid["runs"] + grid["teachers"]))

    def asked(self, key: str, name: str = MAIN) -> list[str]:
        """The files of the explanations or latencies of a grid's runs.

        Raises:
            InputError: there is no such grid.
        """
        grid = self._grid(name)
        found = [entry[key] for entry in grid["runs"] + grid["teachers"] if entry[key]]
        return list(dict.fromkeys(f"{path}/{RESULT_FILE[key]}" for path in found))

    def _grid(self, name: str) -> dict[str, Any]:
        if self.lacking:
            raise InputError(self.lacking)
        if name == UNTUNED and name not in self.grids:
            raise InputError("settings_from is config; what tuning bought is known with settings_from: sweeps")
        if name not in self.grids:
            raise unknown("grid of this config", name, self.grids)
        return self.grids[name]


def config_file(name: Path) -> Path:
    """The config file that a user names: a path, or a config that comes with the suite, e.g. ``tiny``."""
    packaged = CONFIGS / f"{name}.yaml"
    return packaged if not name.exists() and packaged.exists() else name


def build(config: Config, root: Path = Path("results")) -> Plan:
    """The plan of a validated config. Writes nothing.

    Raises:
        InputError: the config cannot be carried out.
    """
    found: dict[str, Spec] = {}
    swept = list(studies.studies(config, root))
    made, lacking = {}, tuned.lacking(config, root, swept)
    if not lacking:
        made = grids(config, root, swept, found)
    for study in swept:
        found |= study.specs()
    specs = {result: as_written(spec) for result, spec in found.items()}
    return Plan(specs, made, tuple(study.name for study in swept), lacking)


def specs(config: Config, root: Path = Path("results")) -> dict[str, Spec]:
    """The spec of every result of a validated config, by its path relative to ``root``, in the order of making.

    Raises:
        InputError: code that a result depends on is missing.
    """
    return build(config, root).specs


def write(config: Config, root: Path = Path("results")) -> Plan:
    """The plan of a validated config, written below ``root/plan``; files that say the same keep their time stamp."""
    plan = build(config, root)
    files = {f"{result}.json": spec for result, spec in plan.specs.items()}
    files |= {f"{stage}.json": {"stage": stage, "code": code(stage)} for stage in ANALYSIS}
    files |= {f"{name}.json": grid for name, grid in plan.grids.items()}
    for name, content in files.items():
        if write_if_changed(root / "plan" / name, content) and name.removesuffix(".json") in plan.specs:
            _keep_if_made(root / "plan" / name, content)
    return plan


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
    try:
        report = result_of(path) / RESULT_FILE[spec["stage"]]
        made_by = read_json(report)["spec"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if made_by == spec:
        time = report.stat().st_mtime_ns
        os.utime(path, ns=(time, time))
