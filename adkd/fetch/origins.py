"""Which files a model starts from, with their digests. Imports no torch."""

import re
from pathlib import Path

from adkd.base.checked import digests
from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.base.records import Record
from adkd.fetch import checkpoints, hub
from adkd.fetch.stored_weights import weight_files


class Origin(Record):
    """Which files a model started from."""

    name: str
    """As the config has it."""
    commit: str | None
    """On the hub; None for a model from elsewhere."""
    sha256: dict[str, str]
    """File of weights -> digest."""


def origin(name: str) -> Origin:
    """Which files a model starts from, with their digests.

    Raises:
        InputError: as for ``checkpoints.location``, or a file differs from what the hub named it after.
    """
    directory, commit = checkpoints.location(name)
    return Origin(name=name, commit=commit, sha256=weight_digests(Path(directory)))


def weight_digests(directory: Path) -> dict[str, str]:
    """File of weights -> sha256.

    Raises:
        InputError: there are no weights, or a file differs from what the hub's cache named it after.
    """
    digests = {file.name: sha256(file) for file in weight_files(directory)}
    for file, digest in digests.items():
        named = (directory / file).resolve().name  # in the hub's cache a link to a file that is named after its sha256
        if re.fullmatch("[0-9a-f]{64}", named) and named != digest:
            remedy = f"delete {directory} and {(directory / file).resolve()} to download it again"
            raise InputError(f"sha256 of {directory / file}", value=digest, allowed=named, remedy=remedy)
    return digests


def local_files(name: str, *, weights: bool) -> dict[str, str]:
    """Path -> sha256 of the files of an encoder in a directory; none for another one, which its name tells apart.

    Args:
        weights: with its weights, not only its configuration and its tokenizer.

    Raises:
        InputError: there are no weights, though they are asked for, or a file cannot be read.
    """
    directory = Path(name).expanduser()
    if name in checkpoints.CHECKPOINTS or not directory.is_dir():
        return {}
    files = {file for pattern in (*hub.CONFIG, "added_tokens.json") for file in directory.glob(pattern)}
    files |= set(weight_files(directory) if weights else ())
    return digests(file for file in sorted(files) if file.is_file())
