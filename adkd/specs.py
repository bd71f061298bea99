"""Specs: everything that the stage behind one result is told. Imports no torch."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adkd import config as configs
from adkd import fingerprint, methods, settings
from adkd.config import Config
from adkd.outline import STORED, Outline

Spec = dict[str, Any]

_PACKAGE = Path(__file__).resolve().parent
_ROOTS = {
    "data": "data/prepare.py",
    "teacher": "training/teacher.py",
    "signals": "training/signals.py",
    "student": "training/student.py",
    "scores": "analysis/scores.py",
    "tables": "analysis/tables.py",
    "figures": "analysis/figures.py",
}


def code(stage: str, method: str | None = None) -> str:
    """The fingerprint of a stage's code; a student's includes its method's file."""
    return fingerprint.code(_PACKAGE / _ROOTS[stage], *([methods.file(method)] if method else []))


def specs(config: Config, root: Path = Path("results")) -> dict[str, Spec]:
    """The spec of every result of a validated config, by its path relative to ``root``, in the order of making.

    Raises:
        InputError: code that a result depends on is missing.
    """
    codes = {stage: code(stage) for stage in ("data", "teacher", "signals")}
    codes |= {f"student {method}": code("student", method) for method in config["methods"]}
    found: dict[str, Spec] = {}
    for task in config["tasks"]:
        for method in config["methods"]:
            outline, training = configs.method_settings(config, method, task)
            if configs.reason_to_skip(outline, task):
                continue
            for seed in config["seeds"]:
                found |= _Run(config, root, codes, method, outline, training, task, seed).specs()
    return json.loads(json.dumps(found))  # as a spec file has them: lists, not tuples


def inputs(spec: Spec) -> Iterator[tuple[str, str]]:
    """Stage and directory of every result that the result of a spec is made from."""
    for stage, path in spec["inputs"].items():
        yield from ((stage, one) for one in (path.values() if isinstance(path, Mapping) else [path]))


@dataclass(frozen=True)
class _Run:
    """One student, and what it stands on."""

    config: Config
    root: Path
    codes: Mapping[str, str]
    method: str
    outline: Outline
    training: settings.Training
    task: str
    seed: int

    def specs(self) -> dict[str, Spec]:
        """Result -> spec, in the order of making. A method that needs nothing of a teacher has none."""
        found = {f"data/{self.task}": self._data()}
        if self.outline.needs:
            found[self._taught_by] = self._teacher()
        for kind, place in self._signals.items():
            found[place] = self._signal(kind)
        found[f"students/{self.method}/{self.task}/seed-{self.seed}"] = self._student()
        return found

    @property
    def _teacher_seed(self) -> int:
        return 0 if self.config["teacher"]["seeds"] == "shared" else self.seed

    @property
    def _whose(self) -> str:
        shared = self.config["teacher"]["seeds"] == "shared"
        return f"{self.task}/seed-{'shared' if shared else self.seed}"

    @property
    def _taught_by(self) -> str:
        return f"teachers/{self._whose}"

    @property
    def _token_map(self) -> tuple[int | None, int]:
        return self.outline.token_map or (None, 1)

    @property
    def _signals(self) -> dict[str, str]:
        """Kind -> result, for those of the teacher's outputs that are stored. Equal maps have equal names."""
        top_k, steps = self._token_map
        names = {"logits": "logits", "cls": "cls", "token_maps": f"maps-{top_k or 'all'}-{steps}"}
        return {k: f"signals/{self._whose}/{name}" for k, name in names.items() if k in self.outline.needs}

    def _at(self, result: str) -> str:
        return str(self.root / result)

    def _common(self, stage: str) -> Spec:
        return {
            "stage": stage,
            "task": self.task,
            "device": self.config["device"],
            "threads": self.config["threads"],
        }

    def _data(self) -> Spec:
        data = self.config["data"]
        return {
            "stage": "data",
            "task": self.task,
            "source": configs.source(self.config),
            "exceptions": data["expected_rows"].get(self.task, {}),
            "train_rows": configs.train_rows(self.config, self.task),
            "held_out": data["held_out"] if self.config["selection"] == "held_out" else 0,
            "max_length": data["max_length"],
            "tokenizer": self.config["teacher"]["model"],
            "seed": 0,
            "inputs": {},
            "code": self.codes["data"],
        }

    def _teacher(self) -> Spec:
        teacher = self.config["teacher"]
        return self._common("teacher") | {
            "seed": self._teacher_seed,
            "model": teacher["model"],
            "training": asdict(settings.resolve_teacher(teacher, self.task, self.config["settings"])),
            "selection": self.config["selection"],
            "margin": teacher["margin"],
            # Its dev score decides whether it may teach, whatever is reported.
            "evaluate": configs.evaluated(self.config, self.task, ["validation"]),
            "inputs": {"data": self._at(f"data/{self.task}")},
            "code": self.codes["teacher"],
        }

    def _signal(self, kind: str) -> Spec:
        top_k, steps = self._token_map
        return self._common("signals") | {
            "seed": self._teacher_seed,
            "signal": {"kind": kind} | ({"top_k": top_k, "steps": steps} if kind == "token_maps" else {}),
            "inputs": {"data": self._at(f"data/{self.task}"), "teacher": self._at(self._taught_by)},
            "code": self.codes["signals"],
        }

    def _student(self) -> Spec:
        made_from = {
            "data": self._at(f"data/{self.task}"),
            "signals": {kind: self._at(place) for kind, place in self._signals.items()},
        }
        if self.outline.needs - STORED:
            made_from["teacher"] = self._at(self._taught_by)
        return self._common("student") | {
            "method": self.method,
            "seed": self.seed,
            "settings": asdict(self.outline),
            "training": asdict(self.training),
            "student": self.config["student"],
            "teacher_model": self.config["teacher"]["model"],
            "selection": self.config["selection"],
            "evaluate": configs.evaluated(self.config, self.task),
            "inputs": made_from,
            "code": self.codes[f"student {self.method}"],
        }
