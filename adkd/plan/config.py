"""The config: read, laid over one another, held against the schema and against what the code knows.

Everything that can be wrong with a config is found here, before anything is computed. Imports no torch.
"""

import copy
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from adkd.base.errors import InputError, unknown
from adkd.data import sources
from adkd.data.tasks import TASKS, task
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.methods import registry, settings
from adkd.methods.method_config import MethodConfig
from adkd.plan import ablations, schema

Config = dict[str, Any]


def load_config(paths: Sequence[Path]) -> Config:
    """The config of these YAML files; what a later file says wins, key by key.

    Raises:
        InputError: a file is missing or is not a YAML mapping.
    """
    config: Config = {}
    for path in paths:
        try:
            layer = yaml.safe_load(Path(path).read_text())
        except FileNotFoundError:
            raise InputError(f"no such config file: {path}") from None
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(layer, dict):
            raise InputError(f"{path} is not a mapping of keys to values")
        config = layered(config, layer)
    return config


def layered(under: Any, over: Any) -> Any:
    """One config over another, key by key."""
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: layered(under.get(key), value) for key, value in over.items()}
    return over


def validate(config: Mapping[str, Any]) -> Config:
    """The same config, its defaults filled in.

    Raises:
        InputError: the first thing that is wrong with it, in one line.
    """
    config = copy.deepcopy(dict(config))
    schema.fill(config)
    config["settings"] = {
        section: {level: values for level, values in levels.items() if values is not None}
        for section, levels in config["settings"].items()
        if levels is not None
    }
    _check_names(config)
    _check_data(config)
    _check_settings(config)
    _check_models(config)
    _check_ablations(config)
    return config


def source(config: Config) -> dict[str, Any]:
    """Where the examples come from, as the specs and ``adkd.data.sources`` have it."""
    data = config["data"]
    return {"name": data["source"]} | {key: data[key] for key in ("path", "rows") if data[key] is not None}


def dev_data(name: str, paths: Sequence[Path] | None, directory: Path | None) -> dict[str, Any]:
    """Where the dev sets of a task come from, and how they are read: as config files say, from a directory of GLUE's
    files, or, without either, from the hub.

    Raises:
        InputError: both say it, or the config has a mistake.
    """
    if paths and directory:
        raise InputError("--data and --configfile both say where the data is; give one of them")
    if not paths:
        found = {"name": "directory", "path": str(directory)} if directory else {"name": "hub"}
        return {"source": found, "exceptions": {}, "max_length": 128, "device": "auto", "threads": None}
    config = validate(load_config(paths) | {"tasks": [name]})
    return {
        "source": source(config),
        "exceptions": config["data"]["expected_rows"].get(name, {}),
        "max_length": config["data"]["max_length"],
        "device": config["device"],
        "threads": config["threads"],
    }


def method_settings(config: Config, method: str, name: str) -> tuple[MethodConfig, settings.Training]:
    """A method's settings on a task, and how its students are trained there."""
    return settings.resolve(registry.outline(method), method, name, config["settings"])


def reason_to_skip(outline: MethodConfig, name: str) -> str | None:
    """Why a method with these settings has no run on a task, or None."""
    return outline.applies_to(task(name))


def train_rows(config: Config, name: str) -> int | None:
    """How many training examples of a task are used; None for all."""
    rows = config["data"]["train_rows"]
    return rows.get(name) if isinstance(rows, dict) else rows


def evaluated(config: Config, name: str, always: Sequence[str] = ()) -> list[str]:
    """The splits of a task that a run predicts, each once; those that the source lacks by a named exception are not."""
    roles = (*always, *config["score"], *config["predict"])
    splits = dict.fromkeys(split for role in roles for split in task(name).splits(role))
    return [split for split in splits if not _absent(config, name, split)]


def shapes(config: Config) -> tuple[Shape | None, Shape | None]:
    """The sizes of student and teacher, as far as they are known before anything is downloaded."""
    teacher = checkpoints.shape(config["teacher"]["model"])
    if "model" in config["student"]:
        return checkpoints.shape(config["student"]["model"]), teacher
    layers = len(config["student"]["from_teacher_layers"])
    return teacher and Shape(layers, teacher.hidden, teacher.heads), teacher


