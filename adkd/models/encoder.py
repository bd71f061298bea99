"""Building and loading classifiers, and the parts of one by name: all that depends on the encoder family (BERT).

The forward pass itself is in ``passes``, faster versions of single operations in ``kernels``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from adkd.base.errors import InputError, first_line
from adkd.base.seeds import derived
from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape
from adkd.fetch.stored_weights import COPY, listed
from adkd.models import kernels

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

transformers_logging.set_verbosity_error()  # warns of newly initialised weights, which the head is meant to have
transformers_logging.disable_progress_bar()

NEW = ("classifier.", "bert.pooler.")
"""Where weights lie that a checkpoint may lack."""

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
    path = Path(checkpoints.location(checkpoint)[0])
    checkpoints.checked(path)
    dropout = {} if classifier_dropout is None else {"classifier_dropout": classifier_dropout}
    with torch.random.fork_rng(devices=[]):  # a checkpoint without a pooler gets one, the same for every method
        torch.manual_seed(derived(task, seed, "encoder"))
        # A head that the checkpoint has is for another task, and may have another size.
        model, loaded = _read(path, num_labels=outputs, eager=eager, ignore_mismatched_sizes=True, **dropout)
    drawn = {*loaded["missing_keys"], *(name for name, *_ in loaded["mismatched_keys"])}
    if wrong := sorted(name for name in drawn if not name.startswith(NEW)):
        raise InputError(f"the weights {listed(wrong)} cannot be read from {path}", remedy=COPY)
    _check_finite(model, path)
    if layers is not None:
        keep_layers(model, layers)
    generator = torch.Generator().manual_seed(derived(task, seed, "head"))
    nn.init.normal_(head(model).weight, std=model.config.initializer_range, generator=generator)
    nn.init.zeros_(head(model).bias)
    return kernels.install(model)


def load_classifier(directory: Path, *, eager: bool = False) -> PreTrainedModel:
    """A classifier that this suite has saved.

    Raises:
        InputError: it cannot be read, or lacks a weight.
    """
    model, loaded = _read(directory, eager=eager)
    if wrong := sorted({*loaded["missing_keys"], *loaded["unexpected_keys"]}):
        raise InputError(
            f"{directory} lacks or adds {listed(wrong)}", remedy=f"delete {directory.parent} to make it again"
        )
    return kernels.install(model)


def _read(directory: Path, *, eager: bool, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The classifier in a directory, in float32 whatever its files store, and which weights were (not) found."""
    try:
        return BertForSequenceClassification.from_pretrained(
            directory,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation=_attention(eager),
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # whatever the files make of it
        raise InputError(f"cannot read a model from {directory}: {first_line(error)}", remedy=COPY) from error


def _check_finite(model: nn.Module, directory: Path) -> None:
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise InputError(f"the weight {name} of {directory} is not finite in float32", remedy=COPY)


def save_classifier(model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", max_length: int, out: Path) -> None:
    """Write a model that can be used as it stands: with the tokenizer that its examples were cut by.

    Args:
        max_length: tokens that examples were cut to.
        out: a new directory.
    """
    tokenizer.model_max_length = max_length
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


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
    """Write into the model's configuration what its outputs are: the names of the classes in their order, or a score.

    Args:
        labels: none for regression, whose output transformers would pass through a sigmoid otherwise.
    """
    names = labels or ("score",)
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: number for number, name in enumerate(names)}
    model.config.problem_type = "single_label_classification" if labels else "regression"


def check_reads(model: PreTrainedModel, max_length: int, texts: int) -> None:
    """Raises InputError unless the model takes so many tokens, of as many types as an example has texts."""
    config = model.config
    for name, number, limit in (
        ("positions (max_position_embeddings)", max_length, config.max_position_embeddings),
        ("token types (type_vocab_size)", texts, config.type_vocab_size),
    ):
        if number > limit:
            raise InputError(f"the model's {name}", value=limit, allowed=f"at least {number}, as the examples have")


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
    return known or checkpoints.checked(Path(checkpoints.location(checkpoint)[0])).shape


def shape(model: PreTrainedModel) -> Shape:
    """The size of a model's encoder."""
    config = model.config
    return Shape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads)


def _attention(eager: bool) -> str:
    return kernels.TWICE_DIFFERENTIABLE if eager else kernels.FUSED
