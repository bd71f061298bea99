"""Prepared splits as batches of examples of similar length, padded to the longest of each batch."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from adkd.base.errors import unknown
from adkd.data.prepared import read_split
from adkd.data.spec import DataReport


@dataclass(frozen=True)
class Batch:
    """Examples of similar length, padded to the longest of them."""

    input_ids: Tensor
    """[B, L] int64"""
    token_type_ids: Tensor
    """[B, L] int64"""
    mask: Tensor
    """[B, L] int64: 1 at tokens, 0 at padding."""
    labels: Tensor
    """[B] int64 class numbers, or float32 for regression."""
    rows: Tensor
    """[B] int64: row numbers in the split."""

    def to(self, device: torch.device) -> Self:
        """The same batch on another device."""
        return type(self)(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


@dataclass(frozen=True)
class Examples:
    """One split. The tokens of all examples are stored one after the other in flat arrays."""

    lengths: Tensor
    """[n] int64: number of tokens of every example."""
    labels: Tensor
    """[n] int64 class numbers, or float32 for regression; -1 where they are hidden."""
    idx: Tensor
    """[n] int64: numbers of the examples in their source."""
    labelled: bool
    """Whether the labels are real."""
    _ids: np.ndarray
    """[sum of lengths] int32"""
    _types: np.ndarray
    """[sum of lengths] int8"""
    _starts: np.ndarray
    """[n] int64: index of the first token of every example in the flat arrays."""
    _pad: int

    @classmethod
    def load(cls, directory: Path, split: str) -> Self:
        """One split of the data in ``directory``, written by ``prepare``.

        Raises:
            InputError: there is no such split.
        """
        about = DataReport.read(directory / "data.json", "snakemake")
        if split not in about.rows:
            raise unknown(f"split of {directory}", split, about.rows)
        return cls.of(
            read_split(directory, split),
            regression=not about.label_names,
            labelled=about.labelled[split],
            pad=about.pad_token_id,
        )

    @classmethod
    def of(cls, table: pa.Table, *, regression: bool, labelled: bool, pad: int) -> Self:
        """The examples of a table that ``prepare.tokenise`` made.

        Args:
            table: one row per example.
            regression: whether labels are values; otherwise class numbers.
            labelled: whether the labels are real.
            pad: the token number of padding.
        """
        names = ("input_ids", "token_type_ids", "label", "idx")
        ids, types, labels, idx = (column.combine_chunks() for column in table.select(names))
        offsets = np.from_dlpack(ids.offsets).astype(np.int64)
        label = torch.float32 if regression else torch.int64
        return cls(
            lengths=torch.from_numpy(np.diff(offsets)),
            labels=torch.tensor(np.from_dlpack(labels), dtype=label),
            idx=torch.tensor(np.from_dlpack(idx), dtype=torch.int64),
            labelled=labelled,
            _ids=np.from_dlpack(ids.flatten()),
            _types=np.from_dlpack(types.flatten()),
            _starts=offsets[:-1] - offsets[0],
            _pad=pad,
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: Tensor) -> Batch:
        """The examples at ``rows`` ([B] int64), in that order."""
        lengths = self.lengths[rows].numpy()
        within = np.arange(lengths.max())
        mask = within < lengths[:, None]  # [B, L]
        # Positions after the end of an example belong to another one or to none: limited to the array, and masked.
        where = np.minimum(self._starts[rows.numpy()][:, None] + within, len(self._ids) - 1)
        return Batch(
            input_ids=torch.from_numpy(np.where(mask, self._ids[where], self._pad).astype(np.int64)),
            token_type_ids=torch.from_numpy(np.where(mask, self._types[where], 0).astype(np.int64)),
            mask=torch.from_numpy(mask.astype(np.int64)),
            labels=self.labels[rows],
            rows=rows,
        )


def data_fingerprint(directory: Path) -> str:
    """sha256 over everything that a run sees of prepared data."""
    return DataReport.read(directory / "data.json", "snakemake").fingerprint


def shuffled(lengths: Tensor, batch_size: int, generator: torch.Generator, chunk: int = 50) -> list[Tensor]:
    """Batches of one epoch, in random order: every row in exactly one, rows of similar length together.

    Rows are shuffled, sorted by length within stretches of ``chunk`` batches, cut into batches, and these shuffled.

    Args:
        lengths: [n] number of tokens of every row.
        batch_size: rows in a batch; one batch is smaller if it does not divide n.
        generator: the only source of randomness.
        chunk: number of batches that are sorted together; 1 keeps the order fully random.
    """
    order = torch.randperm(len(lengths), generator=generator)
    sorted_rows = [rows[lengths[rows].argsort(stable=True)] for rows in order.split(chunk * batch_size)]
    batches = [batch for rows in sorted_rows for batch in rows.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Every row once, the longest first, so that a batch that does not fit into memory fails at once."""
    return list(lengths.argsort(descending=True, stable=True).split(batch_size)) if len(lengths) else []
