"""The sections of a config: their keys with types, limits and defaults. Imports no torch."""

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Interval, MinLen
from pydantic import BaseModel, ConfigDict, Field, create_model

from adkd.base.validation import STRICT, Distinct
from adkd.methods import settings

Names = Annotated[tuple[str, ...], MinLen(1), Distinct()]
Seed = Annotated[int, Interval(ge=0, le=2**64 - 1)]
Seeds = Annotated[tuple[Seed, ...], MinLen(1), Distinct()]
Rows = Annotated[int, Interval(ge=2, le=10**9)]


class Section(BaseModel):
    """Base of all sections of a config."""

    model_config = ConfigDict(**STRICT, use_attribute_docstrings=True)


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
    expected_rows: dict[str, dict[str, Annotated[int, Ge(1)] | None]] = Field(default={})
    """Named exceptions to the official number of examples: task -> split -> number of examples of a subset, or null
    where the split is absent. A split of any other size is refused."""
    variants: dict[str, dict[str, str]] = Field(default={})
    """Named exceptions to the official content, source "directory" alone: task -> split -> what its texts or labels
    are, such as "lower-cased". The tables show this name. A split of any other content is refused, where the official
    one is known (page Data)."""
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
    """Its checkpoint: a name of adkd/fetch/checkpoints.py, a directory, or a model on the hub, OWNER/NAME@COMMIT.
    It is a BERT (model_type) and has its vocabulary. Without a commit it is the newest one at the first download;
    reports record which."""
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
    """A checkpoint of its own: a name of adkd/fetch/checkpoints.py, a directory, or a model on the hub,
    OWNER/NAME@COMMIT. It is a BERT (model_type) with the teacher's vocabulary. Without a commit it is the newest one at
    the first download; reports record which."""

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

    trials: Annotated[int, Interval(ge=1, le=10_000)] = 16
    """Trials of every study. With a larger number later, a study continues from the trials that it has."""
    batch: Annotated[int, Interval(ge=1, le=10_000)] = 4
    """Trials of a round. They run side by side, and the next round learns from all of them."""
    seeds: Seeds = (0,)
    """Seeds of every trial, whose score is the mean over them."""
    seed: Seed = 0
    """Seed of the sampler."""
    sampler: Literal["tpe", "random"] = "tpe"
    """tpe: points that follow from earlier results, by Optuna's TPE; random: points that do not."""
    startup: Annotated[int, Interval(ge=1, le=10_000)] = 8
    """Trials that are drawn at random before TPE learns from them."""
    variant: Literal["full", "grid"] = "full"
    """full: the space of the method's file; grid: its published grid, whose points are taken in a shuffled order, each
    once, whatever the sampler."""
    space: dict[str, dict[str, SpaceEntry | None]] = Field(default={})
    """Section ("training" for all methods, or a method) -> setting -> {low, high, log} or {choices}, over those of the
    files; null leaves a setting out of the search, at its value in `settings`."""
    mode: Literal["rounds", "workers"] = "rounds"
    """rounds: trials are jobs of the workflow, and the same config gives the same files. workers: jobs that share a
    storage and need not wait for each other; what they find depends on their timing."""
    workers: Annotated[int, Interval(ge=1, le=10_000)] = 4
    """Mode "workers": jobs of every study."""
    storage: str | None = None
    """Mode "workers": the URL of a database, such as postgresql+psycopg://HOST/NAME; null for a journal file beside the
    results. The URL is kept in the specs, so it must not contain a password."""
    name: str = "adkd"
    """Mode "workers": prefix of the studies' names in the storage."""
    pruner: Literal["none", "median", "hyperband"] = "median"
    """Mode "workers": what ends trials early by their score after every epoch of the first seed."""
    heartbeat: Annotated[float, Interval(gt=0, le=86_400)] = 30.0
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

    teacher: Annotated[int, Interval(ge=2, le=100_000)] = 128
    """For a teacher."""
    student: Annotated[int, Interval(ge=2, le=100_000)] = 64
    """For a student."""


class ExplanationsConfig(Section):
    """How models are attributed on the dev set, for `snakemake fidelity`."""

    rows: Rows = 100
    """Largest number of examples of a task; they are the same for every model."""
    steps: StepsConfig = Field(default_factory=StepsConfig)
    bins: Annotated[tuple[Annotated[float, Interval(gt=0, le=1)], ...], MinLen(1), Distinct()] = (0.05, 0.1, 0.2, 0.5)
    """Shares of an example's tokens that are removed or kept to measure how faithful its attribution is."""
