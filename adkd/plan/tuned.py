"""What sweeps found: read, and put over a config's settings. Imports no torch and no optuna."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from adkd.base.errors import InputError, yaml_number
from adkd.base.files import read_json
from adkd.base.stale import difference
from adkd.plan import config as configs
from adkd.plan.checks import validate
from adkd.plan.config import Config
from adkd.plan.specs import as_written
from adkd.plan.studies import Study

MARK = "tuned"
"""What sets the directories of students with tuned settings apart: ``students/adkd+tuned/rte/seed-1``."""


def best_of(root: Path, study: str) -> Path:
    """The file with the best settings of a study ``sweeps/METHOD/TASK``: a config of its own."""
    return root / study / "best.yaml"


def lacking(config: Config, root: Path, swept: Sequence[Study]) -> str:
    """What has to be made before a config's grids can be planned, or nothing."""
    if config.settings_from == "config":
        return ""
    said = [(study, why) for study in swept if (why := _stale(root, study))]
    if not said:
        return ""
    others = f" (and {len(said) - 1} more)" if said[1:] else ""
    return f"settings_from: sweeps, but {root / said[0][0].name} {said[0][1]}{others}; make it with: snakemake sweep"


def tuned(config: Config, root: Path, swept: Sequence[Study]) -> Config:
    """The config with the best settings of every study over its own, held against all that is known.

    Raises:
        InputError: a file is not what its sweep has written, or does not go with the config.
    """
    keys = config.model_dump(exclude_unset=True)
    for study in swept:
        path = best_of(root, study.name)
        found = configs.load_config([path])
        if found != {"settings": {study.method: {study.task: _report(root, study)["best"]["values"]}}}:
            raise InputError(
                f"{path} is not what its sweep has written; remove it and make it anew with: snakemake sweep, or layer "
                "a copy of it over a config with settings_from: config"
            )
        keys = configs.layered(keys, found)
    return validate(keys)


def _report(root: Path, study: Study) -> dict[str, Any]:
    return read_json(root / study.name / "sweep.json")


def _stale(root: Path, study: Study) -> str:
    """Why the best settings of a study cannot be used, or nothing."""
    if not best_of(root, study.name).is_file() or not (root / study.name / "sweep.json").is_file():
        return "is missing"
    there, asked = _report(root, study)["spec"], as_written(study.specs()[study.name])
    told = [{key: spec[key] for key in ("study", "trials", "mode")} for spec in (there, asked)]
    if told[0] == told[1]:
        return ""
    where, was, is_now = difference(*told)
    return f"is of another study: {where} was {was}, is now {is_now}"


def note(config: Config) -> str:
    """What a reader of a table of tuned runs has to know."""
    sweeps = config.sweeps
    return (
        f"Settings: of every method on every task the best of {sweeps.trials} trials, by the score on a held-out "
        f"part of train, mean over {len(sweeps.seeds)} seed{'s' * (len(sweeps.seeds) > 1)} (results/sweeps)."
    )


def text(method: str, task: str, values: Mapping[str, object], about: Sequence[str]) -> str:
    """The content of a ``best.yaml``: a config that holds these settings of a method on a task, below some comments."""
    lines = [f"# {line}" for line in about]
    lines += ["settings:", f"  {method}:", f"    {task}:"]
    for key, value in values.items():
        shown = yaml_number(value) if type(value) is float else yaml.safe_dump(value).removesuffix("\n...\n").strip()
        lines.append(f"      {key}: {shown}")
    return "\n".join(lines) + "\n"
