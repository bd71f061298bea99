"""The config of a run: its keys, their types, limits and defaults, and how config files are layered.

The models describe every key; `workflow/schemas/config.schema.yaml` is generated from them. `adkd.plan.checks` makes
a ``Config`` of a mapping and checks what the models cannot know: tasks, methods, their settings. Imports no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Interval, MinLen
from pydantic import BaseModel, BeforeValidator, Field, create_model

from adkd.base.errors import InputError
from adkd.base.validation import STRICT, Distinct
from adkd.data.tasks import task
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.methods import registry, settings
from adkd.methods.method_config import MethodConfig

Names = Annotated[tuple[str, ...], MinLen(1), Distinct()]
Seed = Annotated[int, Ge(0)]
Seeds = Annotated[tuple[Seed, ...], MinLen(1), Distinct()]
Rows = Annotated[int, Ge(2)]


class Section(BaseModel):
    """Base of all sections of a config."""

    model_config = STRICT


class RowsConfig(Section):
    """Number of examples that source "generated" makes of every split."""

    train: Rows
    """Training examples."""
    validation: Rows
    """Dev examples."""
    test: Rows
    """Test examples."""


class DataConfig(Section):
    """Where the examples come from and how they are cut."""

    source: Literal["hub", "directory", "embedded", "generated"]
    """hub: GLUE from the Hugging Face hub; directory: the same files in a local directory; embedded: the small real
    data that comes with the suite's dependencies; generated: made-up sentences, for tests."""
    path: str | None = None
    """The directory of source "directory", relative to the working directory."""
    rows: RowsConfig | None = None
    """Number of examples that source "generated" makes of every split."""
    expected_rows: dict[str, dict[str, Annotated[int, Ge(1)] | None]] = Field({})
    """Named exceptions to the official number of examples: task -> split -> number of examples of a subset, or null
    where the split is absent. A split of any other size is refused."""
    train_rows: Rows | dict[str, Rows | None] | None = None
    """Train on at most this many examples; null for all; task -> number for some tasks."""
    max_length: Annotated[int, Interval(ge=8, le=512)] = 128
    """Tokens that an example is cut to."""
    held_out: Annotated[float, Interval(gt=0, le=0.5)] = 0.1
    """Share of the training set that is set aside to select epochs by, if selection is "held_out". Examples are set
    aside row by row: where rows share a sentence or a question (privacyqa), both parts may contain it."""


class _TeacherConfig(Section):
    """The teacher, fine-tuned once per task (or once per task and seed). Training keys that are not set keep their
    default."""

    model: str
    """Its checkpoint: a name of adkd/fetch/checkpoints.py, a hub name or a directory."""
    seeds: Literal["shared", "each"] = "shared"
    """shared: all seeds of a student learn from one teacher; each: every seed has its own."""
    margin: Annotated[float, Ge(0)] = 0.05
    """By how much its dev score must exceed that of the best constant answer, in units of the metric."""

    @property
    def training(self) -> dict[str, Any]:
        """The training keys that are set."""
        return {key: value for key in settings.TRAINING if (value := getattr(self, key)) is not None}


_TRAINING = settings.documentation(settings.Training)
if TYPE_CHECKING:
    TeacherConfig = _TeacherConfig
else:
    TeacherConfig = create_model(
        "TeacherConfig",
        __base__=_TeacherConfig,
        __doc__=_TeacherConfig.__doc__,
        **{
            field.name: (field.type | None, Field(None, description=_TRAINING[field.name]))
            for field in fields(settings.Training)
        },
    )


class StudentConfig(Section):
    """What every student starts from; exactly one of the two keys (null counts as not set)."""

    from_teacher_layers: Annotated[tuple[Annotated[int, Ge(0)], ...], MinLen(1), Distinct()] | None = None
    """0-based layers of the teacher's pre-trained checkpoint, before fine-tuning, so that a student starts with nothing
    that a teacher has learned of the task."""
    model: str | None = None
    """A checkpoint of its own: a name of adkd/fetch/checkpoints.py, a hub name or a directory."""

    @property
    def given(self) -> dict[str, Any]:
        """The keys that are set, as specs have them."""
        return self.model_dump(mode="json", exclude_none=True)


class SpaceEntry(Section):
    """What a sweep tries of one setting: a range, {low, high, log}, or {choices}."""

    low: Any = None
    """Lower end of a range."""
    high: Any = None
    """Upper end of a range."""
    log: bool = False
    """Whether a range is searched on a log scale."""
    choices: Annotated[tuple[bool | int | float | str | None, ...], MinLen(1), Distinct()] | None = None
    """The values, instead of a range."""


