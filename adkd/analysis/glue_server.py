"""What the GLUE server (gluebenchmark.com) takes: a zip of eleven TSV files, with names and labels of its own."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adkd.data.tasks import task


@dataclass(frozen=True)
class File:
    """One file of a submission, ``NAME.tsv``."""

    name: str
    task: str | None = None
    """None where the suite has no such task."""
    split: str = "test"
    words: bool = False
    """The server wants the names of classes; otherwise their numbers, or values from 0 to 5."""
    constant: str | None = None
    """What every row says where no model has predicted them; None for a file that cannot go without a model."""
    why_constant: str = ""
    diagnostic_rows: int = 0
    """Number of rows where there is no task to know it from."""

    @property
    def rows(self) -> int:
        return task(self.task).rows[self.split] if self.task else self.diagnostic_rows


FILES = (
    File("CoLA", "cola"),
    File("SST-2", "sst2"),
    File("MRPC", "mrpc"),
    File("STS-B", "stsb"),
    File("MNLI-m", "mnli", "test_matched", words=True),
    File("MNLI-mm", "mnli", "test_mismatched", words=True),
    File("QNLI", "qnli", words=True),
    File("QQP", "qqp"),
    File("RTE", "rte", words=True),
    # Its dev set contradicts its train set by design, so many published submissions hand in the majority class.
    File("WNLI", "wnli", constant="0", why_constant="not_entailment, the larger class of its train set"),
    File(
        "AX",
        words=True,
        constant="entailment",
        why_constant="the suite has no diagnostic task; any constant scores 0 there, outside the average",
        diagnostic_rows=1104,
    ),
)


def write_zip(path: Path, contents: Mapping[File, str]) -> None:
    """A zip whose bytes depend on the contents alone: fixed times, permissions and system."""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            entry = zipfile.ZipInfo(f"{file.name}.tsv", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, text)
