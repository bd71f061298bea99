"""The files of a BERT encoder in a directory, checked against each other before any work starts.

What they say is what is trained: every weight of the encoder is stored, has the shape that ``config.json`` states, and
is a number. Only the pooler may be absent, and heads of other tasks may be present.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError
from adkd.base.validation import validated
from adkd.fetch.encoder_config import EncoderConfig
from adkd.fetch.stored_vocabulary import stored_vocabulary, vocabulary_digest
from adkd.fetch.stored_weights import Stored, listed, read_mapping, stored_weights, weight_files

FAMILY = "bert"
"""``model_type`` of the encoders that can be teachers and students."""
PRECISIONS = {"F64", "F32", "F16", "BF16"}
"""Of stored numbers; all are read as float32."""
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


@dataclass(frozen=True)
class EncoderFiles:
    """A directory that holds an encoder."""

    directory: Path

    def check(self) -> None:
        """Raises InputError unless configuration, weights and vocabulary are those of one encoder."""
        config = self.config
        if (adapter := self.directory / "adapter_config.json").exists():
            raise InputError(f"{adapter} adds an adapter to the model", remedy="merge it into the weights")
        stored = self._named_as_in_bert(stored_weights(self.directory))
        expected = config.weights() | {name: shape for name, shape in config.pooler().items() if _pooled(stored)}
        self._check_names(stored, expected)
        for name, shape in expected.items():
            if stored[name].shape != shape:
                raise InputError(
                    f"{self._weights}: the shape of {name}",
                    value=list(stored[name].shape),
                    allowed=f"{list(shape)}, as {self.directory / 'config.json'} says",
                )
            if stored[name].precision not in PRECISIONS:
                raise InputError(
                    f"{self._weights}: the precision of {name}",
                    value=stored[name].precision,
                    allowed=f"one of {', '.join(sorted(PRECISIONS))}",
                    remedy="save the model with weights that are not quantized",
                )
        self._check_vocabulary()

    @cached_property
    def config(self) -> EncoderConfig:
        """The configuration of the encoder.

        Raises:
            InputError: ``config.json`` cannot be read, is of another family, or describes another kind of model.
        """
        path = self.directory / "config.json"
        content = read_mapping(path)
        only = f'"{FAMILY}", the only family of encoders that can be students and teachers'
        if "model_type" not in content:
            raise InputError(f"{path} lacks model_type", remedy=f"if the model is a BERT, set it to {only}")
        if content["model_type"] != FAMILY:
            raise InputError(f"{path}: model_type", value=content["model_type"], allowed=only)
        try:
            config = validated(EncoderConfig, content)
        except InputError as error:
            raise error.within(str(path)) from None
        if config.hidden_size % config.num_attention_heads:
            allowed = f"a multiple of num_attention_heads, {config.num_attention_heads}"
            raise InputError(f"{path}: hidden_size", value=config.hidden_size, allowed=allowed)
        if (config.pad_token_id or 0) >= config.vocab_size:
            allowed = f"below vocab_size, {config.vocab_size}"
            raise InputError(f"{path}: pad_token_id", value=config.pad_token_id, allowed=allowed)
        return config

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Token -> its number.

        Raises:
            InputError: there is no vocabulary, or it cannot be read.
        """
        return stored_vocabulary(self.directory)

    @property
    def vocabulary_digest(self) -> str:
        """sha256 of the vocabulary as a ``vocab.txt``, whichever file holds it."""
        tokens = sorted(self.vocabulary, key=self.vocabulary.__getitem__)
        return vocabulary_digest(tokens)

    @property
    def longest(self) -> int:
        """The largest number of tokens that the encoder and its tokenizer take."""
        limit = self._tokenizer_config.get("model_max_length")
        positions = self.config.max_position_embeddings
        return int(limit) if isinstance(limit, (int, float)) and limit < positions else positions

    @cached_property
    def _tokenizer_config(self) -> dict[str, Any]:
        path = self.directory / "tokenizer_config.json"
        return read_mapping(path) if path.is_file() else {}

    @property
    def _weights(self) -> Path:
        return weight_files(self.directory)[0]

    def _named_as_in_bert(self, stored: Mapping[str, Stored]) -> dict[str, Stored]:
        """The tensors without the prefix that a model with a head gives them, under the current names."""
        named: dict[str, Stored] = {}
        for name, tensor in stored.items():
            plain = name.removeprefix("bert.")
            plain = plain.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
            if plain in named:
                raise InputError(f"{self._weights} has two weights for {plain}", remedy="delete one of them")
            named[plain] = tensor
        return named

    def _check_names(self, stored: Mapping[str, Stored], expected: Mapping[str, Any]) -> None:
        missing = sorted(expected.keys() - stored.keys(), key=_by_number)
        parts = ("embeddings.", "encoder.", "pooler.")
        buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}
        ours = {name for name in stored if name.startswith(parts)} - buffers
        surplus = sorted(ours - expected.keys(), key=_by_number)
        if missing and (prefix := _prefix(stored, missing)):
            raise InputError(
                f"{self._weights}: the weights of a BERT encoder are named {missing[0]} or bert.{missing[0]}, "
                f"but here {prefix}{missing[0]}",
                remedy=f'remove "{prefix}" from the names',
            )
        remedy = f"correct {self.directory / 'config.json'}, or use the complete model"
        if missing:
            raise InputError(f"{self._weights} lacks {listed(missing)}", remedy=remedy)
        if surplus:
            layers = f"a BERT encoder with {self.config.num_hidden_layers} layers"
            raise InputError(f"{self._weights} has {listed(surplus)}, which {layers} does not have", remedy=remedy)

    def _check_vocabulary(self) -> None:
        largest, rows = max(self.vocabulary.values(), default=-1) + 1, self.config.vocab_size
        if largest > rows:
            allowed = f"at most {rows}, the vocab_size of its config.json"
            raise InputError(f"the vocabulary size of {self.directory}", value=largest, allowed=allowed)
        for kind, usual in SPECIAL.items():
            token = self._tokenizer_config.get(kind) or usual
            token = token.get("content") if isinstance(token, dict) else token
            if str(token) not in self.vocabulary:
                raise InputError(
                    f'the vocabulary of {self.directory} lacks the {kind} "{token}"',
                    remedy="copy the model's own vocabulary there",
                )


def _pooled(stored: Mapping[str, Stored]) -> bool:
    return any(name.startswith("pooler.") for name in stored)


def _prefix(stored: Iterable[str], missing: list[str]) -> str | None:
    """What stands in front of a missing weight's name in the file, if its last part is there under another name."""
    return next((name.removesuffix(missing[0]) for name in stored if name.endswith(f".{missing[0]}")), None)


def _by_number(name: str) -> list[Any]:
    """Sorts layer 2 before layer 10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"\.", name)]
