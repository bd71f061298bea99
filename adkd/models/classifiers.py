"""Reading any sequence classifier, of whatever family and whoever trained it, with the tokenizer that belongs to it."""

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
    """The directory of a classifier, and its commit if it is from the hub. The encoders that have names here are none.

    Raises:
        InputError: there is no such directory, or the hub does not give it.
    """
    if "/" not in name and not Path(name).is_dir():
        raise InputError(f'model "{name}" is neither a directory nor OWNER/NAME on the hub')
    return checkpoints.location(name)


def read_config(directory: str, task: Task) -> PretrainedConfig:
    """The configuration of a classifier.

    Raises:
        InputError: it cannot be read, or says another number of outputs than the task has.
    """
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{directory} has no model configuration that can be read: {_first(error)}") from error
    if config.num_labels != task.outputs:
        wanted = ", ".join(task.labels) or "the score"
        raise InputError(
            f"{directory} has {config.num_labels} outputs, {task.name} needs {task.outputs} ({wanted}); "
            "was it trained for another task?"
        )
    return config


def read_tokenizer(name: str, config: PretrainedConfig, max_length: int) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model.

    Args:
        name: a directory, a name on the hub, or one of ``adkd.fetch.checkpoints``.
        config: the model's.
        max_length: tokens that examples are to be cut to.

    Raises:
        InputError: it cannot be read, it has no words (what a directory without any gives), more of them than the model
            or no padding, or the length is more than model or tokenizer take.
    """
    tokenizer = checkpoints.tokenizer(name)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InputError(
            f"{name} has no vocabulary; say with --tokenizer where the model's is: a directory, a name on the hub or "
            f"one of {', '.join(checkpoints.CHECKPOINTS)}"
        )
    if len(tokenizer) > config.vocab_size:
        raise InputError(f"the tokenizer of {name} has {len(tokenizer)} tokens, the model knows {config.vocab_size}")
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer of {name} has no padding token; batches need one")
    longest = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", tokenizer.model_max_length))
    if not 8 <= max_length <= longest:
        raise InputError(f"max_length is {max_length}, expected 8 to {longest}, the most that the model takes")
    return tokenizer


def read_classifier(directory: str, tokenizer: "PreTrainedTokenizerBase") -> nn.Module:
    """The classifier in float32, to be called with token types whether it knows them or not.

    Raises:
        InputError: it cannot be read, or lacks weights, as an encoder without a trained head does.
    """
    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            directory, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{directory} has no sequence classifier that can be read: {_first(error)}") from error
    if missing := sorted(loaded["missing_keys"]):
        raise InputError(
            f"{directory} is no trained classifier: {', '.join(missing)} would be drawn at random; "
            "an encoder has to be trained on the task first"
        )
    takes = inspect.signature(model.forward).parameters
    typed = "token_type_ids" in takes and "token_type_ids" in tokenizer.model_input_names
    return model if typed else WithoutTokenTypes(model)


class WithoutTokenTypes(nn.Module):
    """A classifier that tells no first text from a second by token types, called as one that does."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """The model's output; ``token_type_ids`` are not looked at. All are [B, L]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
