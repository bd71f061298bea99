"""The encoders that a config can name. Imports no torch: a plan only needs their sizes."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adkd.base.errors import InputError, first_line, unknown
from adkd.fetch import assets, hub, tiny_bert
from adkd.fetch.encoder_files import EncoderFiles
from adkd.fetch.stored_vocabulary import vocabulary_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

COMMIT = re.compile("[0-9a-f]{40}")
UNCASED = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
"""sha256 of the vocabulary of uncased BERT."""


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
    vocabulary: str = UNCASED
    """sha256 of its ``vocab.txt``."""
    revision: str | None = None
    """Commit on the hub. None means the newest one at the first download, which the cache then keeps."""
    longest: int = 512
    """The largest number of tokens that it takes."""
    token_types: int = 2


CHECKPOINTS: dict[str, Checkpoint] = {
    "minilm_l6": Checkpoint(Shape(6, 384, 12), "all-MiniLM-L6-v2", asset="minilm"),
    "tiny_bert": Checkpoint(
        Shape(4, 32, 4),
        "generated BERT, untrained",
        vocabulary=vocabulary_digest(tiny_bert.VOCABULARY),
        longest=tiny_bert.TINY["max_position_embeddings"],
    ),
    "bert_base": Checkpoint(
        Shape(12, 768, 12),
        "BERT-base, uncased",
        hub="google-bert/bert-base-uncased",
        revision="86b5e0934494bd15c9632b12f734a8a67f723594",
    ),
    "bert_l6_h768": Checkpoint(Shape(6, 768, 12), "BERT 6 x 768", hub="google/bert_uncased_L-6_H-768_A-12"),
}


def known(name: str) -> Checkpoint | None:
    """What is known of an encoder before anything is downloaded: None for a model on the hub without an entry.

    The files of a directory are checked against each other.

    Args:
        name: a key of ``CHECKPOINTS``, a directory, or the name of a model on the hub: ``OWNER/NAME`` or, pinned,
            ``OWNER/NAME@COMMIT``.

    Raises:
        InputError: it is none of these, or its files are not those of one BERT encoder.
    """
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    directory = Path(name).expanduser()
    if directory.is_dir():
        return checked(directory)
    _hub_name(name)
    return None


def checked(directory: Path) -> Checkpoint:
    """The encoder in a directory.

    Raises:
        InputError: its files are not those of one BERT encoder.
    """
    files = EncoderFiles(directory)
    files.check()
    config = files.config
    return Checkpoint(
        Shape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads),
        title=str(directory),
        vocabulary=files.vocabulary_digest,
        longest=files.longest,
        token_types=config.type_vocab_size,
    )


def shape(name: str) -> Shape | None:
    """The size of an encoder as far as it is ``known``, or None."""
    checkpoint = known(name)
    return checkpoint.shape if checkpoint else None


def location(name: str) -> tuple[str, str | None]:
    """The directory of an encoder, downloaded if necessary, and its commit if it is from the hub.

    Raises:
        InputError: as for ``shape``; or it cannot be downloaded.
    """
    return _location(name, weights=True)


def tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer that belongs to a model.

    Raises:
        InputError: as for ``location``; or the directory has no readable tokenizer, or no vocabulary: transformers
            would make up one of a few special tokens.
    """
    from transformers import AutoTokenizer

    directory, _ = _location(name, weights=False)
    try:
        loaded = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever the files make of it
        raise InputError(f"cannot read a tokenizer from {directory}: {first_line(error)}") from error
    files = {"tokenizer.json", *loaded.vocab_files_names.values()}
    present = any((Path(directory) / file).is_file() for file in files)
    if not present or len(loaded) <= len(loaded.all_special_tokens):
        raise InputError(
            f"{directory} has no vocabulary",
            remedy=f"copy the model's own there ({' or '.join(sorted(files))}), or name another tokenizer where that "
            "can be chosen (--tokenizer)",
        )
    return loaded


def _location(name: str, weights: bool) -> tuple[str, str | None]:
    if name not in CHECKPOINTS:
        directory = Path(name).expanduser()
        return (str(directory), None) if directory.is_dir() else _from_hub(*_hub_name(name), weights)
    entry = CHECKPOINTS[name]
    if entry.asset:
        return str(assets.fetch(entry.asset)), None
    return _from_hub(entry.hub, entry.revision, weights) if entry.hub else (str(tiny_bert.directory()), None)


def _from_hub(model: str, revision: str | None, weights: bool) -> tuple[str, str | None]:
    directory = hub.snapshot(model, revision, weights)
    commit = directory.name  # the hub's cache names the directory after the commit
    if revision is None:
        log.warning("%s is not pinned to a commit; this run uses %s@%s", model, model, commit)
    return str(directory), commit


def _hub_name(name: str) -> tuple[str, str | None]:
    """Owner and name of a model on the hub, and its commit if it is pinned.

    Raises:
        InputError: the name does not have this form.
    """
    model, at, commit = name.partition("@")
    if model.count("/") > 1 or name.startswith((".", "/", "~")):
        raise InputError("model", value=name, allowed="an existing directory")
    if "/" not in model:
        raise unknown("model", name, CHECKPOINTS)
    if at and not COMMIT.fullmatch(commit):
        raise InputError(f"the commit of {model}", value=commit, allowed="all 40 hexadecimal digits of its sha")
    return model, commit or None
