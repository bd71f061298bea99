"""The plan: the spec of every result that a config asks for. Imports no torch.

Spec files are inputs of the workflow's rules and are written only when their content changes, so a result is stale
exactly when its spec, or a result that it is made from, has changed. Code counts by the fingerprint of its syntax tree,
which is part of the spec.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from adkd.base.errors import InputError, unknown
from adkd.base.records import Record
from adkd.base.stage_records import Spec
from adkd.plan import tuned
from adkd.plan.config import Config
from adkd.plan.fingerprint import Codes, files
from adkd.plan.grid import MAIN, UNTUNED, Grid
from adkd.plan.grids import Planned, add_grids
from adkd.plan.results import Change, Results
from adkd.plan.specs import StudySpec
from adkd.plan.stages import ANALYSES, STAGES
from adkd.plan.studies import studies

WRITERS = 16
"""Number of threads that write the files of a plan."""


class AnalysisSpec(Record):
    """The code of a stage that makes tables or figures; their other input is a grid."""

    stage: str
    code: str
    files: dict[str, str]
    """Name -> sha256 of what it reads beside its module."""


@dataclass(frozen=True)
class Plan:
    """Everything that a config asks for."""

    results: Results
    specs: dict[str, Spec]
    """Name of a result, such as ``students/adkd/stsb/seed-1`` -> its spec, in the order of making."""
    grids: dict[str, Grid]
    """By name: the main grid, one for every ablation, and with tuned settings the grid without them."""
    lacking: InputError | None = None
    """Why there are no grids: tuned settings that were not searched for."""

    @property
    def sweeps(self) -> tuple[str, ...]:
        """The names of all studies."""
        return tuple(name for name, spec in self.specs.items() if isinstance(spec, StudySpec))

    def spec(self, name: str) -> Spec:
        """The spec of a result.

        Raises:
            InputError: the config does not ask for this result.
        """
        if name not in self.specs:
            raise InputError(f"{name} is not part of this config's plan")
        return self.specs[name]

    def upstream(self, name: str) -> list[str]:
        """The reports of the results that a result is made from.

        Raises:
            InputError: the config does not ask for this result.
        """
        return self._reports(self.spec(name).inputs.names())

    def shared(self, study: str) -> list[str]:
        """The reports of what every trial of a study is made from.

        Raises:
            InputError: the config does not ask for this study.
        """
        spec = self.spec(study)
        return self._reports(spec.shared.names() if isinstance(spec, StudySpec) else ())

    def needed(self, name: str) -> list[str]:
        """Names of everything that a result is made from, directly or not, in the order of making; of a study what its
        trials are made from."""
        spec = self.specs[name]
        needed: dict[str, None] = {}
        for _, below in (spec.shared if isinstance(spec, StudySpec) else spec.inputs).names():
            needed |= dict.fromkeys([*self.needed(below), below])
        return list(needed)

    def metrics(self, grid: str = MAIN) -> list[str]:
        """The reports that the scores of a grid are collected from.

        Raises:
            InputError: there is no such grid.
        """
        runs = self.grid(grid).runs
        return self._reports((self.specs[run.result].stage, run.result) for run in runs)

    def explanations(self, grid: str = MAIN) -> list[str]:
        """The reports of the explanations of a grid's runs; InputError as for ``metrics``."""
        return self._reports(("explain", run.explanation) for run in self.grid(grid).runs if run.explanation)

    def latencies(self, grid: str = MAIN) -> list[str]:
        """The reports of the latencies of a grid's runs; InputError as for ``metrics``."""
        return self._reports(("latency", run.latency) for run in self.grid(grid).runs)

    def grid(self, name: str = MAIN) -> Grid:
        """The grid of that name.

        Raises:
            InputError: there is no such grid, or settings that its methods should have were not searched for.
        """
        if self.lacking:
            raise self.lacking
        if name == UNTUNED and name not in self.grids:
            raise InputError("there is an untuned grid only beside a tuned one", remedy="set settings_from: sweeps")
        if name not in self.grids:
            raise unknown("grid of this config", name, self.grids)
        return self.grids[name]

    def changes(self) -> Iterator[Change]:
        """The files below ``ROOT/plan`` that do not hold yet what is planned."""
        for spec in self.specs.values():
            if change := self.results.change(spec):
                yield change
        codes = Codes()
        records: dict[str, Record] = {
            stage.name: AnalysisSpec(stage=stage.name, code=codes(stage.name), files=files(stage.name))
            for stage in ANALYSES
        }
        for name, record in (records | self.grids).items():
            file = self.results.plan_file(name)
            if not record.is_in(file):
                yield Change(file, record)

    def unplanned(self) -> list[Path]:
        """The files of grids that the config does not ask for, though an earlier one did."""
        if self.lacking:
            return []
        files = [self.results.plan_file(UNTUNED), *self.results.plan_file("ablations").with_suffix("").glob("*.json")]
        planned = {self.results.plan_file(name) for name in self.grids}
        return sorted(file for file in files if file.exists() and file not in planned)

    def write(self) -> None:
        """Write every spec and every grid below ``ROOT/plan``; files that would not change keep their time stamp.

        Grids that are no longer planned are removed, since the page shows every ablation with a grid. Specs stay: they
        are inputs of nothing.
        """
        # Every file waits for the disk, which threads do together.
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(Change.write, self.changes()))
        for file in self.unplanned():
            file.unlink()

    def digest(self, name: str) -> str:
        """The digest of a planned spec or grid, by which a job knows that its file is still the one that was planned.

        Raises:
            InputError: it is not planned.
        """
        return (self.specs.get(name) or self.grid(name)).digest()

    def incomplete(self) -> list[str]:
        """The spec files of results that were made, but lack by now one of the files that their reports list."""
        made = (spec for spec in self.specs.values() if STAGES[spec.stage].report)
        return [str(self.results.plan_file(spec.result)) for spec in made if self.results.lacks_files(spec)]

    def _reports(self, names: Iterable[tuple[str, str]]) -> list[str]:
        return list(dict.fromkeys(str(self.results.report_file(name, stage)) for stage, name in names))


def build(config: Config, results: Results | None = None) -> Plan:
    """The plan of a validated config. Writes nothing.

    Raises:
        InputError: the config cannot be carried out.
    """
    planned = Planned(results or Results.default())
    swept = list(studies(config, planned.codes))
    lacking = tuned.lacking(config, planned.results, swept)
    if not lacking:
        add_grids(planned, config, swept)
    for study in swept:
        planned.specs |= study.specs()
    return Plan(planned.results, planned.specs, planned.grids, lacking)
