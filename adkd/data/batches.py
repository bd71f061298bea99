"""Prepared splits as batches of examples, padded to the longest of each batch."""

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
class Counts:
    """What the losses of a batch are divided by: scalars, or one number per example [B]; see ``losses.mean``.

    The counts are those of the whole batch of a step, also where a part of it is computed at a time.
    """

    examples: Tensor
    """Number of examples."""
    tokens: Tensor
    """Number of real tokens."""
    pairs: Tensor
    """Number of pairs of real tokens of one example."""

    @classmethod
    def of(cls, mask: Tensor) -> Self:
        """The counts of a batch with this mask [B, L]."""
        lengths = mask.sum(1)
        return cls(torch.tensor(len(mask)), lengths.sum(), lengths.square().sum())

    def to(self, device: torch.device) -> Self:
        """The same counts on another device."""
        return type(self)(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


@dataclass(frozen=True)
class Batch:
    """Examples, padded to the longest of them."""

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
    counts: Counts = None  # type: ignore[assignment]
    """What its losses are divided by; by default the numbers of this batch."""

    def __post_init__(self) -> None:
        if self.counts is None:
            object.__setattr__(self, "counts", Counts.of(self.mask))

    def to(self, device: torch.device) -> Self:
        """The same batch on another device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "counts"}
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
        return type(self)(**moved, counts=self.counts.to(device))


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
            InputError: there is no such split, or its file is missing or damaged.
        """
        about = DataReport.of(directory)
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
    return DataReport.of(directory).fingerprint


def by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Every row once, the longest first, so that a batch that does not fit into memory fails at once."""
    return list(lengths.argsort(descending=True, stable=True).split(batch_size)) if len(lengths) else []
