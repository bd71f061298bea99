"""Whether a place can be written, and has room: checked before work starts."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from adkd.base.errors import InputError
from adkd.base.files import followed


def check_writable(path: Path, remedy: str = "choose another directory of results with $ADKD_RESULTS") -> None:
    """Check that a file or a directory can be made at ``path``, which need not exist.

    Raises:
        InputError: it cannot.
    """
    try:
        with TemporaryDirectory(prefix=".adkd-", dir=_existing(path)):
            pass
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror} ({_existing(path)})"
        raise InputError(what, remedy=remedy) from None


def check_room(path: Path, needed: int) -> None:
    """Check that the disk has room for ``needed`` bytes at ``path``, which need not exist.

    Raises:
        InputError: it has less.
    """
    if (free := shutil.disk_usage(_existing(path)).free) < needed:
        raise InputError(
            f"{path} needs about {_megabytes(needed)} on disk, {_megabytes(free)} are free",
            remedy="free some space, or choose another directory with $ADKD_RESULTS",
        )


def _existing(path: Path) -> Path:
    """The directory that ``path`` would be made in: its nearest parent that exists."""
    parents = followed(path).absolute().parents
    return next(parent for parent in parents if os.path.lexists(parent))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e6:.2g} MB"
