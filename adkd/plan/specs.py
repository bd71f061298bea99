"""A spec is the complete input of one stage. Names of results are relative to the root. Imports no torch."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from adkd.base.records import Record
from adkd.base.stage_records import Inputs, Spec
from adkd.data.spec import DataSpec
from adkd.methods.method_config import TokenMap
from adkd.methods.settings import TRAINING, Training
from adkd.plan.sections import StudentConfig
from adkd.plan.space import Space

__all__ = ["DataSpec"]


class OfData(Inputs):
    """What a teacher is made from."""

    data: str


class OfTeacher(OfData):
    """What a signal is made from."""

    teacher: str


class OfSignals(OfData):
    """What a student is made from: what its method needs."""

    signals: dict[str, str]
    """Kind -> name."""
    teacher: str | None
    """None unless the method reads outputs that are not stored."""


class OfModel(OfData):
    """What a finished model is examined with."""

    teacher: str | None = None
    student: str | None = None

    @property
    def model(self) -> str:
        """The model, a teacher or a student."""
        return self.teacher or self.student or ""


class RunSpec(Spec):
    """What specs of all stages that use a device have in common."""

    task: str
    device: str
    threads: int
    seed: int


class TeacherSpec(RunSpec):
    """How a teacher is trained."""

    stage: Literal["teacher"] = "teacher"
    model: str
    """Checkpoint that is fine-tuned."""
    training: Training
    selection: str
    margin: float
    """By how much its dev score must exceed that of the best constant answer."""
    evaluate: tuple[str, ...]
    """Splits that are predicted."""
    inputs: OfData


class SignalSpec(RunSpec):
    """One output of a teacher over the train set."""

    stage: Literal["signals"] = "signals"
    kind: str
    token_map: TokenMap | None
    """How token maps are made; None for other kinds."""
    inputs: OfTeacher


class LearnerSpec(RunSpec):
    """A student and how it is trained, whatever it is trained for."""

    method: str
    settings: dict[str, Any]
    """The method's own."""
    training: Training
    student: StudentConfig
    """What it starts from."""
    teacher_model: str
    selection: str
    inputs: OfSignals


class StudentSpec(LearnerSpec):
    """How a student is trained and scored."""

    stage: Literal["student"] = "student"
    evaluate: tuple[str, ...]
    """Splits that are predicted."""


class TrialSpec(LearnerSpec):
    """One setting of a sweep with one seed: a student that is scored on the held-out part of train alone."""

    stage: Literal["trial"] = "trial"


class ExplainSpec(RunSpec):
    """How a model's answers on dev examples are explained."""

    stage: Literal["explain"] = "explain"
    split: str
    rows: int
    """At most this many examples."""
    steps: int
    """Steps of integrated gradients."""
    bins: tuple[float, ...]
    """Shares of tokens that are removed or kept."""
    inputs: OfModel


class LatencySpec(RunSpec):
    """How a model's speed is measured."""

    stage: Literal["latency"] = "latency"
    split: str
    batch_sizes: tuple[int, ...]
    repeats: int
    """Timed batches of every size."""
    inputs: OfModel


class SignalChoice(Record):
    """Which stored signals a trial reads, by the settings that change what the teacher is asked for."""

    seed: int
    when: dict[str, Any]
    """Setting -> value."""
    names: dict[str, str]
    """Kind -> name of the signal."""


class StudyDefinition(Record):
    """What makes a study this one. Trials of another one cannot be used; the number of trials is not part of it."""

    method: str
    task: str
    variant: str
    sampler: str
    startup: int
    seed: int
    space: Space
    trials: dict[str, TrialSpec]
    """Seed -> spec of a trial with the config's own settings."""
    upstream: dict[str, dict[str, Any]]
    """Name -> spec of what the trials share."""
    signals: tuple[SignalChoice, ...]

    def trial(self, result: str, seed: int | str, values: Mapping[str, Any]) -> TrialSpec:
        """The spec of a trial of this study with one seed.

        Args:
            result: its name.
            values: setting -> value, the method's own settings and those of training.
        """
        base = self.trials[str(seed)]
        training = {key: value for key, value in values.items() if key in TRAINING}
        own = {key: value for key, value in values.items() if key not in TRAINING}
        matching = (
            choice.names
            for choice in self.signals
            if str(choice.seed) == str(seed) and all(values[key] == value for key, value in choice.when.items())
        )
        signals = next(matching, {})  # a point of another space may have none
        return base.model_copy(
            update={
                "result": result,
                "settings": base.settings | own,
                "training": replace(base.training, **training),
                "inputs": base.inputs.model_copy(update={"signals": signals}),
            }
        )

    def values_of(self, trial: TrialSpec) -> dict[str, Any]:
        """The point that a trial tries; None for a setting that its method did not have."""
        given = trial.settings | asdict(trial.training)
        return {key: given.get(key) for key in self.space}


class OfTrials(Inputs):
    """What a round or a study is made from."""

    trial: dict[str, str] | None = None
    """``NUMBER/SEED`` -> name, in the order of the numbers."""
    worker: dict[str, str] | None = None


class Shared(Inputs):
    """What all trials of a study are made from."""

    data: str
    signals: dict[str, str]
    teacher: dict[str, str]


class RoundSpec(Spec):
    """Which trials are run next."""

    stage: Literal["round"] = "round"
    task: str
    number: int
    batch: int
    """Trials of a round."""
    study: StudyDefinition
    inputs: OfTrials


class Storage(Record):
    """Where workers keep a study."""

    place: str
    """URL of a database, or a journal file, relative to the root."""
    name: str
    """What the study's name there begins with."""

    @property
    def is_file(self) -> bool:
        """Whether it is a journal file."""
        return "://" not in self.place


class WorkerSpec(Spec):
    """How a worker takes part in a study."""

    stage: Literal["worker"] = "worker"
    task: str
    device: str
    threads: int
    number: int
    trials: int
    """Budget of the study."""
    study: StudyDefinition
    storage: Storage
    pruner: str
    heartbeat: float
    """Seconds between two signs of life."""
    inputs: Shared


class StudySpec(Spec):
    """Which trials a study consists of."""

    stage: Literal["study"] = "study"
    task: str
    mode: str
    trials: int
    """Its budget."""
    batch: int
    study: StudyDefinition
    storage: Storage | None
    """None where trials are run in rounds."""
    shared: Shared
    inputs: OfTrials


AnySpec = Annotated[
    DataSpec
    | TeacherSpec
    | SignalSpec
    | StudentSpec
    | ExplainSpec
    | LatencySpec
    | RoundSpec
    | TrialSpec
    | WorkerSpec
    | StudySpec,
    Field(discriminator="stage"),
]
"""Any spec; its stage tells which."""
