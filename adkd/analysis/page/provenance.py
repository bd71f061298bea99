"""Where the numbers come from: commit, versions, device and data of every run, and whether all runs agree on them."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from adkd.analysis.page.curves import Metrics
from adkd.data.tasks import task
from adkd.plan.grid import Grid
from adkd.plan.specs import StudentSpec


@dataclass(frozen=True)
class Fact:
    """One thing that every run recorded."""

    name: str
    values: tuple[tuple[str, int], ...]
    """(what was recorded, in how many runs), most frequent first."""

    @property
    def differs(self) -> bool:
        return len(self.values) > 1


@dataclass(frozen=True)
class Settings:
    """The settings of a method, on all tasks where they are the same."""

    method: str
    tasks: str
    values: str


@dataclass(frozen=True)
class Provenance:
    """All of it."""

    facts: list[Fact]
    started: str
    finished: str
    elapsed: str
    worked: str
    settings: list[Settings]

    @property
    def warnings(self) -> list[str]:
        """What should be the same in all runs and is not, in words."""
        return [
            f"{fact.name}: " + "; ".join(f"{value} ({count} run{'s' * (count > 1)})" for value, count in fact.values)
            for fact in self.facts
            if fact.differs
        ] + [
            f"commit: {value} has changes that are in no commit"
            for value, _ in self.facts[0].values
            if value.endswith("+")
        ]


def provenance(grid: Grid, metrics: Metrics) -> Provenance:
    """What ``metrics.json`` of the plan's runs say of their making; paths on the machine are left out."""
    reports = list(metrics.values())
    packages = sorted({name for report in reports for name in report.versions})
    facts = [
        _fact("commit", [report.git_commit or "not from a git checkout" for report in reports]),
        _fact("device", [report.device for report in reports]),
        _fact("platform", [report.platform for report in reports]),
        _fact("python", [report.python for report in reports]),
        *(_fact(name, [report.versions.get(name, "not recorded") for report in reports]) for name in packages),
    ]
    by_task = {
        name: [report.data_fingerprint for run, report in metrics.items() if run.task == name] for name in grid.tasks
    }
    facts += [_fact(f"data of {task(name).title}", fingerprints) for name, fingerprints in by_task.items()]
    started, finished = min(report.started for report in reports), max(report.finished for report in reports)
    times = _utc(started), _utc(finished), duration(finished - started)
    return Provenance(facts, *times, duration(sum(report.seconds for report in reports)), _settings(grid, metrics))


def _fact(name: str, values: list[str]) -> Fact:
    return Fact(name, tuple(sorted(Counter(map(str, values)).items(), key=lambda pair: (-pair[1], pair[0]))))


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader would choose."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _settings(grid: Grid, metrics: Metrics) -> list[Settings]:
    """Settings of every method, its training included; tasks that share them share a row."""
    rows: dict[tuple[str, str], dict[str, None]] = {}
    for run in metrics:
        spec = metrics[run].spec
        own = spec.settings if isinstance(spec, StudentSpec) else {}
        settings = own | asdict(spec.training)
        rows.setdefault((run.method, _in_words(settings)), {})[run.task] = None
    return [
        Settings(method, "all" if len(tasks) == len(grid.tasks) else ", ".join(tasks), values)
        for (method, values), tasks in rows.items()
    ]


def _in_words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in settings.items())
