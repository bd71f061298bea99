"""The encoders that a config can name. Imports no torch: a plan only needs their sizes."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from adkd.base.errors import InputError, unknown
from adkd.fetch import assets, hub, tiny_bert

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Shape:
    """The size of an encoder."""

    layers: int
    hidden: int
    heads: int


@dataclass(frozen=True)
class Checkpoint:
    """A pre-trained encoder with a name of its own."""

    shape: Shape
    title: str
    asset: str | None = None
    """Entry of ``adkd.fetch.assets.ASSETS`` that holds it."""
    hub: str | None = None
    """Its name on the hub. A checkpoint with neither an asset nor a hub name is generated."""
    vocabulary: str = "generated"
    """sha256 of its ``vocab.txt``."""
    revision: str | None = None
    """Commit on the hub. None means the newest one at the first download, which the cache then keeps."""


UNCASED = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
"""sha256 of the vocabulary of uncased BERT."""

CHECKPOINTS: dict[str, Checkpoint] = {
    "minilm_l6": Checkpoint(Shape(6, 384, 12), "all-MiniLM-L6-v2", asset="minilm", vocabulary=UNCASED),
    "tiny_bert": Checkpoint(Shape(4, 32, 4), "generated BERT, untrained"),
    "bert_base": Checkpoint(
        Shape(12, 768, 12),
        "BERT-base, uncased",
        hub="google-bert/bert-base-uncased",
        vocabulary=UNCASED,
        revision="86b5e0934494bd15c9632b12f734a8a67f723594",
    ),
    "bert_l6_h768": Checkpoint(
        Shape(6, 768, 12), "BERT 6 x 768", hub="google/bert_uncased_L-6_H-768_A-12", vocabulary=UNCASED
    ),
}


def shape(name: str) -> Shape | None:
    """The size of an encoder, or None for a model on the hub that is not in ``CHECKPOINTS``.

    Args:
        name: a key of ``CHECKPOINTS``, a directory, or the name of a model on the hub.

    Raises:
        InputError: it is none of these, or as for ``directory_shape``.
    """
    if name in CHECKPOINTS:
        return CHECKPOINTS[name].shape
    directory = Path(name).expanduser()
    if directory.is_dir():
        return directory_shape(directory)
    _hub_name(name)
    return None


def directory_shape(directory: Path) -> Shape:
    """The size of the encoder in a directory.

    Raises:
        InputError: the directory's ``config.json`` is missing or does not contain the size.
    """
    path = directory / "config.json"
    keys = ("num_hidden_layers", "hidden_size", "num_attention_heads")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return Shape(*(int(config[key]) for key in keys))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {', '.join(keys)} from {path}: {error!r}") from error


def vocabulary(name: str) -> str | None:
    """sha256 of an encoder's ``vocab.txt``, or None where only a download would tell."""
    if name in CHECKPOINTS:
        return CHECKPOINTS[name].vocabulary
    file = Path(name).expanduser() / "vocab.txt"
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def location(name: str) -> tuple[str, str | None]:
    """The directory of an encoder, downloaded if necessary, and its commit if it is from the hub.

    Raises:
        InputError: as for ``shape``; or it cannot be downloaded.
    """
    return _location(name, weights=True)


def tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer that belongs to an encoder.

    Raises:
        InputError: as for ``location``; or the directory has no readable tokenizer.
    """
    from transformers import AutoTokenizer

    directory, _ = _location(name, weights=False)
    try:
        return AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read a tokenizer from {directory}: {str(error).splitlines()[0]}") from error


def _location(name: str, weights: bool) -> tuple[str, str | None]:
    if name not in CHECKPOINTS:
        directory = Path(name).expanduser()
        return (str(directory), None) if directory.is_dir() else _from_hub(_hub_name(name), None, weights)
    known = CHECKPOINTS[name]
    if known.asset:
        return str(assets.fetch(known.asset)), None
    return _from_hub(known.hub, known.revision, weights) if known.hub else (str(tiny_bert.directory()), None)


def _from_hub(model: str, revision: str | None, weights: bool) -> tuple[str, str | None]:
    directory = hub.snapshot(model, revision, weights)
    return str(directory), directory.name  # the hub's cache names the directory after the commit


def _hub_name(name: str) -> str:
    """The name itself if it has the form of a hub name, ``owner/model``. Raises InputError otherwise."""
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise InputError("model", value=name, allowed="an existing directory")
    if "/" not in name:
        raise unknown("model", name, CHECKPOINTS)
    return name