def _check_names(config: Config) -> None:
    for name in config["tasks"]:
        task(name)
    for name in config["methods"]:
        registry.file(name)
    if config["reference"] not in config["methods"]:
        raise unknown("reference among methods", config["reference"], config["methods"])
    for key in ("train_rows", "expected_rows"):
        by_task = config["data"][key]
        for name in by_task if isinstance(by_task, dict) else ():
            _named(f"task in data.{key}", name, TASKS)
    for name, by_split in config["data"]["expected_rows"].items():
        for split in by_split:
            _named(f"split of {name} in data.expected_rows", split, task(name).rows)


def _check_data(config: Config) -> None:
    data, origin = config["data"], source(config)
    for key, owner in (("path", "directory"), ("rows", "generated")):
        if (data[key] is not None) != (data["source"] == owner):
            verb = "needs" if data["source"] == owner else "has no use for"
            raise InputError(f'data.source "{data["source"]}" {verb} data.{key}')
    for one in map(task, config["tasks"]):
        sources.check(origin, one)
        for role in dict.fromkeys(("train", "validation", *config["score"])):
            if all(_absent(config, one.name, split) for split in one.splits(role)):
                raise InputError(f'data.expected_rows says that {one.name} has no "{role}"; no run goes without')
        for split in (split for role in config["score"] for split in one.splits(role)):
            if not _absent(config, one.name, split) and not sources.labelled(origin, one, split):
                raise InputError(
                    f'score: split "{split}" of {one.name} has no labels in source "{data["source"]}"; '
                    "allowed are splits with labels; `predict` stores predictions without them"
                )
        evaluated(config, one.name)


def absent(config: Config, name: str) -> list[str]:
    """The splits of a task that the source lacks by a named exception."""
    return [split for split in task(name).rows if _absent(config, name, split)]


def _absent(config: Config, name: str, split: str) -> bool:
    return config["data"]["expected_rows"].get(name, {}).get(split, 0) is None


def _check_settings(config: Config) -> None:
    """Every section, also of methods and tasks that this config does not run: a slip there is a slip all the same."""
    for section, levels in config["settings"].items():
        _named("section of settings", section, [*settings.RESERVED, *registry.names()])
        for level, values in levels.items():
            _named(f"task in settings.{section}", level, ["all", *TASKS])
            if section in settings.RESERVED:
                settings.check(settings.Training, values, section)
            else:
                settings.check(registry.outline(section), values, section, also=settings.TRAINING)
                training = {key: value for key, value in values.items() if key in settings.TRAINING}
                settings.check(settings.Training, training, section)
    for name in config["tasks"]:
        settings.resolve_teacher(config["teacher"], name, config["settings"])


def _check_models(config: Config) -> None:
    student = config["student"] = {key: v for key, v in config["student"].items() if v is not None}
    if len(student) != 1:
        has = " and ".join(student) or "nothing"
        raise InputError(f"student has {has}; allowed is exactly one of from_teacher_layers, model")
    _check_vocabulary(config)
    ours, theirs = shapes(config)
    layers = student.get("from_teacher_layers")
    if layers and theirs and max(layers) >= theirs.layers:
        raise InputError(
            f"student.from_teacher_layers has {max(layers)}; allowed are 0 to {theirs.layers - 1}, "
            f"the layers of {config['teacher']['model']}"
        )
    for method, name in product(config["methods"], config["tasks"]):
        outline = method_settings(config, method, name)[0]
        if ours and theirs and not reason_to_skip(outline, name) and (reason := outline.fits(theirs, ours)):
            raise InputError(f"{method} on {name} cannot teach this student with this teacher: {reason}")


def _check_ablations(config: Config) -> None:
    """Every point as if it were the config."""
    for ablation in ablations.ablations(config):
        for point in ablation.points:
            given = point.applied(config, ablation.tasks)
            try:
                schema.fill(given)
                _check_settings(given)
                _check_models(given)
            except InputError as error:
                raise InputError(f"ablations.{ablation.name}, {point.label}: {error}") from None


def _check_vocabulary(config: Config) -> None:
    """A student's own checkpoint has to read the teacher's tokens; as far as both are known without a download."""
    names = config["student"].get("model"), config["teacher"]["model"]
    ours, theirs = (name and checkpoints.vocabulary(name) for name in names)
    if ours and theirs and ours != theirs:
        raise InputError(
            f"student.model {names[0]} has another vocabulary than teacher.model {names[1]}; they must agree"
        )


def _named(kind: str, name: object, allowed: Sequence[str] | Mapping[str, Any]) -> None:
    if name not in allowed:
        raise unknown(kind, name, allowed)
