"""Settings: those of optimisation, how values are checked against their types, and how the levels of a config merge.

A setting is a field of a frozen dataclass: ``Training`` here, ``Config`` in the file of every method. Its annotation
says what is allowed; its default applies where a config does not set it.
"""

import ast
import inspect
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Interval

from adkd.base import source
from adkd.base.errors import InputError, unknown
from adkd.base.validation import allowed, validated

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Sections = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""The ``settings:`` of a config: section ("training", "teacher" or a method) -> "all" or a task -> setting -> value."""


@dataclass(frozen=True)
class Training:
    """How a model is optimised: by AdamW, with a checkpoint after every epoch."""

    batch_size: Annotated[int, Ge(1)] = 32
    """Examples per step."""
    batching: Literal["like_length", "random"] = "like_length"
    """Which examples share a batch: examples of ``like_length``, which need less padding, or ``random`` ones as in
    released codes. The expected gradient is the same."""
    epochs: Annotated[int, Ge(1)] = 3
    """Passes over the training set."""
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 5e-5
    """Peak learning rate."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """Decoupled weight decay; none on biases and LayerNorm."""
    warmup: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of all steps in which the learning rate rises from 0 to its peak."""
    schedule: Literal["linear", "constant"] = "linear"
    """What the learning rate does after the warm-up: fall to 0 linearly, or stay."""
    clip: Annotated[float, Gt(0)] = 1.0
    """Largest gradient norm; a longer gradient is scaled down to it."""
    clip_by: Literal["model", "tensor"] = "model"
    """Whose gradient norm is limited: that of all weights together, or that of every weight tensor for itself as in
    BertAdam."""
    bias_correction: bool = True
    """Whether Adam's moments are corrected for their start at 0. BertAdam does not correct them, and so takes longer
    steps early: 3.2 times as long at first, 6.6 times at step 12, 1.1 times at step 1,750."""
    adam_epsilon: Annotated[float, Gt(0)] = 1e-8
    """AdamW's epsilon; BertAdam's is 1e-6."""
    classifier_dropout: Annotated[float, Interval(ge=0, lt=1)] | None = None
    """Dropout before the classification head; null for the checkpoint's own."""
    regression_bias: Literal["zero", "mean"] = "zero"
    """Where the bias of a regression head starts: at 0, as in released codes, or at the mean label of the training set,
    which saves the steps that a small training set does not have."""


SPACE = {
    "learning_rate": {"low": 1.0e-5, "high": 2.0e-4, "log": True},
    "epochs": {"low": 3, "high": 10},
    "batch_size": {"choices": [8, 16, 32]},
}
"""What a sweep searches for every method, unless its file or a config changes it (``adkd.plan.space``)."""
GRID = {
    "learning_rate": {"choices": [5.0e-5, 3.0e-5, 2.0e-5]},
    "epochs": {"choices": [2, 3, 4]},
    "batch_size": {"choices": [16, 32]},
}
"""The grid of BERT's own fine-tuning (Devlin et al. 2019, appendix A.3), for methods whose files have none."""

TRAINING = tuple(field.name for field in fields(Training))
_LARGEST = {bool: 1, int: 2**31 - 1, float: 3.4e38}
RESERVED = ("training", "teacher")
"""Sections of ``settings:`` that are not methods."""


def documentation(outline: type) -> dict[str, str]:
    """Field -> the docstring below it, of a dataclass that is written in a file."""
    (definition,) = ast.parse(inspect.getsource(outline)).body
    return source.field_docstrings(definition.body) if isinstance(definition, ast.ClassDef) else {}


def check(outline: type, values: Mapping[str, Any], owner: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """``values`` checked against the fields of ``outline``; lists become tuples where the type says so.

    Args:
        outline: a dataclass, its annotations evaluated.
        values: setting -> value as a config gives it. Keys named in ``also`` are left out of the result.
        owner: where the settings stand, for the error: ``settings.adkd.all``.
        also: further keys that are allowed but belong to another dataclass.

    Raises:
        InputError: an unknown key, or a value of the wrong type or size.
    """
    known = {field.name: field for field in fields(outline) if field.init}
    for key in values:
        if key not in known and key not in also:
            names = [*known, *(name for name in also if name not in known)]
            raise unknown(f"setting of {owner}", key, names, key=f"{owner}.{key}")
    return {key: _checked(known[key].type, value, f"{owner}.{key}") for key, value in values.items() if key in known}


def _checked(annotation: Any, value: Any, what: str) -> Any:
    """A value that tensors can hold."""
    value = validated(annotation, value, what)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and abs(number) > _LARGEST[type(number)]:
            raise InputError(what, value=value, allowed=f"{allowed(annotation)} that fits into 32 bits")
    return value


def make(outline: type[T], values: Mapping[str, Any], owner: str, also: tuple[str, ...] = ()) -> T:
    """An instance of ``outline`` from a config's values.

    Raises:
        InputError: as ``check``; or a setting without a default is missing, or settings contradict each other.
    """
    values = check(outline, values, owner, also)
    for field in fields(outline):
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{owner}.{field.name}", allowed=f"set to {allowed(field.type)}")
    try:
        return outline(**values)
    except ValueError as error:
        raise InputError(f"settings of {owner}: {error}", key=f"settings.{owner}") from error


def resolve(outline: type[T], name: str, task: str, sections: Sections) -> tuple[T, Training]:
    """The settings of a method on a task: the method's own and how the student is optimised.

    The order is training.all, training.TASK, METHOD.all, METHOD.TASK; a later one wins. A method's section may set
    training keys too: published baselines come with their own learning rates.
    """
    training = _merged(sections, "training", task)
    own = _merged(sections, name, task)
    for_loop = training | {key: value for key, value in own.items() if key in TRAINING}
    return make(outline, own, name, also=TRAINING), make(Training, for_loop, "training")


def resolve_teacher(teacher: Mapping[str, Any], task: str, sections: Sections) -> Training:
    """How a task's teacher is optimised: the training keys of ``teacher:``, then settings.teacher.all, then .TASK."""
    return make(Training, {**teacher, **_merged(sections, "teacher", task)}, "teacher")


def _merged(sections: Sections, section: str, task: str) -> dict[str, Any]:
    levels = sections.get(section, {})
    return {**levels.get("all", {}), **levels.get(task, {})}
