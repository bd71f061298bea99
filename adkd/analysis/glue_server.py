"""What the GLUE server (gluebenchmark.com) takes: a zip of eleven TSV files, with names and labels of its own."""

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from adkd.data.records import ServerFile
from adkd.data.tasks import TASKS


@dataclass(frozen=True)
class File(ServerFile):
    """One file of a submission, with its number of rows and its task."""

    rows: int = 0
    task: str | None = None
    """None for the diagnostic set, which is not a task of the suite."""


FILES = (
    *(
        File(**asdict(file), rows=task.rows[file.split], task=task.name)
        for task in TASKS.values()
        for file in task.server
    ),
    File(
        "AX",
        words=True,
        constant="entailment",
        why_constant="the suite has no diagnostic task; any constant scores 0 there, outside the average",
        rows=1104,
    ),
)


def write_zip(path: Path, contents: Mapping[File, str]) -> None:
    """A zip whose bytes depend on the contents alone: fixed times, permissions and system."""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            entry = zipfile.ZipInfo(f"{file.name}.tsv", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, text)
