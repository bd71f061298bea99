"""Studies: the sweep of one method on one task, as specs. Imports no torch and no optuna.

A study goes on in rounds. The spec of a round holds the study's definition and names the trials of earlier rounds, from
whose results its own points follow; the number of trials is no part of it, so that more rounds change no earlier one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from adkd.base.errors import InputError
from adkd.base.stage_records import Spec
from adkd.plan import config as configs
from adkd.plan.ablations import Point
from adkd.plan.config import Config
from adkd.plan.fingerprint import Codes
from adkd.plan.space import Choice, Space, space_of, split
from adkd.plan.specs import (
    OfTrials,
    RoundSpec,
    Shared,
    SignalChoice,
    Storage,
    StudyDefinition,
    StudySpec,
    WorkerSpec,
)
from adkd.plan.students import Student


@dataclass(frozen=True)
class Study:
    """The sweep of one method on one task."""

    config: Config
    codes: Codes
    students: tuple[Student, ...]
    """The student with the config's own settings, one for every seed of a trial."""
    space: Space

    @property
    def method(self) -> str:
        """The method whose settings are searched."""
        return self.students[0].point.method

    @property
    def task(self) -> str:
        """The task that it is searched on."""
        return self.students[0].task

    @property
    def name(self) -> str:
        """Name of its result."""
        return f"sweeps/{self.method}/{self.task}"

    def specs(self) -> dict[str, Spec]:
        """Name -> spec of everything but the trials, which are settled round by round."""
        specs: dict[str, Spec] = dict(self.upstream)
        sweeps = self.config.sweeps
        made: list[Spec] = [self._round(number) for number in range(-(-sweeps.trials // sweeps.batch))]
        if sweeps.mode == "workers":
            made = [self._worker(number) for number in range(self._workers)]
        return specs | {spec.result: spec for spec in (*made, self.spec())}

    def spec(self) -> StudySpec:
        """Its own spec."""
        sweeps = self.config.sweeps
        workers = {str(number): self._worker_at(number) for number in range(self._workers)}
        by_workers = sweeps.mode == "workers"
        return StudySpec(
            result=self.name,
            code=self.codes("study"),
            task=self.task,
            mode=sweeps.mode,
            trials=sweeps.trials,
            batch=sweeps.batch,
            study=self.definition,
            storage=self._storage if by_workers else None,
            shared=self.shared,
            inputs=OfTrials(worker=workers) if by_workers else OfTrials(trial=self._trials(sweeps.trials)),
        )

    @cached_property
    def upstream(self) -> dict[str, Spec]:
        """Name -> spec of what its trials share."""
        specs: dict[str, Spec] = {}
        for _, student in self._variants:
            specs |= student.upstream()
        return specs

    @cached_property
    def definition(self) -> StudyDefinition:
        """What makes it this study."""
        sweeps = self.config.sweeps
        return StudyDefinition(
            method=self.method,
            task=self.task,
            variant=sweeps.variant,
            sampler=sweeps.sampler,
            startup=sweeps.startup,
            seed=sweeps.seed,
            space=dict(sorted(self.space.items())),
            trials={str(student.seed): student.trial(self.name) for student in self.students},
            upstream={name: spec.as_json() for name, spec in self.upstream.items()},
            signals=tuple(
                SignalChoice(seed=student.seed, when=when, names=student.signals) for when, student in self._variants
            ),
        )

    @cached_property
    def shared(self) -> Shared:
        """What every trial is made from."""
        specs = [student.trial(self.name) for _, student in self._variants]
        signals = sorted({name for spec in specs for name in spec.inputs.signals.values()})
        teachers = sorted({spec.inputs.teacher for spec in specs if spec.inputs.teacher})
        return Shared(
            data=specs[0].inputs.data,
            signals={str(number): name for number, name in enumerate(signals)},
            teacher={str(number): name for number, name in enumerate(teachers)},
        )

    @cached_property
    def _variants(self) -> list[tuple[dict[str, Any], Student]]:
        """Every combination of searched settings that changes what the teacher is asked for, with the student that
        has it."""
        keys = [key for key in split(self.method, self.space)[0] if _changes_signals(self, key)]
        for key in keys:
            if not isinstance(self.space[key], Choice):
                raise InputError(
                    f"{key} in the space of {self.method} is a range; every value needs token maps of its own from the "
                    "teacher, which trials share",
                    remedy="use {choices: [...]}",
                )
        choices = [
            dict(zip(keys, values, strict=True)) for values in product(*(self.space[key].extremes for key in keys))
        ]
        return [
            (when, replace(student, method_config=replace(student.method_config, **when)))
            for student, when in product(self.students, choices)
        ]

    def _round(self, number: int) -> RoundSpec:
        return RoundSpec(
            result=f"{self.name}/round-{number}",
            code=self.codes("round"),
            task=self.task,
            number=number,
            batch=self.config.sweeps.batch,
            study=self.definition,
            inputs=OfTrials(trial=self._trials(number * self.config.sweeps.batch)),
        )

    def _trials(self, count: int) -> dict[str, str]:
        """Trial and seed -> name of its result, of the first ``count`` trials, in their order."""
        return {
            f"{number:05d}/{student.seed}": f"{self.name}/{trial_at(number, self.config.sweeps.batch, student.seed)}"
            for number in range(count)
            for student in self.students
        }

    @property
    def _workers(self) -> int:
        return min(self.config.sweeps.workers, self.config.sweeps.trials)

    def _worker_at(self, number: int) -> str:
        return f"{self.name}/worker-{number}"

    def _worker(self, number: int) -> WorkerSpec:
        sweeps = self.config.sweeps
        return WorkerSpec(
            result=self._worker_at(number),
            code=self.codes("worker", self.method),
            task=self.task,
            device=self.config.device,
            threads=self.config.threads,
            number=number,
            trials=sweeps.trials,
            study=self.definition,
            storage=self._storage,
            pruner=sweeps.pruner,
            heartbeat=sweeps.heartbeat,
            inputs=self.shared,
            external_files=self.students[0].trial(self.name).external_files,
        )

    @property
    def _storage(self) -> Storage:
        sweeps = self.config.sweeps
        return Storage(place=sweeps.storage or f"{self.name}/study.journal", name=sweeps.name)


def trial_at(number: int, batch: int, seed: int) -> str:
    """Where a trial with one seed goes, below its study: ``round-1/trial-0/seed-1``."""
    return f"round-{number // batch}/trial-{number % batch}/seed-{seed}"


def studies(config: Config, codes: Codes) -> Iterator[Study]:
    """The study of every method on every task of a validated config that the method applies to.

    Trials are scored on a part of train that is held out. Where the main grid holds nothing out, the studies have data,
    a teacher and signals of their own: ``data/TASK+held_out`` and so on.

    Raises:
        InputError: a space cannot be searched.
    """
    held = config.model_copy(update={"selection": "held_out"})
    apart = "" if config.selection == "held_out" else "held_out"
    for method in config.methods:
        space = space_of(method, config.sweeps.variant, config.sweeps.space)
        for task in config.tasks:
            method_config, training = configs.method_settings(held, method, task)
            if configs.reason_to_skip(method_config, task):
                continue
            about = (held, codes, Point(method, method, {}), method, method_config, training, task)
            made = tuple(Student(*about, seed, apart) for seed in config.sweeps.seeds)
            yield Study(config, codes, made, space)


def _changes_signals(study: Study, key: str) -> bool:
    own = study.students[0].method_config
    values = [value for value in study.space[key].extremes if value is not None] + [getattr(own, key)]
    return len({replace(own, **{key: value}).token_map for value in values}) > 1
