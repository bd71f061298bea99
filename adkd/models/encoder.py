"""Building and loading classifiers, and the parts of one by name: all that depends on the encoder family (BERT).

The forward pass itself is in ``passes``, faster versions of single operations in ``kernels``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from adkd.base.errors import InputError
from adkd.base.seeds import derived
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.models import kernels

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

transformers_logging.set_verbosity_error()  # warns of newly initialised weights, which the head is meant to have
transformers_logging.disable_progress_bar()

M = TypeVar("M", bound=nn.Module)


def new_classifier(
    checkpoint: str,
    outputs: int,
    *,
    task: str,
    seed: int,
    layers: list[int] | None = None,
    eager: bool = False,
    classifier_dropout: float | None = None,
) -> PreTrainedModel:
    """A pre-trained encoder with a new classification head.

    Args:
        checkpoint: a name of ``adkd.fetch.checkpoints``, a directory or a hub id.
        outputs: number of logits.
        task, seed: what the head's first weights derive from, so that all methods start from the same ones.
        layers: which encoder layers to keep, 0-based, in order; None for all of them.
        eager: attention that can be differentiated twice, which fused attention cannot.
        classifier_dropout: dropout before the head; None for the checkpoint's own.

    Raises:
        InputError: the checkpoint cannot be loaded, or lacks one of ``layers``.
    """
    path, _ = checkpoints.location(checkpoint)
    dropout = {} if classifier_dropout is None else {"classifier_dropout": classifier_dropout}
    with torch.random.fork_rng(devices=[]):  # a checkpoint without a pooler gets one, the same for every method
        torch.manual_seed(derived(task, seed, "encoder"))
        model = AutoModelForSequenceClassification.from_pretrained(
            path, local_files_only=True, num_labels=outputs, attn_implementation=_attention(eager), **dropout
        )
    if layers is not None:
        keep_layers(model, layers)
    generator = torch.Generator().manual_seed(derived(task, seed, "head"))
    nn.init.normal_(head(model).weight, std=model.config.initializer_range, generator=generator)
    nn.init.zeros_(head(model).bias)
    return kernels.install(model)


def load_classifier(directory: Path, *, eager: bool = False) -> PreTrainedModel:
    """A classifier that this suite has saved."""
    model = AutoModelForSequenceClassification.from_pretrained(directory, attn_implementation=_attention(eager))
    return kernels.install(model)


def load_frozen(directory: Path, device: torch.device) -> PreTrainedModel:
    """A classifier that this suite has saved, on ``device`` and ``frozen``."""
    model = load_classifier(directory)
    nn.Module.to(model, device)
    return frozen(model)


def frozen(model: M) -> M:
    """The same model in eval mode, with no weight that requires a gradient."""
    return model.eval().requires_grad_(False)


def embeddings(model: nn.Module) -> nn.Module:
    """The embedding block, whose output [B, L, H] the first encoder layer reads."""
    encoder: Any = model.base_model
    return encoder.embeddings


def layers(model: nn.Module) -> nn.ModuleList:
    """The encoder layers, from the first to the last."""
    encoder: Any = model.base_model
    return encoder.encoder.layer


def head(model: nn.Module) -> nn.Linear:
    """The layer that computes the logits."""
    classifier: Any = model.classifier
    return classifier


def special_tokens(tokenizer: "PreTrainedTokenizerBase") -> Tensor:
    """Numbers of the tokens that the encoder's format adds to every text: [CLS] and [SEP]. [UNK] stands for a word."""
    return torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id])


def name_classes(model: PreTrainedModel, labels: Sequence[str]) -> None:
    """Write the names of the classes, in the order of the logits, into the model's configuration."""
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}


def keep_layers(model: PreTrainedModel, kept: list[int]) -> None:
    """Drop every encoder layer but these (0-based), in place.

    Raises:
        InputError: the encoder lacks one of these layers.
    """
    count = len(layers(model))
    for place, number in enumerate(kept):
        if not 0 <= number < count:
            key = f"student.from_teacher_layers[{place}]"
            raise InputError(key, value=number, allowed=f"an integer from 0 to {count - 1}")
    encoder: Any = model.base_model
    encoder.encoder.layer = nn.ModuleList(layers(model)[number] for number in kept)
    model.config.num_hidden_layers = len(kept)


def checkpoint_shape(checkpoint: str) -> Shape:
    """The size of a checkpoint's encoder; downloads the checkpoint if its size is not known otherwise."""
    known = checkpoints.shape(checkpoint)
    return known or checkpoints.directory_shape(Path(checkpoints.location(checkpoint)[0]))


def shape(model: PreTrainedModel) -> Shape:
    """The size of a model's encoder."""
    config = model.config
    return Shape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads)


def _attention(eager: bool) -> str:
    return kernels.TWICE_DIFFERENTIABLE if eager else kernels.FUSED
