"""The vocabulary in a directory: token -> its number."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from adkd.base.errors import InputError
from adkd.fetch.stored_weights import COPY, read_mapping

VOCABULARIES = ("tokenizer.json", "vocab.txt")
"""Files of a vocabulary in the order in which transformers looks for them."""


def stored_vocabulary(directory: Path) -> dict[str, int]:
    """Token -> its number.

    Raises:
        InputError: there is no vocabulary, or it cannot be read.
    """
    for file in VOCABULARIES:
        path = directory / file
        if path.is_file():
            return _tokens_of(path) if file.endswith(".json") else _lines(path)
    names = " or ".join(VOCABULARIES)
    raise InputError(f"{directory} has no vocabulary", remedy=f"copy the model's own {names} there")


def vocabulary_digest(tokens: Iterable[str]) -> str:
    """sha256 of the ``vocab.txt`` with these tokens, in the order of their numbers."""
    return sha256("".join(f"{token}\n" for token in tokens).encode()).hexdigest()


def _lines(path: Path) -> dict[str, int]:
    try:
        with path.open(encoding="utf-8") as file:
            return {line.rstrip("\n"): number for number, line in enumerate(file)}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", remedy=COPY) from error


def _tokens_of(path: Path) -> dict[str, int]:
    content = read_mapping(path)
    try:
        vocabulary = content["model"]["vocab"]
        if isinstance(vocabulary, list):  # of pairs of token and score
            vocabulary = {token: number for number, (token, _) in enumerate(vocabulary)}
        added = {token["content"]: token["id"] for token in content.get("added_tokens", ())}
        tokens = vocabulary | added
        if any(type(number) is not int or number < 0 for number in tokens.values()):
            raise TypeError("a token has no number")
        if len(set(tokens.values())) < len(tokens):
            raise ValueError("two tokens have one number")
        return tokens
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has no vocabulary that can be read: {error!r}", remedy=COPY) from error
