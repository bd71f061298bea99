"""The tree of results: name <-> spec file <-> directory <-> report.

The result named ``students/adkd/rte/seed-1`` lies in ``ROOT/students/adkd/rte/seed-1``, and its spec is
``ROOT/plan/students/adkd/rte/seed-1.json``. Names are relative to the root, so that a tree can be moved.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from adkd.base.checked import reading
from adkd.base.errors import InputError
from adkd.base.files import read_json
from adkd.base.records import Record, check_seal, difference, without_seal
from adkd.base.stage_records import Inputs, Report, Spec, command_for
from adkd.plan.reports import (
    DataReport,
    ExplainReport,
    LatencyReport,
    RunReport,
    SignalReport,
    StudyReport,
    TrialReport,
    WorkerReport,
)
from adkd.plan.specs import AnySpec
from adkd.plan.stages import STAGES

R = TypeVar("R", bound=Report)
S = TypeVar("S", bound=Spec)

ROOT = "ADKD_RESULTS"
"""Environment variable that names the root, ``results`` without it."""

REPORTS: Mapping[str, type[Report]] = {
    "data": DataReport,
    "teacher": RunReport,
    "signals": SignalReport,
    "student": RunReport,
    "explain": ExplainReport,
    "latency": LatencyReport,
    "trial": TrialReport,
    "worker": WorkerReport,
    "study": StudyReport,
}
"""Stage -> class of its report."""

_SPEC: TypeAdapter[Spec] = TypeAdapter(AnySpec)


@dataclass(frozen=True)
class Results:
    """All results below one root."""

    root: Path

    @classmethod
    def default(cls) -> "Results":
        """Those below the root that the environment names."""
        return cls(Path(os.environ.get(ROOT) or "results"))

    @classmethod
    def of(cls, file: Path) -> tuple["Results", str]:
        """The tree that a file below ``ROOT/plan`` belongs to, and the name that it stands for.

        Raises:
            InputError: the file does not lie below a plan.
        """
        plan = next((parent for parent in file.parents if parent.name == "plan"), None)
        if plan is None or file.suffix != ".json":
            raise InputError(f"{file} is not the spec of a result", remedy="a spec is RESULTS/plan/NAME.json")
        return cls(plan.parent), file.relative_to(plan).with_suffix("").as_posix()

    def directory(self, name: str) -> Path:
        """Where a result lies."""
        return self.root / name

    def plan_file(self, name: str) -> Path:
        """Where the spec of a result lies, or what is planned under another name: a grid, the code of an analysis."""
        return self.root / "plan" / f"{name}.json"

    def report_file(self, name: str, stage: str) -> Path:
        """The file that a result has once it is complete."""
        return self.root / name / str(STAGES[stage].report)

    def model(self, inputs: Inputs) -> Path:
        """The directory of the model, a teacher or a student, that a result is made from.

        Raises:
            InputError: it is missing or damaged.
        """
        stage, name = next((stage, name) for stage, name in inputs.names() if stage in ("teacher", "student"))
        directory = self.directory(name)
        report = RunReport.read(self.report_file(name, stage), command_for(directory, stage))
        return report.folder(directory, "model")

    def command(self, name: str, stage: str) -> str:
        """What to type to make a result."""
        return f"adkd {stage} {self.plan_file(name)}"

    def spec(self, name: str, kind: type[S]) -> S:
        """The planned spec of a result.

        Raises:
            InputError: there is none, or it is the spec of another stage or place.
        """
        file = self.plan_file(name)
        spec = read_spec(file)
        if not isinstance(spec, kind):
            raise InputError(
                f"the stage of {file}", value=spec.stage, allowed=f'"{kind.model_fields["stage"].default}"'
            )
        if spec.result != name:
            raise InputError(f"{file} is the spec of {spec.result}", remedy="rebuild it with: adkd plan")
        return spec

    def report(self, spec: S) -> Any:
        """The report of a result that was made by exactly this spec; an instance of the class that ``REPORTS`` names.

        Raises:
            InputError: the result is missing, or another spec made it.
        """
        report = self.stored(spec)
        if report.spec != spec:
            where, before, now = difference(report.spec.as_json(), spec.as_json())
            raise InputError(
                f"{self.report_file(spec.result, spec.stage)} was made by another spec: {where} was {before}, the plan "
                f"has {now}",
                remedy=f"rebuild it with: {self.command(spec.result, spec.stage)}",
            )
        return report

    def stored(self, spec: Spec) -> Any:
        """The report of a result, whichever spec made it.

        Raises:
            InputError: the result is missing, or its report cannot be read.
        """
        place = spec.result, spec.stage
        return REPORTS[spec.stage].read(self.report_file(*place), self.command(*place))

    def is_made(self, spec: Spec) -> bool:
        """Whether a result was made by exactly this spec, and none of its files is gone or has another size."""
        return self._is_whole(spec) is True

    def lacks_files(self, spec: Spec) -> bool:
        """Whether a result was made by exactly this spec, but a file of it is gone or has another size."""
        return self._is_whole(spec) is False

    def _is_whole(self, spec: Spec) -> bool | None:
        """Whether all files of a result are there with their sizes; None unless exactly this spec made it."""
        try:
            report = read_json(self.report_file(spec.result, spec.stage))
            if report["spec"] != spec.as_json():
                return None
            directory, files = self.directory(spec.result), report.get("files", {})
            return all(_has_size(directory / name, file["bytes"]) for name, file in files.items())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def is_up_to_date(self, spec: Spec) -> bool:
        """Whether a result was made by exactly this spec, after everything that it is made from."""
        try:
            made = self.report_file(spec.result, spec.stage).stat().st_mtime_ns
            inputs = [self.report_file(name, stage).stat().st_mtime_ns for stage, name in spec.inputs.names()]
        except OSError:
            return False
        return max(inputs, default=made) <= made and self.is_made(spec)

    def change(self, spec: Spec) -> "Change | None":
        """How the file of a planned spec has to change, if it does not hold the spec already.

        A new file is made no newer than a result of exactly this spec: a setting that is changed and put back, or a
        plan that is deleted, reruns nothing.
        """
        file = self.plan_file(spec.result)
        if spec.is_in(file):
            return None
        made = STAGES[spec.stage].report and self.is_made(spec)
        return Change(file, spec, self.report_file(spec.result, spec.stage).stat().st_mtime_ns if made else None)

    def write_spec(self, spec: Spec) -> None:
        """Write a planned spec, unless its file holds it already."""
        if change := self.change(spec):
            change.write()


@dataclass(frozen=True)
class Change:
    """A file of the plan that has to be written."""

    file: Path
    record: Record
    time: int | None = None
    """Its time stamp in nanoseconds since 1970, if not that of its writing."""

    def write(self) -> None:
        """Write it."""
        self.record.write(self.file)
        if self.time is not None:
            os.utime(self.file, ns=(self.time, self.time))


def _has_size(file: Path, size: int) -> bool:
    try:
        return file.is_file() and file.stat().st_size == size
    except OSError:
        return False


def read_spec(file: Path) -> Spec:
    """The spec in a file.

    Raises:
        InputError: there is no such file, it holds no spec, or it was changed since it was written.
    """
    with reading(file, "adkd plan"):
        content = file.read_bytes()
    try:
        spec = _SPEC.validate_json(without_seal(content))
    except ValueError as error:
        first = str(error).splitlines()
        raise InputError(
            f"{file} is not a spec: {' '.join(' '.join(first[1:3]).split())}", remedy="rebuild it with: adkd plan"
        ) from None
    check_seal(content, file, "adkd plan")
    return spec


def refuse_another(place: str, was: Record, wanted: Record, remedy: str) -> None:
    """Refuse a place that holds something of another study.

    Raises:
        InputError: it does; names the first place where they differ.
    """
    if was != wanted:
        where, before, now = difference(was.as_json(), wanted.as_json())
        raise InputError(f"{place} belongs to another study: {where} was {before}, is now {now}", remedy=remedy)
