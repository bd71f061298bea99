"""A student, everything that it is made from, and what is asked about it, as specs. Imports no torch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from adkd.base.stage_records import Spec
from adkd.data import sources
from adkd.data.spec import DataSpec
from adkd.data.tasks import TASKS
from adkd.fetch import origins
from adkd.methods import settings
from adkd.methods.method_config import STORED, MethodConfig, TokenMap
from adkd.plan import config as configs
from adkd.plan.ablations import Point
from adkd.plan.config import Config
from adkd.plan.fingerprint import Codes
from adkd.plan.grid import SHARED
from adkd.plan.specs import (
    ExplainSpec,
    LatencySpec,
    OfData,
    OfModel,
    OfSignals,
    OfTeacher,
    SignalSpec,
    StudentSpec,
    TeacherSpec,
    TrialSpec,
)


def students(
    config: Config, codes: Codes, points: Sequence[Point], tasks: Sequence[str], mark: str = ""
) -> Iterator["Student"]:
    """Every student of a grid, by task, point and seed; none where the method does not apply to the task.

    Args:
        mark: what sets the directories of these students apart from those of another config: ``tuned``.
    """
    for task in tasks:
        for point in points:
            applied = point.applied(config, [task])
            own = configs.method_settings(applied, point.method, task)
            if configs.reason_to_skip(own[0], task):
                continue
            as_base = own == configs.method_settings(config, point.method, task)
            changes_nothing = as_base and applied.student == config.student
            folder = (point if not changes_nothing else Point(point.method, "", {})).folder(mark)
            for seed in config.seeds:
                yield Student(applied, codes, point, folder, *own, task, seed)


@dataclass(frozen=True)
class Student:
    """One student, what it is made from, and what is asked about it."""

    config: Config
    codes: Codes
    point: Point
    folder: str
    """Its directory below ``students``: equal runs have equal ones."""
    method_config: MethodConfig
    training: settings.Training
    task: str
    seed: int
    apart: str = ""
    """Sets its data, teacher and signals apart from those of the main grid: ``held_out``."""

    @property
    def data(self) -> str:
        """Name of its data."""
        return f"data/{self._task}"

    @property
    def result(self) -> str:
        """Its own name."""
        return f"students/{self.folder}/{self.task}/seed-{self.seed}"

    @property
    def teacher(self) -> str:
        """Name of the teacher of its task and seed, whether its method needs one or not."""
        return f"teachers/{self._teacher_of}"

    @property
    def architecture(self) -> str:
        """What its speed depends on."""
        return json.dumps([self.task, self.config.student.given])

    @property
    def signals(self) -> dict[str, str]:
        """Kind -> name of the stored outputs of the teacher that its method reads. Equal maps have equal names."""
        how = self.method_config.token_map or TokenMap()
        maps = f"maps-{how.top_k or 'all'}-{how.steps}" + (f"-layer-{how.layer}" if how.layer else "")
        maps += "-released" if how.step_weights == "released" else ""
        names = {"logits": "logits", "cls": "cls", "token_maps": maps}
        needs = self.method_config.needs
        return {kind: f"signals/{self._teacher_of}/{name}" for kind, name in names.items() if kind in needs}

    def specs(self) -> dict[str, Spec]:
        """Name -> spec, in the order of making."""
        return self.upstream() | {self.result: self.spec()}

    def upstream(self) -> dict[str, Spec]:
        """Name -> spec of everything that it is made from. A method that needs nothing of a teacher has none."""
        specs: dict[str, Spec] = {self.data: self._data()}
        if self.method_config.needs:
            specs[self.teacher] = self._teacher()
        for kind, name in self.signals.items():
            specs[name] = self._signal(kind, name)
        return specs

    def spec(self) -> StudentSpec:
        """Its own spec."""
        evaluate = configs.evaluated(self.config, self.task)
        return StudentSpec(result=self.result, evaluate=tuple(evaluate), **self._learner("student"))

    def trial(self, study: str) -> TrialSpec:
        """The same student as a trial of a study, scored on the held-out part of train and nowhere else."""
        return TrialSpec(result=study, **(self._learner("trial") | {"selection": "held_out"}))

    def explanation(self, model: str) -> ExplainSpec:
        """How a model, this student or its teacher, is explained on the dev set."""
        asked = self.config.explanations
        steps = asked.steps.teacher if model == self.teacher else asked.steps.student
        return ExplainSpec(
            result=f"explanations/{model}",
            rows=asked.rows,
            steps=steps,
            bins=asked.bins,
            **self._about(model, "explain"),
        )

    def latency(self, model: str) -> LatencySpec:
        """How a model's speed is measured."""
        return LatencySpec(result=f"latency/{model}", batch_sizes=(1, 32), repeats=20, **self._about(model, "latency"))

    def _about(self, model: str, stage: str) -> dict[str, Any]:
        role = "teacher" if model == self.teacher else "student"
        return self._common(stage) | {
            "seed": 0,
            "split": configs.evaluated(self.config, self.task, ["validation"])[0],
            "inputs": OfModel(data=self.data, **{role: model}),
        }

    @property
    def _shares_teacher(self) -> bool:
        return self.config.teacher.seeds == "shared"

    @property
    def _teacher_of(self) -> str:
        return f"{self._task}/seed-{SHARED if self._shares_teacher else self.seed}"

    @property
    def _task(self) -> str:
        """The task as a part of a name."""
        return f"{self.task}+{self.apart}" if self.apart else self.task

    @cached_property
    def _teacher_seed(self) -> int:
        return 0 if self._shares_teacher else self.seed

    def _common(self, stage: str) -> dict[str, Any]:
        return {
            "task": self.task,
            "device": self.config.device,
            "threads": self.config.threads,
            "code": self.codes(stage, self.point.method),
        }

    def _data(self) -> DataSpec:
        data, source = self.config.data, configs.source(self.config)
        exceptions = data.expected_rows.get(self.task, {})
        files = origins.local_files(self.config.teacher.model, weights=False)
        files |= sources.local_files(source, TASKS[self.task], exceptions)
        return DataSpec(
            result=self.data,
            code=self.codes("data"),
            task=self.task,
            source=source,
            exceptions=exceptions,
            variants=data.variants.get(self.task, {}),
            train_rows=configs.train_rows(self.config, self.task),
            held_out=data.held_out if self.config.selection == "held_out" else 0.0,
            max_length=data.max_length,
            tokenizer=self.config.teacher.model,
            seed=0,
            external_files=files,
        )

    def _teacher(self) -> TeacherSpec:
        teacher = self.config.teacher
        return TeacherSpec(
            result=self.teacher,
            seed=self._teacher_seed,
            model=teacher.model,
            training=settings.resolve_teacher(teacher.training, self.task, self.config.settings),
            selection=self.config.selection,
            margin=teacher.margin,
            # Its dev score decides whether it may teach, whatever is reported.
            evaluate=tuple(configs.evaluated(self.config, self.task, ["validation"])),
            inputs=OfData(data=self.data),
            external_files=origins.local_files(teacher.model, weights=True),
            **self._common("teacher"),
        )

    def _signal(self, kind: str, name: str) -> SignalSpec:
        return SignalSpec(
            result=name,
            seed=self._teacher_seed,
            kind=kind,
            token_map=self.method_config.token_map if kind == "token_maps" else None,
            inputs=OfTeacher(data=self.data, teacher=self.teacher),
            **self._common("signals"),
        )

    def _learner(self, stage: str) -> dict[str, Any]:
        live = self.method_config.needs - STORED
        start = self.config.student.model or self.config.teacher.model
        return self._common(stage) | {
            "method": self.point.method,
            "seed": self.seed,
            "settings": json.loads(json.dumps(asdict(self.method_config))),  # lists, as a file has them
            "training": self.training,
            "student": self.config.student,
            "teacher_model": self.config.teacher.model,
            "selection": self.config.selection,
            "inputs": OfSignals(data=self.data, signals=self.signals, teacher=self.teacher if live else None),
            "external_files": origins.local_files(start, weights=True),
        }
