"""Specs: everything that the stage behind one result is told. Imports no torch."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adkd.methods import registry, settings
from adkd.methods.method_config import STORED, MethodConfig, TokenMap
from adkd.plan import config as configs
from adkd.plan import fingerprint
from adkd.plan.ablations import Point
from adkd.plan.config import Config

Spec = dict[str, Any]

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOTS = {
    "data": "data/prepare.py",
    "teacher": "training/teacher.py",
    "signals": "training/signals.py",
    "student": "training/student.py",
    "trial": "training/trial.py",
    "round": "sweeps/ask.py",
    "worker": "sweeps/worker.py",
    "sweep": "analysis/study.py",
    "explanation": "evaluation/explain.py",
    "latency": "evaluation/latency.py",
    "scores": "analysis/collect/scores.py",
    "tables": "analysis/tables/stage.py",
    "figures": "analysis/figures/stage.py",
    "fidelity": "analysis/figures/fidelity.py",
    "cost": "analysis/figures/cost.py",
    "curve": "analysis/figures/curve.py",
    "report": "analysis/page/page.py",
    "tuning": "analysis/figures/tuning.py",
}
SHARED = ("data", "teacher", "signals", "explanation", "latency")
"""Stages whose code is the same for every method."""


def module(stage: str) -> str:
    """The name of the module that carries out a stage; the fingerprint of the stage's code starts from it."""
    return ".".join((_PACKAGE.name, *Path(_ROOTS[stage]).with_suffix("").parts))


def code(stage: str, method: str | None = None) -> str:
    """The fingerprint of a stage's code; that of a student, a trial or a worker includes its method's file."""
    return fingerprint.code(_PACKAGE / _ROOTS[stage], *([registry.file(method)] if method else []))


def students(
    config: Config, root: Path, points: Sequence[Point], tasks: Sequence[str], mark: str = ""
) -> Iterator["Student"]:
    """Every student of a grid, by task, point and seed; none where the method has no meaning on the task.

    Args:
        mark: what sets the directories of these students apart from those that another config has: ``tuned``.

    Raises:
        InputError: code that a result depends on is missing.
    """
    codes = {stage: code(stage) for stage in SHARED}
    codes |= {f"student {method}": code("student", method) for method in {point.method for point in points}}
    for task in tasks:
        for point in points:
            given = point.applied(config, [task])
            own = configs.method_settings(given, point.method, task)
            if configs.reason_to_skip(own[0], task):
                continue
            as_base = own == configs.method_settings(config, point.method, task)
            changes_nothing = as_base and given.student == config.student
            folder = (point if not changes_nothing else Point(point.method, "", {})).folder(mark)
            for seed in config.seeds:
                yield Student(given, root, codes, point, folder, *own, task, seed)


def as_written(spec: Spec) -> Spec:
    """A spec as its file has it: lists, not tuples, and keys in the same order."""
    return json.loads(json.dumps(spec, sort_keys=True))


def inputs(spec: Spec, key: str = "inputs") -> Iterator[tuple[str, str]]:
    """Stage and directory of every result that the result of a spec is made from."""
    for stage, path in spec[key].items():
        yield from ((stage, one) for one in (path.values() if isinstance(path, Mapping) else [path]))


