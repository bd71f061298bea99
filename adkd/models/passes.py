"""One forward pass of a BERT-like classifier, which keeps only the outputs that are asked for.

The classifier reads the first token alone. So unless the last layer's other states are asked for, that layer computes
keys and values of every token and everything else for the first token only: the same logits and gradients, at a sixth
of the layer's cost.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import BertForSequenceClassification, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import eager_attention_forward

from adkd.base.errors import RunError
from adkd.data.batches import Batch
from adkd.methods.contract import Pass
from adkd.models.encoder import embeddings, layers, shape

Recorded = dict[str, list[Tensor]]
"""Name of an output -> what the modules that compute it returned, in the order of the layers."""


def forward(model: PreTrainedModel, batch: Batch, needs: frozenset[str], depth: int = 0) -> Pass:
    """The model's pass over a batch.

    Args:
        model: a sequence classifier of the BERT family.
        batch: on the model's device.
        needs: names of ``adkd.methods.method_config.OUTPUTS`` to keep. Logits are always kept. A pass does not compute
            ``token_maps``; it keeps what they are computed from, ``states`` and ``logits_from``.
        depth: 0-based encoder layer whose input is kept as ``states`` and replaced by ``logits_from``.
    """
    recorded: Recorded = {name: [] for name in ("embeddings", "states", "hidden", "query", "key")}
    with attached(_recorders(model, needs, depth, recorded)):
        logits = logits_of(model, batch, whole_last_layer=bool(needs & {"hidden", "attentions"}))
    kept: dict[str, Any] = {}
    if "embeddings" in needs:
        kept["embeddings"] = _only(recorded["embeddings"])
    if "token_maps" in needs:
        kept["states"] = _only(recorded["states"])
    if "cls" in needs:
        kept["cls"] = torch.stack([states[:, 0] for states in recorded["hidden"]], dim=1)
    if "hidden" in needs:
        kept["hidden"] = tuple(recorded["hidden"])
    if "attentions" in needs:
        heads, pairs = shape(model).heads, zip(recorded["query"], recorded["key"], strict=True)
        kept["attentions"] = tuple(attention_scores(query, key, heads) for query, key in pairs)
    return Pass(
        logits,
        logits_from=lambda states: logits_from(model, batch, states, depth),
        redrawn_states=lambda: forward(model, batch, frozenset({"token_maps"}), depth).states,
        **kept,
    )


def _recorders(model: nn.Module, needs: frozenset[str], depth: int, recorded: Recorded) -> Iterator[RemovableHandle]:
    """Hooks that append the outputs of modules to ``recorded``."""

    def record(name: str, module: Any) -> RemovableHandle:
        def hook(module: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
            recorded[name].append(output[0] if isinstance(output, tuple) else output)

        return module.register_forward_hook(hook)

    if "embeddings" in needs:
        yield record("embeddings", embeddings(model))
    if "token_maps" in needs:
        yield record("states", before(model, depth))
    for layer in layers(model):
        if needs & {"hidden", "cls"}:
            yield record("hidden", layer)
        if "attentions" in needs:
            attention: Any = layer.attention
            yield record("query", attention.self.query)
            yield record("key", attention.self.key)


def logits_from(model: nn.Module, batch: Batch, states: Tensor, depth: int = 0) -> Tensor:
    """Logits [B, C] of the model with ``states`` [B, L, H] in place of the input of its layer ``depth``."""

    def replace(module: nn.Module, inputs: tuple, output: Tensor | tuple) -> Tensor | tuple:
        return (states, *output[1:]) if isinstance(output, tuple) else states

    with attached([before(model, depth).register_forward_hook(replace)]):
        return logits_of(model, batch)


def before(model: nn.Module, depth: int) -> nn.Module:
    """The module whose output the encoder layer ``depth`` reads: the previous layer, or the embedding block."""
    return layers(model)[depth - 1] if depth else embeddings(model)


def logits_of(model: nn.Module, batch: Batch, *, whole_last_layer: bool = False) -> Tensor:
    """Logits [B, C]; the last layer of a BERT model computes the first token alone unless ``whole_last_layer``."""
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.mask, "token_type_ids": batch.token_type_ids}
    if whole_last_layer or not isinstance(model, BertForSequenceClassification):
        return model(**inputs).logits
    last: Any = layers(model)[-1]
    last.forward = partial(first_token, last)
    try:
        return model(**inputs).logits
    finally:
        del last.forward  # makes the method of the class visible again


def first_token(layer: Any, hidden: Tensor, attention_mask: Tensor | None, *_: object, **__: object) -> Tensor:
    """The output of a BERT layer for the first token, [B, L, H] -> [B, 1, H]."""
    attention = layer.attention.self
    first = hidden[:, :1]
    query, key, value = (
        x.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
        for x in (attention.query(first), attention.key(hidden), attention.value(hidden))
    )
    attend = ALL_ATTENTION_FUNCTIONS.get_interface(attention.config._attn_implementation, eager_attention_forward)
    context, _ = attend(
        attention,
        query,
        key,
        value,
        None if attention_mask is None else attention_mask[:, :, :1],
        dropout=attention.dropout.p if attention.training else 0.0,
        scaling=attention.scaling,
    )
    return layer.feed_forward_chunk(layer.attention.output(context.flatten(2), first))


def attention_scores(query: Tensor, key: Tensor, heads: int) -> Tensor:
    """QK^T / sqrt(H/A) before mask and softmax: two [B, L, H] -> [B, A, L, L]."""
    query, key = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key))
    return query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5


@contextmanager
def attached(hooks: Iterable[RemovableHandle]) -> Iterator[None]:
    """Remove these hooks when the block ends, also when it raises."""
    handles = list(hooks)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _only(outputs: list[Tensor]) -> Tensor:
    if len(outputs) != 1:
        raise RunError(f"an encoder block ran {len(outputs)} times in one pass; this encoder is not supported")
    return outputs[0]
