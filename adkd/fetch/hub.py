"""The Hugging Face hub: one place that reaches it, gives up soon when it cannot, and says what to do instead."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adkd.base.errors import InputError

PROBE_SECONDS = 5.0
CONFIG = ("config.json", "tokenizer*", "vocab.txt", "special_tokens_map.json")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""In the order of preference; only the first that a model has is downloaded."""


def snapshot(model: str, revision: str | None, weights: bool) -> Path:
    """The local directory with a model's configuration and tokenizer, and its weights if asked for.

    Raises:
        InputError: it is not in the local cache and the hub cannot be reached, or the hub does not have it.
    """
    from huggingface_hub import snapshot_download

    wanted = {"repo_id": model, "revision": revision}
    try:
        found = Path(snapshot_download(**wanted, local_files_only=True))
        if _whole(found, weights):
            return found
    except (OSError, ValueError):
        pass  # not in the cache: ask the hub
    instead = "use an embedded or generated model, or name a local directory that holds this one"
    with _reached(f'model "{model}"', instead):
        found = Path(snapshot_download(**wanted, allow_patterns=list(CONFIG)))
        for file in WEIGHTS if weights else ():
            if not _whole(found, weights):
                found = Path(snapshot_download(**wanted, allow_patterns=[file]))
        if not _whole(found, weights):
            raise InputError(f'model "{model}" has no configuration, no tokenizer or none of {", ".join(WEIGHTS)}')
    return found


def dataset_file(dataset: str, file: str, revision: str) -> Path:
    """The local copy of one file of a dataset.

    Raises:
        InputError: as for ``snapshot``.
    """
    from huggingface_hub import hf_hub_download

    wanted = {"repo_id": dataset, "filename": file, "revision": revision, "repo_type": "dataset"}
    try:
        return Path(hf_hub_download(**wanted, local_files_only=True))
    except (OSError, ValueError):
        pass  # not in the cache: ask the hub
    instead = 'set the data source to "directory" and its path to a local copy, or use the embedded config'
    with _reached(f'{file} of dataset "{dataset}"', instead):
        return Path(hf_hub_download(**wanted))


def _whole(directory: Path, weights: bool) -> bool:
    have = {file.name for file in directory.iterdir()}
    return (
        "config.json" in have
        and bool(have & {"tokenizer.json", "vocab.txt"})
        and (not weights or bool(have & set(WEIGHTS)))
    )


@contextmanager
def _reached(what: str, instead: str) -> Iterator[None]:
    """One probe first, because the hub's own client goes on retrying for up to a minute when there is no network."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
    except Exception as error:
        raise InputError(f"{what} is not on this machine, and the hub cannot be reached; {instead}") from error
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"the hub did not give {what}: {first}; {instead}") from error
