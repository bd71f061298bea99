"""Downloads from the Hugging Face hub: fail fast without a network, and with a remedy."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from adkd.base.checked import damage
from adkd.base.errors import InputError, first_line
from adkd.base.files import sha256
from adkd.fetch.stored_weights import WEIGHTS, weight_files

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
CONFIG = ("config.json", "tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json")
FORMS = [patterns for whole, *sharded in WEIGHTS for patterns in ([whole], sharded)]
"""Patterns of files of weights, in order of preference; only the first form that a model has is downloaded."""


def snapshot(model: str, revision: str | None, weights: bool) -> Path:
    """The local directory with a model's configuration and tokenizer, and its weights if these are wanted.

    Raises:
        InputError: it is not in the local cache and the hub cannot be reached, or the hub does not have it.
    """
    from huggingface_hub import snapshot_download

    download = partial(snapshot_download, model, allow_patterns=list(CONFIG))
    try:
        # With the patterns of what was downloaded: without any, every file that the hub lists would have to be there.
        directory = Path(download(revision=revision, local_files_only=True))
        if _is_complete(directory, weights):
            return directory
        revision = directory.name  # whatever else is downloaded is of the same commit
    except (OSError, ValueError):
        pass  # not in the cache: ask the hub
    remedy = "use an embedded or generated model, or name a local directory that holds this one"
    with _online(f'model "{model}"', remedy):
        directory = Path(download(revision=revision))
        for patterns in FORMS if weights else ():
            if not _is_complete(directory, weights):
                snapshot_download(model, revision=directory.name, allow_patterns=patterns)
        if not _is_complete(directory, weights):
            forms = " or ".join(patterns[0] for patterns in FORMS)
            raise InputError(f'model "{model}" lacks a configuration, a vocabulary or weights ({forms})')
    return directory


def dataset_file(dataset: str, file: str, revision: str, digest: str) -> Path:
    """The local copy of one file of a dataset. A copy that is damaged is fetched again, once.

    Args:
        digest: sha256 of the file.

    Raises:
        InputError: as for ``snapshot``, or the file has another sha256 after it was fetched again.
    """
    from huggingface_hub import hf_hub_download

    what = f'{file} of dataset "{dataset}"'
    download = partial(hf_hub_download, dataset, file, revision=revision, repo_type="dataset")
    remedy = 'set the data source to "directory" and its path to a local copy, or use the embedded config'
    try:
        path = Path(download(local_files_only=True))
    except (OSError, ValueError):  # not in the cache: ask the hub
        with _online(what, remedy):
            path = Path(download())
    if reason := damage(path, digest):
        log.warning("%s; fetching it again", reason)
        try:
            with _online(f"an undamaged copy of {what}", remedy):
                path = Path(download(force_download=True))
        except InputError as error:
            raise error.within(reason) from None
    if (actual := sha256(path)) != digest:
        raise InputError(
            f"{path}: sha256",
            value=actual,
            allowed=f"{digest}, as published in {dataset}",
            remedy=f"the hub sends another file; {remedy}",
        )
    return path


def _is_complete(directory: Path, weights: bool) -> bool:
    names = {file.name for file in directory.iterdir()}
    if "config.json" not in names or not any(_is_vocabulary(name) for name in names):
        return False
    try:
        return not weights or bool(weight_files(directory))
    except InputError:
        return False


def _is_vocabulary(name: str) -> bool:
    return name == "tokenizer.json" or name.startswith("vocab") or name.endswith(".model")


@contextmanager
def _online(what: str, remedy: str) -> Iterator[None]:
    """Turn a failure to reach the hub into an InputError.

    Probes the hub once first, because without a network the hub's own client retries for up to a minute.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
    except Exception as error:
        raise InputError(f"{what} is not on this machine, and the hub cannot be reached", remedy=remedy) from error
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"cannot download {what} from the hub: {first_line(error)}", remedy=remedy) from error
