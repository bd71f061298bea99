"""``validate`` finds everything that can be wrong with a config before anything is computed. Imports no torch."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

from adkd.base.errors import InputError, shown, unknown
from adkd.base.keys import about, located
from adkd.base.validation import validated
from adkd.data import sources
from adkd.data.tasks import TASKS, task
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Checkpoint
from adkd.methods import registry, settings
from adkd.plan import config as configs
from adkd.plan import space as spaces
from adkd.plan.ablations import ablations
from adkd.plan.config import Config
from adkd.plan.storage_url import check_storage


def validate(config: Mapping[str, Any]) -> Config:
    """A config with its defaults filled in, checked against everything that is known before work starts.

    Raises:
        InputError: the first thing that is wrong with it, in one line; with file and line of a key from a file.
    """
    with located(config), _readable():
        checked = validated(Config, config)
        check_storage(checked.sweeps.storage)
        _check_names(checked)
        _check_data(checked)
        _check_settings(checked)
        _check_models(checked)
        _check_ablations(checked)
        _check_spaces(checked)
    return checked


@contextmanager
def _readable() -> Iterator[None]:
    """Refuse files and directories of a config that cannot be looked at."""
    try:
        yield
    except OSError as error:
        name = shown(str(error.filename))
        raise InputError(f"{name} cannot be read: {error.strerror}") from error


def _check_names(config: Config) -> None:
    for index, name in enumerate(config.tasks):
        with about(f"tasks[{index}]"):
            task(name)
    for index, name in enumerate(config.methods):
        with about(f"methods[{index}]"):
            registry.file(name)
    if config.reference not in config.methods:
        raise unknown("reference among methods", config.reference, config.methods, key="reference")
    data = config.data
    for key in ("train_rows", "expected_rows", "variants"):
        by_task = getattr(data, key)
        for name in by_task if isinstance(by_task, dict) else ():
            _named(f"task in data.{key}", name, TASKS, f"data.{key}.{name}")
    for key in ("expected_rows", "variants"):
        for name, by_split in getattr(data, key).items():
            for split in by_split:
                where = f"data.{key}.{name}.{split}"
                _named(f"split of {name} in data.{key}", split, task(name).rows, where)


def _check_data(config: Config) -> None:
    data, origin = config.data, configs.source(config)
    for key, value in (("path", data.path), ("rows", data.rows)):
        needed = sources.named(data.source).option == key
        if needed != (value is not None):
            allowed = f'{"set" if needed else "null"} for data.source "{data.source}"'
            raise InputError(f"data.{key}", value=origin.get(key), allowed=allowed)
    _check_variants(config)
    for checked in map(task, config.tasks):
        sources.check(origin, checked)
        present = [split for split in checked.rows if split not in configs.absent(config, checked.name)]
        for role in dict.fromkeys(("train", "validation", *config.score)):
            if not set(checked.splits(role)) & set(present):
                raise InputError(
                    f"data.expected_rows.{checked.name}",
                    value=data.expected_rows[checked.name],
                    allowed=f'a mapping that leaves a split for "{role}", which every run needs',
                )
        for split in (split for role in config.score for split in checked.splits(role)):
            if split in present and not sources.labelled(origin, checked, split):
                raise InputError(
                    f'score: split "{split}" of {checked.name} has no labels in source "{data.source}"',
                    remedy="name only splits with labels; `predict` stores predictions without them",
                    key="score",
                )


def _check_variants(config: Config) -> None:
    """The name of a variant is shown in tables, and only files in a directory can be variants."""
    variants, source = config.data.variants, config.data.source
    if variants and sources.named(source).option != "path":
        raise InputError("data.variants", value=variants, allowed=f'empty for data.source "{source}"')
    for name, by_split in variants.items():
        for split, variant in by_split.items():
            if not variant.strip() or not variant.isprintable():
                key = f"data.variants.{name}.{split}"
                raise InputError(key, value=variant, allowed="one line that says what the variant is")
            if split in configs.absent(config, name):
                raise InputError(f"data.variants.{name}.{split}", value=variant, allowed="absent, as the split is")


def _check_settings(config: Config) -> None:
    """Check every section, also those of methods and tasks that this config does not run."""
    for section, levels in config.settings.items():
        _named("section of settings", section, [*settings.RESERVED, *registry.names()], f"settings.{section}")
        for level, values in levels.items():
            _named(f"task in settings.{section}", level, ["all", *TASKS], f"settings.{section}.{level}")
            _check_values(section, values, f"settings.{section}.{level}")
    for name in config.tasks:
        settings.resolve_teacher(config.teacher.training, name, config.settings)


def _check_values(section: str, values: Mapping[str, Any], where: str) -> None:
    """Check settings of a section of ``settings``: a method, "training" or "teacher"."""
    training = values
    if section not in settings.RESERVED:
        settings.check(registry.outline(section), values, where, also=settings.TRAINING)
        training = {key: value for key, value in values.items() if key in settings.TRAINING}
    settings.check(settings.Training, training, where)


def _check_models(config: Config) -> None:
    given = config.student.given
    if len(given) != 1:
        raise InputError("student", value=given, allowed="exactly one of from_teacher_layers and model")
    _check_checkpoints(config)
    ours, theirs = configs.shapes(config)
    for index, layer in enumerate(config.student.from_teacher_layers or ()):
        if theirs and layer >= theirs.layers:
            raise InputError(
                f"student.from_teacher_layers[{index}]",
                value=layer,
                allowed=f"one of the layers of {config.teacher.model}, 0 to {theirs.layers - 1}",
            )
    for method, name in product(config.methods, config.tasks):
        outline = configs.method_settings(config, method, name)[0]
        if ours and theirs and not configs.reason_to_skip(outline, name) and (reason := outline.fits(theirs, ours)):
            what = f"{method} on {name} cannot teach this student with this teacher: {reason}"
            raise InputError(what, key="student")


def _check_checkpoints(config: Config) -> None:
    """Teacher and student have to read the examples, with one vocabulary; as far as known without a download."""
    names = {"teacher.model": config.teacher.model, "student.model": config.student.model}
    known: dict[str, Checkpoint] = {}
    for key, name in names.items():
        try:
            if name and (checkpoint := checkpoints.known(name)):
                known[key] = checkpoint
        except InputError as error:
            raise error.within(key) from None
    for key, checkpoint in known.items():
        if config.data.max_length > checkpoint.longest:
            allowed = f"at most {checkpoint.longest}, the most tokens that {key} {names[key]} takes"
            raise InputError("data.max_length", value=config.data.max_length, allowed=allowed)
        for name in config.tasks:
            if len(task(name).text) > checkpoint.token_types:
                allowed = f"a model with two token types (type_vocab_size): {name} has two texts"
                raise InputError(key, value=names[key], allowed=allowed)
    if len({checkpoint.vocabulary for checkpoint in known.values()}) > 1:
        allowed = f"a model with the teacher's vocabulary, that of {config.teacher.model}"
        raise InputError("student.model", value=config.student.model, allowed=allowed)


def _check_ablations(config: Config) -> None:
    """Check every point as if it were the config."""
    for ablation in ablations(config):
        for point in ablation.points:
            try:
                _check_values(point.method, point.values, point.method)
                _check_models(point.applied(config, ablation.tasks))
            except InputError as error:
                where = f"ablations.{ablation.name}"
                below = "values" if ablation.setting else f"points.{point.label}"
                raise error.within(f"{where}, {point.label}").about(f"{where}.{below}") from None


def _check_spaces(config: Config) -> None:
    """Check what sweeps search against what the methods can do on their tasks, and the budget."""
    budget, variant = config.sweeps.trials, config.sweeps.variant
    spaces.check_changes(config.sweeps.space)
    for method in config.methods:
        space = spaces.space_of(method, variant, config.sweeps.space)
        if variant == "grid" and budget > (size := spaces.grid_size(space)):
            raise InputError(
                "sweeps.trials",
                value=budget,
                allowed=f"at most {size}, the size of the grid of {method}: all methods have the same number of trials",
            )
        _check_extremes(config, method, space)


def _check_extremes(config: Config, method: str, space: spaces.Space) -> None:
    """Check that a method can teach this student with all values that its space allows."""
    ours, theirs = configs.shapes(config)
    if not (ours and theirs):
        return
    own = spaces.split(method, space)[0]
    for name, key in product(config.tasks, own):
        outline = configs.method_settings(config, method, name)[0]
        for value in own[key].extremes:
            try:
                reason = replace(outline, **{key: value}).fits(theirs, ours)
            except ValueError as error:
                reason = str(error)
            if reason:
                raise InputError(
                    f"the {config.sweeps.variant} space of {method} has {key} = {value}, which cannot teach this "
                    f"student on {name}: {reason}",
                    key=f"sweeps.space.{method}.{key}",
                )


def _named(kind: str, name: str, allowed: Iterable[str], key: str) -> None:
    if name not in allowed:
        raise unknown(kind, name, allowed, key=key)
