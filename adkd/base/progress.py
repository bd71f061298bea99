"""Progress bars: on a terminal only; in a log, the training loop writes one plain line per epoch."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """The items, with a bar if standard error is a terminal."""
    return iter(tqdm(items, desc=label, leave=False, disable=not sys.stderr.isatty()))
