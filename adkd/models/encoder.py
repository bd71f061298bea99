"""Building and loading the classifiers: a teacher, a student from a checkpoint, a student from its layers."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from adkd.base.errors import InputError
from adkd.base.seeds import derived
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.models import kernels

transformers_logging.set_verbosity_error()  # "newly initialized" is meant: the head is ours
transformers_logging.disable_progress_bar()


def new_classifier(
    checkpoint: str,
    outputs: int,
    *,
    task: str,
    seed: int,
    layers: list[int] | None = None,
    eager: bool = False,
) -> nn.Module:
    """A pre-trained encoder with a fresh classification head.

    Args:
        checkpoint: a name of ``adkd.fetch.checkpoints``, a directory or a hub id.
        outputs: number of logits.
        task, seed: what the head's initialisation derives from, so that all methods start alike.
        layers: which encoder layers to keep, 0-based, in order; None for all of them.
        eager: attention that can be differentiated twice; fused attention cannot.
    """
    path, _ = checkpoints.location(checkpoint)
    with torch.random.fork_rng(devices=[]):  # a checkpoint without a pooler gets one, the same for every method
        torch.manual_seed(derived(task, seed, "encoder"))
        model = AutoModelForSequenceClassification.from_pretrained(
            path, local_files_only=True, num_labels=outputs, attn_implementation=_attention(eager)
        )
    if layers is not None:
        keep_layers(model, layers)
    head = torch.Generator().manual_seed(derived(task, seed, "head"))
    nn.init.normal_(model.classifier.weight, std=model.config.initializer_range, generator=head)
    nn.init.zeros_(model.classifier.bias)
    return kernels.install(model)


def load_classifier(directory: Path, *, eager: bool = False) -> nn.Module:
    """A classifier that this suite has saved."""
    model = AutoModelForSequenceClassification.from_pretrained(directory, attn_implementation=_attention(eager))
    return kernels.install(model)


def frozen(model: nn.Module) -> nn.Module:
    """The model in eval mode, no weight of it requiring a gradient."""
    return model.eval().requires_grad_(False)


def keep_layers(model: nn.Module, layers: list[int]) -> None:
    """Drop every encoder layer but these (0-based), in place.

    Raises:
        InputError: a layer that the encoder does not have.
    """
    encoder = model.base_model.encoder
    count = len(encoder.layer)
    if wrong := [i for i in layers if not 0 <= i < count]:
        raise InputError(f"student.from_teacher_layers: {wrong[0]} (allowed: 0 to {count - 1})")
    encoder.layer = nn.ModuleList(encoder.layer[i] for i in layers)
    model.config.num_hidden_layers = len(layers)


def checkpoint_shape(checkpoint: str) -> Shape:
    """The size of a checkpoint's encoder, fetched if it is not known without."""
    return checkpoints.shape(checkpoint) or checkpoints.shape(checkpoints.location(checkpoint)[0])


def shape(model: nn.Module) -> Shape:
    """The size of a model's encoder."""
    config = model.config
    return Shape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads)


def _attention(eager: bool) -> str:
    return kernels.TWICE_DIFFERENTIABLE if eager else kernels.FUSED
