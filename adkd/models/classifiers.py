"""Reading sequence classifiers of any family, trained by this suite or elsewhere, with their tokenizers."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig

from adkd.base.errors import InputError
from adkd.data.tasks import Task
from adkd.fetch import checkpoints

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
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read a model configuration from {directory}: {_first(error)}") from error
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
        InputError: it cannot be read; it has an empty vocabulary (as transformers returns for a directory without one),
            a larger one than the model, or no padding token; or ``max_length`` exceeds the limit of model or tokenizer.
    """
    tokenizer = checkpoints.tokenizer(name)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        names = ", ".join(checkpoints.CHECKPOINTS)
        raise InputError(
            f"{name} has no vocabulary",
            remedy=f"name the model's tokenizer with --tokenizer: a directory, a name on the hub or one of {names}",
        )
    if len(tokenizer) > config.vocab_size:
        what, limit = f"the vocabulary size of the tokenizer {name}", f"at most {config.vocab_size}, that of the model"
        raise InputError(what, value=len(tokenizer), allowed=limit)
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer {name} has no padding token, which batches need")
    longest = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", tokenizer.model_max_length))
    if not 8 <= max_length <= longest:
        raise InputError("max_length", value=max_length, allowed=f"an integer from 8 to {longest}, the model's limit")
    return tokenizer


def read_classifier(directory: str, tokenizer: "PreTrainedTokenizerBase") -> nn.Module:
    """The classifier in float32. It accepts token types, also where its architecture has none.

    Raises:
        InputError: it cannot be read, or lacks weights, such as those of the head.
    """
    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            directory, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read a sequence classifier from {directory}: {_first(error)}") from error
    if missing := sorted(loaded["missing_keys"]):
        raise InputError(
            f"{directory} is not a trained classifier: it lacks the weights {', '.join(missing)}",
            remedy="train the encoder on the task first",
        )
    parameters = inspect.signature(model.forward).parameters
    has_types = "token_type_ids" in parameters and "token_type_ids" in tokenizer.model_input_names
    return model if has_types else WithoutTokenTypes(model)


class WithoutTokenTypes(nn.Module):
    """A classifier without token types, with the signature of one that has them."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """The model's output, whatever ``token_type_ids`` are. All arguments are [B, L]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