@dataclass(frozen=True)
class Student:
    """One student, what it stands on, and what is asked about it."""

    config: Config
    root: Path
    codes: Mapping[str, str]
    point: Point
    folder: str
    """Its directory below ``students``: equal runs have equal ones."""
    outline: MethodConfig
    training: settings.Training
    task: str
    seed: int
    apart: str = ""
    """What its data, teacher and signals are set apart by, if not those of the main grid: ``held_out``."""

    @property
    def data(self) -> str:
        """Where the data goes."""
        return f"data/{self._task}"

    @property
    def result(self) -> str:
        """Where it goes, relative to the root."""
        return f"students/{self.folder}/{self.task}/seed-{self.seed}"

    @property
    def teacher(self) -> str:
        """Where the teacher of its task and seed goes, whether it needs one or not."""
        return f"teachers/{self._whose}"

    @property
    def architecture(self) -> str:
        """What its speed depends on."""
        return json.dumps([self.task, self.config.student.given])

    def specs(self) -> dict[str, Spec]:
        """Result -> spec, in the order of making."""
        return self.upstream() | {self.result: self._student()}

    def upstream(self) -> dict[str, Spec]:
        """The same of what it stands on. A method that needs nothing of a teacher has none."""
        found = {self.data: self._data()}
        if self.outline.needs:
            found[self.teacher] = self._teacher()
        for kind, place in self._signals.items():
            found[place] = self._signal(kind)
        return found

    def trial(self) -> Spec:
        """The same student as a trial of a sweep, which is scored on the held-out part of train and nowhere else."""
        told = self._student() | {
            "stage": "trial",
            "selection": "held_out",
            "code": self.codes[f"trial {self.point.method}"],
        }
        return {key: value for key, value in told.items() if key != "evaluate"}

    def explanation(self, model: str) -> Spec:
        """How a model, this student or its teacher, is asked for its reasons on the dev set."""
        asked = self.config.explanations
        steps = getattr(asked.steps, _role(model))
        return self._about(model, "explanation") | {"rows": asked.rows, "steps": steps, "bins": asked.bins}

    def latency(self, model: str) -> Spec:
        """How a model's speed is measured."""
        return self._about(model, "latency") | {"batch_sizes": [1, 32], "repeats": 20}

    def _about(self, model: str, stage: str) -> Spec:
        return self._common(stage) | {
            "seed": 0,
            "split": configs.evaluated(self.config, self.task, ["validation"])[0],
            "inputs": {
                "data": self._at(self.data),
                _role(model): self._at(model),
            },
            "code": self.codes[stage],
        }

    @property
    def _teacher_seed(self) -> int:
        return 0 if self.config.teacher.seeds == "shared" else self.seed

    @property
    def _whose(self) -> str:
        shared = self.config.teacher.seeds == "shared"
        return f"{self._task}/seed-{'shared' if shared else self.seed}"

    @property
    def _task(self) -> str:
        """The task as a part of a path."""
        return f"{self.task}+{self.apart}" if self.apart else self.task

    @property
    def _signals(self) -> dict[str, str]:
        """Kind -> result, for those of the teacher's outputs that are stored. Equal maps have equal names."""
        how = self.outline.token_map or TokenMap()
        maps = f"maps-{how.top_k or 'all'}-{how.steps}" + (f"-layer-{how.layer}" if how.layer else "")
        names = {"logits": "logits", "cls": "cls", "token_maps": maps}
        return {k: f"signals/{self._whose}/{name}" for k, name in names.items() if k in self.outline.needs}

    def _at(self, result: str) -> str:
        return str(self.root / result)

    def _common(self, stage: str) -> Spec:
        return {
            "stage": stage,
            "task": self.task,
            "device": self.config.device,
            "threads": self.config.threads,
        }

    def _data(self) -> Spec:
        data = self.config.data
        return {
            "stage": "data",
            "task": self.task,
            "source": configs.source(self.config),
            "exceptions": data.expected_rows.get(self.task, {}),
            "train_rows": configs.train_rows(self.config, self.task),
            "held_out": data.held_out if self.config.selection == "held_out" else 0,
            "max_length": data.max_length,
            "tokenizer": self.config.teacher.model,
            "seed": 0,
            "inputs": {},
            "code": self.codes["data"],
        }

    def _teacher(self) -> Spec:
        teacher = self.config.teacher
        return self._common("teacher") | {
            "seed": self._teacher_seed,
            "model": teacher.model,
            "training": asdict(settings.resolve_teacher(teacher.training, self.task, self.config.settings)),
            "selection": self.config.selection,
            "margin": teacher.margin,
            # Its dev score decides whether it may teach, whatever is reported.
            "evaluate": configs.evaluated(self.config, self.task, ["validation"]),
            "inputs": {"data": self._at(self.data)},
            "code": self.codes["teacher"],
        }

    def _signal(self, kind: str) -> Spec:
        how = asdict(self.outline.token_map) if kind == "token_maps" else {}
        return self._common("signals") | {
            "seed": self._teacher_seed,
            "signal": {"kind": kind} | how,
            "inputs": {"data": self._at(self.data), "teacher": self._at(self.teacher)},
            "code": self.codes["signals"],
        }

    def _student(self) -> Spec:
        made_from = {
            "data": self._at(self.data),
            "signals": {kind: self._at(place) for kind, place in self._signals.items()},
        }
        if self.outline.needs - STORED:
            made_from["teacher"] = self._at(self.teacher)
        return self._common("student") | {
            "method": self.point.method,
            "seed": self.seed,
            "settings": asdict(self.outline),
            "training": asdict(self.training),
            "student": self.config.student.given,
            "teacher_model": self.config.teacher.model,
            "selection": self.config.selection,
            "evaluate": configs.evaluated(self.config, self.task),
            "inputs": made_from,
            "code": self.codes[f"student {self.point.method}"],
        }


def _role(model: str) -> str:
    """Whether a result is a teacher or a student."""
    return model.partition("/")[0].removesuffix("s")
