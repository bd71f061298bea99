"""The config of a run: its keys, their types, limits and defaults, and how config files are layered.

The models describe every key; `workflow/schemas/config.schema.yaml` is generated from them. `adkd.plan.checks` makes
a ``Config`` of a mapping and checks what the models cannot know: tasks, methods, their settings. Imports no torch.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Interval, MinLen
from pydantic import BeforeValidator, Field

from adkd.base import yaml_file
from adkd.base.errors import InputError
from adkd.base.keys import Keys
from adkd.base.validation import Distinct
from adkd.data.tasks import task
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.methods import registry, settings
from adkd.methods.method_config import MethodConfig
from adkd.plan.sections import (
    AblationConfig,
    DataConfig,
    ExplanationsConfig,
    Names,
    Section,
    Seeds,
    StudentConfig,
    SweepsConfig,
    TeacherConfig,
)


def _without_null(sections: Any) -> Any:
    """Settings without the sections and levels that a later file removes."""

    def kept(level: Any) -> Any:
        return {key: value for key, value in level.items() if value is not None} if isinstance(level, dict) else level

    sections = kept(sections)
    return {name: kept(levels) for name, levels in sections.items()} if isinstance(sections, dict) else sections


_LAYERED = dict[str, dict[str, dict[str, Any] | None] | None]


class Config(Section):
    """Config of the benchmark."""

    data: DataConfig
    teacher: TeacherConfig
    student: StudentConfig
    tasks: Names
    """Tasks, by their name in `datasets`."""
    methods: Names
    """Methods, by the name of their file in baselines/; adkd is adkd/methods/adkd.py."""
    seeds: Seeds
    """One run for every seed."""
    reference: str = "adkd"
    """The method that the others are tested against; one of `methods`."""
    selection: Literal["dev", "held_out", "last"] = "dev"
    """Which epoch is kept. dev: the best on the dev set, as in the paper, on which it is then also scored; held_out:
    the best on a share of the training set; last: the last."""
    score: Annotated[tuple[Literal["validation", "test"], ...], MinLen(1), Distinct()] = ("validation",)
    """Splits that are scored; "test" only where test labels exist. The first is the one in the main table."""
    predict: Annotated[tuple[Literal["train", "validation", "test"], ...], Distinct()] = ("test",)
    """Splits whose predictions are stored as well, for example to submit them."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where training runs; auto takes a GPU if there is one."""
    jobs_per_gpu: Annotated[int, Interval(ge=1, le=64)] = 1
    """How many training jobs share one GPU of this machine. One small student does not keep a large GPU busy; the
    memory of all jobs must fit. It changes no result."""
    threads: Annotated[int, Interval(ge=1, le=1024)] = 1
    """CPU threads of one training job. Part of a run's spec, because it changes the order of sums."""
    settings: Annotated[
        dict[str, dict[str, dict[str, Any]]], BeforeValidator(_without_null, json_schema_input_type=_LAYERED)
    ] = Field(default={})
    """Section -> "all" or a task -> setting -> value. The sections are "training" (all students), "teacher" and every
    method. Later wins: training.all, training.TASK, METHOD.all, METHOD.TASK. A method's section may set training keys.
    null for a section or a task removes what an earlier file sets there."""
    settings_from: Literal["config", "sweeps"] = "config"
    """config: methods run with `settings`. sweeps: on each task each method also has the best settings that its sweep
    found, results/sweeps/METHOD/TASK/best.yaml, over `settings`; `snakemake sweep` makes it first."""
    sweeps: SweepsConfig = Field(default_factory=SweepsConfig)
    ablations: dict[str, AblationConfig | None] = Field(default={})
    """Name -> one ablation: a base run and the same run with something varied. Each is a grid of its own, made by
    `snakemake ablations` or `snakemake results/ablations/NAME`, never by default."""
    explanations: ExplanationsConfig = Field(default_factory=ExplanationsConfig)


CONFIGS = Path(__file__).parent / "configs"
"""The configs that come with the suite: ``workflow/config`` of the repository, inside the package."""
DEFAULT_CONFIG = CONFIGS / "embedded.yaml"


