"""Reading sequence classifiers of any family, trained by this suite or elsewhere, with their tokenizers."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig

from adkd.base.errors import InputError, first_line
from adkd.data.tasks import Task
from adkd.fetch import checkpoints
from adkd.fetch.stored_weights import listed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def location(name: str) -> tuple[str, str | None]:
    """The directory of a classifier, and its commit if it is from the hub.

    Raises:
        InputError: there is no such directory, or the hub does not provide it. A name of ``adkd.fetch.checkpoints`` is
            refused too, because it is an encoder without a trained head.
    """
    if "/" not in name and not Path(name).is_dir():
        raise InputError("model", value=name, allowed="a directory or OWNER/NAME on the hub")
    return checkpoints.location(name)


def read_config(directory: str, task: Task) -> PretrainedConfig:
    """The configuration of a classifier.

    Raises:
        InputError: it cannot be read, or the task needs another number of outputs.
    """
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever the file makes of it
        raise InputError(f"cannot read a model configuration from {directory}: {first_line(error)}") from error
    if config.num_labels != task.outputs:
        raise InputError(
            f"the number of outputs of {directory}",
            value=config.num_labels,
            allowed=f"{task.outputs} ({', '.join(task.labels) or 'the score'})",
            remedy=f"use a model that was trained on {task.name}",
        )
    return config


def read_tokenizer(name: str, config: PretrainedConfig, max_length: int) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model.

    Args:
        name: a directory, a name on the hub, or one of ``adkd.fetch.checkpoints``.
        config: the model's.
        max_length: number of tokens to which examples are truncated.

    Raises:
        InputError: it cannot be read; it has no vocabulary, a larger one than the model, or no padding token; or
            ``max_length`` exceeds the number of its positions, or else its tokenizer's limit.
    """
    tokenizer = checkpoints.tokenizer(name)
    if len(tokenizer) > config.vocab_size:
        what, limit = f"the vocabulary size of the tokenizer {name}", f"at most {config.vocab_size}, that of the model"
        raise InputError(what, value=len(tokenizer), allowed=limit)
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer {name} has no padding token, which batches need")
    positions = getattr(config, "max_position_embeddings", None) or 0
    # Models of this suite have the length that they were trained with as their tokenizer's limit; they can read more.
    longest = positions if positions > 0 else tokenizer.model_max_length
    if not 8 <= max_length <= longest:
        raise InputError("max_length", value=max_length, allowed=f"an integer from 8 to {longest}, the model's limit")
    return tokenizer


def read_classifier(directory: str, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> nn.Module:
    """The classifier in float32. It accepts token types, also where its architecture has none or one.

    Raises:
        InputError: it cannot be read, lacks weights, such as those of the head, has weights of an encoder that its
            configuration does not describe, or cannot read ``max_length`` tokens.
    """
    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # whatever the files make of it
        raise InputError(f"cannot read a sequence classifier from {directory}: {first_line(error)}") from error
    if missing := sorted(loaded["missing_keys"]):
        raise InputError(
            f"{directory} is not a trained classifier: it lacks the weights {listed(missing)}",
            remedy="train the encoder on the task first",
        )
    parts = tuple(f"{model.base_model_prefix}.{part}." for part, _ in model.base_model.named_children())
    if surplus := sorted(name for name in loaded["unexpected_keys"] if _in_encoder(name, parts)):
        raise InputError(
            f"{directory} has the weights {listed(surplus)}, which a model with its config.json does not have",
            remedy="correct config.json, or use the complete model",
        )
    model.eval()
    parameters = inspect.signature(model.forward).parameters
    has_types = (
        "token_type_ids" in parameters
        and "token_type_ids" in tokenizer.model_input_names
        and getattr(model.config, "type_vocab_size", 2) > 1
    )
    _check_length(model, directory, tokenizer, max_length)
    return model if has_types else WithoutTokenTypes(model)


def _in_encoder(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a stored weight belongs to the encoder. Its pooler may be stored for a head that does not use it."""
    return name.startswith(parts) and ".pooler." not in name and not name.endswith("_ids")


def _check_length(model: nn.Module, directory: str, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> None:
    """Try one text of the maximal length: families number their positions in different ways."""
    token = next(number for number in range(len(tokenizer)) if number != tokenizer.pad_token_id)
    ids = torch.full((1, max_length), token)
    try:
        with torch.no_grad():
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
    except Exception as error:  # whatever the architecture makes of it
        raise InputError(f"{directory} cannot read a text of {max_length} tokens: {first_line(error)}") from error


class WithoutTokenTypes(nn.Module):
    """A classifier without token types, with the signature of one that has them."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """The model's output, whatever ``token_type_ids`` are. All arguments are [B, L]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask)
