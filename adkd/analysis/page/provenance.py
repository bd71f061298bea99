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
    all_runs = list(metrics.values())
    packages = sorted({name for one in all_runs for name in one.versions})
    facts = [
        _fact("commit", [one.git_commit or "not from a git checkout" for one in all_runs]),
        _fact("device", [one.device for one in all_runs]),
        _fact("platform", [one.platform for one in all_runs]),
        _fact("python", [one.python for one in all_runs]),
        *(_fact(name, [one.versions.get(name, "not recorded") for one in all_runs]) for name in packages),
    ]
    by_task = {name: [one.data_fingerprint for run, one in metrics.items() if run.task == name] for name in grid.tasks}
    facts += [_fact(f"data of {task(name).title}", fingerprints) for name, fingerprints in by_task.items()]
    started, finished = min(one.started for one in all_runs), max(one.finished for one in all_runs)
    times = _utc(started), _utc(finished), duration(finished - started)
    return Provenance(facts, *times, duration(sum(one.seconds for one in all_runs)), _settings(grid, metrics))


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
    found: dict[tuple[str, str], dict[str, None]] = {}
    for run in grid.runs:
        spec = metrics[run].spec
        own = spec.settings if isinstance(spec, StudentSpec) else {}
        settings = own | asdict(spec.training)
        found.setdefault((run.method, _in_words(settings)), {})[run.task] = None
    return [
        Settings(method, "all" if len(tasks) == len(grid.tasks) else ", ".join(tasks), values)
        for (method, values), tasks in found.items()
    ]


def _in_words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in settings.items())