def config_file(name: Path) -> Path:
    """The config file that a user names: a path, or a config that comes with the suite, e.g. ``tiny``."""
    packaged = CONFIGS / f"{name}.yaml"
    return packaged if not name.exists() and packaged.exists() else name


def load_config(paths: Sequence[Path]) -> Keys:
    """The keys of these YAML or JSON files, not yet validated; what a later file says wins, key by key.

    Raises:
        InputError: a file is missing or cannot be read, is not a mapping, or has a key twice.
    """
    return reduce(Keys.layered, (yaml_file.read(Path(path)) for path in paths), Keys())


def schema_text() -> str:
    """The content of ``workflow/schemas/config.schema.yaml``: a JSON schema of every key, for editors and readers."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _tidy(Config.model_json_schema())
    head = "# Every key of a config. Generated from adkd/plan/config.py; rebuild it with: make schema\n"
    return head + yaml.safe_dump(schema, sort_keys=False, width=120, allow_unicode=True)


def _tidy(part: Any) -> Any:
    """A part of a schema without titles, which only repeat the keys, and with descriptions on one line."""
    if isinstance(part, list):
        return [_tidy(each) for each in part]
    if not isinstance(part, dict):
        return part
    part = {key: _tidy(value) for key, value in part.items() if key != "title" or isinstance(value, dict)}
    if isinstance(text := part.get("description"), str):
        part["description"] = " ".join(text.split())
    return part


def source(config: Config) -> dict[str, Any]:
    """Where the examples come from, as the specs and ``adkd.data.sources`` have it."""
    return {"name": config.data.source} | config.data.model_dump(include={"path", "rows"}, exclude_none=True)


def dev_data(name: str, config: Config | None, directory: Path | None) -> dict[str, Any]:
    """Where the dev sets of a task come from and how they are read: as a config says, from a directory of GLUE's files,
    or, without either, from the hub.

    Raises:
        InputError: both are given.
    """
    if config is None:
        origin = {"name": "directory", "path": str(directory)} if directory else {"name": "hub"}
        return {
            "source": origin,
            "exceptions": {},
            "variants": {},
            "max_length": 128,
            "device": "auto",
            "threads": None,
        }
    if directory:
        raise InputError("--data and --configfile both say where the data is", remedy="give one of them")
    return {
        "source": source(config),
        "exceptions": config.data.expected_rows.get(name, {}),
        "variants": config.data.variants.get(name, {}),
        "max_length": config.data.max_length,
        "device": config.device,
        "threads": config.threads,
    }


def method_settings(config: Config, method: str, name: str) -> tuple[MethodConfig, settings.Training]:
    """A method's settings on a task, and how its students are trained there."""
    return settings.resolve(registry.outline(method), method, name, config.settings)


def reason_to_skip(outline: MethodConfig, name: str) -> str | None:
    """Why a method with these settings has no run on a task, or None."""
    return outline.applies_to(task(name))


def train_rows(config: Config, name: str) -> int | None:
    """How many training examples of a task are used; None for all."""
    rows = config.data.train_rows
    return rows.get(name) if isinstance(rows, dict) else rows


def evaluated(config: Config, name: str, always: Sequence[str] = ()) -> list[str]:
    """The splits of a task that a run predicts, each once; those that the source lacks by a named exception are not."""
    roles = (*always, *config.score, *config.predict)
    splits = dict.fromkeys(split for role in roles for split in task(name).splits(role))
    missing = absent(config, name)
    return [split for split in splits if split not in missing]


def absent(config: Config, name: str) -> list[str]:
    """The splits of a task that the source lacks by a named exception."""
    exceptions = config.data.expected_rows.get(name, {})
    return [split for split in task(name).rows if exceptions.get(split, 0) is None]


def shapes(config: Config) -> tuple[Shape | None, Shape | None]:
    """The sizes of student and teacher, as far as they are known before anything is downloaded."""
    teacher = checkpoints.shape(config.teacher.model)
    if config.student.model is not None:
        return checkpoints.shape(config.student.model), teacher
    layers = len(config.student.from_teacher_layers or ())
    return teacher and Shape(layers, teacher.hidden, teacher.heads), teacher
