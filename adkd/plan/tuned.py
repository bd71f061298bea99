"""What sweeps found: read, and put over a config's settings. Imports no torch and no optuna."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from adkd.base.errors import InputError, yaml_number
from adkd.base.keys import layered
from adkd.base.records import difference
from adkd.plan import config as configs
from adkd.plan.checks import validate
from adkd.plan.config import Config
from adkd.plan.results import Results
from adkd.plan.studies import Study

MARK = "tuned"
"""What sets the directories of students with tuned settings apart: ``students/adkd+tuned/rte/seed-1``."""
BEST = "best.yaml"
_COMMAND = "snakemake sweep"


def best_of(results: Results, study: str) -> Path:
    """The file with the best settings of a study ``sweeps/METHOD/TASK``: a config of its own."""
    return results.directory(study) / BEST


def lacking(config: Config, results: Results, studies: Sequence[Study]) -> InputError | None:
    """What has to be made before the grids of a config can be planned, or None."""
    if config.settings_from == "config":
        return None
    problems = [(study, why) for study in studies if (why := _problem(results, study))]
    if not problems:
        return None
    (study, why), others = problems[0], f" (and {len(problems) - 1} more)" if problems[1:] else ""
    return InputError(
        f"settings_from: sweeps, but {results.directory(study.name)} {why}{others}", remedy=f"make it with: {_COMMAND}"
    )


def tuned(config: Config, results: Results, studies: Sequence[Study]) -> Config:
    """The config with the best settings of every study over its own.

    Raises:
        InputError: a file is not what its sweep has written, or does not go with the config.
    """
    keys = config.model_dump(mode="json", exclude_unset=True)
    for study in studies:
        report = results.stored(study.spec())
        path = report.file(results.directory(study.name), BEST)
        best = configs.load_config([path])
        if best != {"settings": {study.method: {study.task: report.best.values}}}:
            raise InputError(
                f"{path} is not what its sweep has written",
                remedy=f"remove it and rebuild it with: {_COMMAND}; or layer a copy of it over a config with "
                "settings_from: config",
            )
        keys = layered(keys, best)
    return validate(keys)


def _problem(results: Results, study: Study) -> str:
    """Why the best settings of a study cannot be used, or nothing."""
    spec = study.spec()
    if not best_of(results, study.name).is_file() or not results.report_file(spec.result, spec.stage).is_file():
        return "is missing"
    kept = {"study", "trials", "mode"}
    was, wanted = (version.model_dump(mode="json", include=kept) for version in (results.stored(spec).spec, spec))
    if was == wanted:
        return ""
    where, before, now = difference(was, wanted)
    return f"belongs to another study: {where} was {before}, is now {now}"


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
