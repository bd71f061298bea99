"""Studies: the sweep of one method on one task, as specs. Imports no torch and no optuna.

A study goes on in rounds. The spec of a round holds the study's definition and names the trials of earlier rounds, from
whose results its own points follow; the number of trials is no part of it, so that more rounds change no earlier one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError
from adkd.plan import config as configs
from adkd.plan.ablations import Point
from adkd.plan.config import Config
from adkd.plan.space import Space, extremes, space_of, split
from adkd.plan.specs import SHARED, Spec, Student, code


@dataclass(frozen=True)
class Study:
    """The sweep of one method on one task."""

    config: Config
    root: Path
    students: tuple[Student, ...]
    """The student with the config's own settings, one for every seed of a trial."""
    space: Space
    codes: Mapping[str, str]

    @property
    def method(self) -> str:
        return self.students[0].point.method

    @property
    def task(self) -> str:
        return self.students[0].task

    @property
    def name(self) -> str:
        """Where its results go, relative to the root."""
        return f"sweeps/{self.method}/{self.task}"

    @property
    def trials(self) -> int:
        """How many trials it has."""
        return self.config.sweeps.trials

    @property
    def batch(self) -> int:
        """How many trials a round has."""
        return self.config.sweeps.batch

    def specs(self) -> dict[str, Spec]:
        """Result -> spec of all but the trials, which are settled round by round."""
        found = dict(self.upstream)
        if self.config.sweeps.mode == "workers":
            found |= {self._worker_at(number): self._worker(number) for number in range(self._workers)}
        else:
            found |= {f"{self.name}/round-{r}": self._round(r) for r in range(-(-self.trials // self.batch))}
        return found | {self.name: self._sweep()}

    @cached_property
    def upstream(self) -> dict[str, Spec]:
        """Result -> spec of what its trials share."""
        found: dict[str, Spec] = {}
        for _, student in self._told:
            found |= student.upstream()
        return found

    @cached_property
    def definition(self) -> Spec:
        """What makes it this study: trials of another one say nothing here."""
        options = {key: getattr(self.config.sweeps, key) for key in ("variant", "sampler", "startup", "seed")}
        return options | {
            "method": self.method,
            "task": self.task,
            "space": self.space,
            "trials": {str(student.seed): student.trial() for student in self.students},
            "upstream": self.upstream,
            "signals": [
                {"seed": one.seed, "when": when, "paths": one.trial()["inputs"]["signals"]} for when, one in self._told
            ],
        }

    @cached_property
    def _told(self) -> list[tuple[dict[str, Any], Student]]:
        """Every combination of searched settings that changes what the teacher is asked, with the student told so."""
        keys = [key for key in split(self.method, self.space)[0] if _changes_signals(self, key)]
        for key in keys:
            if self.space[key]["type"] != "choice":
                raise InputError(
                    f"{key} in the space of {self.method} is a range; every value needs token maps of its own from the "
                    "teacher, which trials share: allowed is {choices: [...]}"
                )
        choices = [
            dict(zip(keys, values, strict=True)) for values in product(*(self.space[key]["choices"] for key in keys))
        ]
        return [
            (when, replace(student, outline=replace(student.outline, **when)))
            for student, when in product(self.students, choices)
        ]

    def _round(self, number: int) -> Spec:
        return {
            "stage": "round",
            "task": self.task,
            "number": number,
            "batch": self.batch,
            "study": self.definition,
            "inputs": {"trial": self._trials(number * self.batch)},
            "code": self.codes["round"],
        }

    def _trials(self, count: int) -> dict[str, str]:
        """Trial and seed -> where its result goes, of the first ``count`` trials, in their order."""
        return {
            f"{number:05d}/{student.seed}": str(self.root / self.name / trial_at(number, self.batch, student.seed))
            for number in range(count)
            for student in self.students
        }

    @property
    def _workers(self) -> int:
        return min(self.config.sweeps.workers, self.trials)

    def _worker_at(self, number: int) -> str:
        return f"{self.name}/worker-{number}"

    def _worker(self, number: int) -> Spec:
        options = self.config.sweeps
        return {
            "stage": "worker",
            "task": self.task,
            "device": self.config.device,
            "threads": self.config.threads,
            "number": number,
            "trials": self.trials,
            "study": self.definition,
            **{key: getattr(options, key) for key in ("name", "pruner", "heartbeat")},
            "storage": self._storage,
            "inputs": self._shared(),
            "code": self.codes[f"worker {self.method}"],
        }

    @property
    def _storage(self) -> str:
        """The URL of the study's storage, or the path of its journal."""
        return self.config.sweeps.storage or str(self.root / self.name / "study.journal")

    def _shared(self) -> dict[str, Any]:
        """What every trial is made from."""
        one, *_ = inputs = [student.trial()["inputs"] for _, student in self._told]
        signals = sorted({path for each in inputs for path in each["signals"].values()})
        teachers = sorted({each["teacher"] for each in inputs if "teacher" in each})
        return {
            "data": one["data"],
            "signals": {str(number): path for number, path in enumerate(signals)},
            "teacher": {str(number): path for number, path in enumerate(teachers)},
        }

    def _sweep(self) -> Spec:
        mode = self.config.sweeps.mode
        workers = {str(number): str(self.root / self._worker_at(number)) for number in range(self._workers)}
        made_from = {"worker": workers} if mode == "workers" else {"trial": self._trials(self.trials)}
        more = {"storage": self._storage, "name": self.config.sweeps.name} if mode == "workers" else {}
        return more | {
            "stage": "sweep",
            "task": self.task,
            "mode": mode,
            "trials": self.trials,
            "batch": self.batch,
            "study": self.definition,
            "shared": self._shared(),
            "inputs": made_from,
            "code": self.codes["sweep"],
        }


def trial_at(number: int, batch: int, seed: int) -> str:
    """Where a trial with one seed goes, below its study: ``round-1/trial-0/seed-1``."""
    return f"round-{number // batch}/trial-{number % batch}/seed-{seed}"


def studies(config: Config, root: Path) -> Iterator[Study]:
    """The study of every method on every task of a validated config where the method has a meaning.

    Trials are scored on a part of train that is held out. Where the main grid holds nothing out, the studies have data,
    a teacher and signals of their own: ``data/TASK+held_out`` and so on.

    Raises:
        InputError: a space cannot be searched.
    """
    held = config if config.selection == "held_out" else config.model_copy(update={"selection": "held_out"})
    apart = "" if held is config else "held_out"
    shared = {stage: code(stage) for stage in (*SHARED, "round", "sweep")}
    for method in config.methods:
        codes = shared | {f"{stage} {method}": code(stage, method) for stage in ("student", "trial", "worker")}
        space = space_of(method, config.sweeps.variant, config.sweeps.space)
        for task in config.tasks:
            outline, training = configs.method_settings(held, method, task)
            if configs.reason_to_skip(outline, task):
                continue
            about = (held, root, codes, Point(method, method, {}), method, outline, training, task)
            made = tuple(Student(*about, seed, apart) for seed in config.sweeps.seeds)
            yield Study(config, root, made, space, codes)


def _changes_signals(study: Study, key: str) -> bool:
    outline = study.students[0].outline
    values = [value for value in extremes(study.space[key]) if value is not None] + [getattr(outline, key)]
    return len({replace(outline, **{key: value}).token_map for value in values}) > 1
