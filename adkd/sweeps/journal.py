"""Export of a study's trials as an Optuna journal, for tools such as optuna-dashboard."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from adkd.base.files import new_file
from adkd.plan.results import Results
from adkd.plan.specs import StudySpec
from adkd.sweeps.outcome import read
from adkd.sweeps.trials import as_study


def write(spec: StudySpec, results: Results) -> Path:
    """Write ``exported.journal`` into the directory of a study of either mode, and return its path.

    Raises:
        InputError: trials are missing, still running, or belong to another study.
    """
    definition, out = spec.study, results.directory(spec.result)
    study = as_study(definition, read(spec, results))
    with new_file(out / "exported.journal") as temporary:
        optuna.copy_study(
            from_study_name=study.study_name,
            from_storage=study._storage,
            to_storage=JournalStorage(JournalFileBackend(str(temporary))),
            to_study_name=f"{definition.method}/{definition.task}",
        )
    return out / "exported.journal"
