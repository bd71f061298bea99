"""The spec and the report of prepared data."""

from pathlib import Path
from typing import Any, Literal, Self

from adkd.base.stage_records import Report, Spec, command_for


class DataSpec(Spec):
    """How a task is loaded, cut and tokenised."""

    stage: Literal["data"] = "data"
    task: str
    source: dict[str, Any]
    """``name`` of a kind of source, and its ``path`` or ``rows``."""
    exceptions: dict[str, int | None]
    """Split -> number of rows that differs from the official one; None where the source lacks the split."""
    variants: dict[str, str]
    """Split -> what the user calls its content, where this is not the official one."""
    train_rows: int | None
    """How many rows of train are used at most."""
    held_out: float
    """Share of train that is set aside."""
    max_length: int
    """Tokens that an example is cut to."""
    tokenizer: str
    seed: int


class DataReport(Report[DataSpec]):
    """``data.json``."""

    rows: dict[str, int]
    labelled: dict[str, bool]
    """Split -> whether its labels are real."""
    pad_token_id: int
    label_names: tuple[str, ...]
    """In the order of their numbers; empty for regression."""
    fingerprint: str
    """sha256 over all that a run sees of the data."""
    content: dict[str, str]
    """Split -> sha256 over its texts and labels."""

    @classmethod
    def of(cls, directory: Path) -> Self:
        """The report of the data in a directory.

        Raises:
            InputError: it is missing or damaged.
        """
        return cls.read(directory / "data.json", command_for(directory, "data"))