class SweepsConfig(Section):
    """The search for settings, made by `snakemake sweep` and never by default: one study for every method and task, all
    with the same number of trials. Its score is that of a held-out part of train; dev and test are not used."""

    trials: Annotated[int, Ge(1)] = 16
    """Trials of every study. With a larger number later, a study continues from the trials that it has."""
    batch: Annotated[int, Ge(1)] = 4
    """Trials of a round. They run side by side, and the next round learns from all of them."""
    seeds: Seeds = (0,)
    """Seeds of every trial, whose score is the mean over them."""
    seed: Seed = 0
    """Seed of the sampler."""
    sampler: Literal["tpe", "random"] = "tpe"
    """tpe: points that follow from earlier results, by Optuna's TPE; random: points that do not."""
    startup: Annotated[int, Ge(1)] = 8
    """Trials that are drawn at random before TPE learns from them."""
    variant: Literal["full", "grid"] = "full"
    """full: the space of the method's file; grid: its published grid, whose points are taken in a shuffled order, each
    once, whatever the sampler."""
    space: dict[str, dict[str, SpaceEntry | None]] = Field({})
    """Section ("training" for all methods, or a method) -> setting -> {low, high, log} or {choices}, over those of the
    files; null leaves a setting out of the search, at its value in `settings`."""
    mode: Literal["rounds", "workers"] = "rounds"
    """rounds: trials are jobs of the workflow, and the same config gives the same files. workers: jobs that share a
    storage and need not wait for each other; what they find depends on their timing."""
    workers: Annotated[int, Ge(1)] = 4
    """Mode "workers": jobs of every study."""
    storage: str | None = None
    """Mode "workers": the URL of a database, such as postgresql+psycopg://HOST/NAME; null for a journal file beside the
    results. The URL is kept in the specs, so it must not contain a password."""
    name: str = "adkd"
    """Mode "workers": prefix of the studies' names in the storage."""
    pruner: Literal["none", "median", "hyperband"] = "median"
    """Mode "workers": what ends trials early by their score after every epoch of the first seed."""
    heartbeat: Annotated[float, Gt(0)] = 30.0
    """Mode "workers": seconds between two heartbeats of a running trial. After four missed heartbeats the trial is
    marked failed, and its settings are tried again."""


class AblationConfig(Section):
    """One ablation: either `points`, or `setting` and its `values`; null removes one of an earlier file."""

    title: str | None = None
    """Title of its table and figure."""
    method: str | None = None
    """The method that is varied; by default the reference."""
    tasks: Names | None = None
    """On which of the config's tasks; by default all. A task that the config does not run is left out."""
    setting: str | None = None
    """What is varied: a setting of the method or of training, or `student`."""
    values: Annotated[tuple[Any, ...], MinLen(1), Distinct()] | None = None
    """Its values."""
    points: dict[str, dict[str, Any]] | None = None
    """Label -> the settings that a point puts over those of the base."""


class StepsConfig(Section):
    """Steps of integrated gradients. The completeness error is reported beside the attributions. A teacher's map enters
    every comparison of its task, and a deeper model needs more steps."""

    teacher: Annotated[int, Ge(2)] = 128
    """For a teacher."""
    student: Annotated[int, Ge(2)] = 64
    """For a student."""


class ExplanationsConfig(Section):
    """How models are attributed on the dev set, for `snakemake fidelity`."""

    rows: Rows = 100
    """Largest number of examples of a task; they are the same for every model."""
    steps: StepsConfig = Field(default_factory=StepsConfig)
    bins: Annotated[tuple[Annotated[float, Interval(gt=0, le=1)], ...], MinLen(1), Distinct()] = (0.05, 0.1, 0.2, 0.5)
    """Shares of an example's tokens that are removed or kept to measure how faithful its attribution is."""


def _without_null(sections: Any) -> Any:
    """Sections of settings without those, and without the levels, that a later file takes away."""
    if not isinstance(sections, Mapping):
        return sections
    return {
        section: {level: values for level, values in levels.items() if values is not None}
        if isinstance(levels, Mapping)
        else levels
        for section, levels in sections.items()
        if levels is not None
    }


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
    jobs_per_gpu: Annotated[int, Ge(1)] = 1
    """How many training jobs share one GPU of this machine. One small student does not keep a large GPU busy; the
    memory of all jobs must fit. It changes no result."""
    threads: Annotated[int, Ge(1)] = 1
    """CPU threads of one training job. Part of a run's spec, because it changes the order of sums."""
    settings: Annotated[
        dict[str, dict[str, dict[str, Any]]], BeforeValidator(_without_null, json_schema_input_type=_LAYERED)
    ] = Field({})
    """Section -> "all" or a task -> setting -> value. The sections are "training" (all students), "teacher" and every
    method. Later wins: training.all, training.TASK, METHOD.all, METHOD.TASK. A method's section may set training keys.
    null for a section or a task removes what an earlier file sets there."""
    settings_from: Literal["config", "sweeps"] = "config"
    """config: methods run with `settings`. sweeps: on each task each method also has the best settings that its sweep
    found, results/sweeps/METHOD/TASK/best.yaml, over `settings`; `snakemake sweep` makes it first."""
    sweeps: SweepsConfig = Field(default_factory=SweepsConfig)
    ablations: dict[str, AblationConfig | None] = Field({})
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


def load_config(paths: Sequence[Path]) -> dict[str, Any]:
    """The keys of these YAML files, not yet validated; what a later file says wins, key by key.

    Raises:
        InputError: a file is missing or is not a YAML mapping.
    """
    config: dict[str, Any] = {}
    for path in paths:
        try:
            layer = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no such config file: {path}") from None
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(layer, dict):
            raise InputError(str(path), allowed="a mapping of keys to values")
        config = layered(config, layer)
    return config


def layered(under: Any, over: Any) -> Any:
    """One config over another, key by key."""
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: layered(under.get(key), value) for key, value in over.items()}
    return over


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
        return {"source": origin, "exceptions": {}, "max_length": 128, "device": "auto", "threads": None}
    if directory:
        raise InputError("--data and --configfile both say where the data is", remedy="give one of them")
    return {
        "source": source(config),
        "exceptions": config.data.expected_rows.get(name, {}),
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
