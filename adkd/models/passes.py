"""One forward pass of a BERT-like classifier, with just the outputs that somebody asked for.

The classifier reads the first token alone. So unless the last layer's other states are asked for, that layer computes
keys and values of every token and all the rest of the first: the same logits and gradients, for a sixth of its cost.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import BertForSequenceClassification
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import eager_attention_forward

from adkd.base.errors import RunError
from adkd.data.batches import Batch
from adkd.methods.contract import Pass


def forward(model: nn.Module, batch: Batch, needs: frozenset[str], depth: int = 0) -> Pass:
    """The model's pass over a batch.

    Args:
        model: a sequence classifier whose encoder has ``embeddings`` and ``encoder.layer`` (the BERT family).
        batch: on the model's device.
        needs: names of ``adkd.methods.method_config.OUTPUTS`` to keep. Logits always are. A model does not know its own
            token maps: asked for them, it keeps what they are made of, the states and ``logits_from``.
        depth: 0-based encoder layer whose input is kept as ``states`` and taken by ``logits_from``.
    """
    outputs: dict[str, list[Tensor]] = {"embeddings": [], "states": [], "hidden": [], "query": [], "key": []}

    def keep(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
            outputs[name].append(output[0] if isinstance(output, tuple) else output)

        return hook

    def hooks() -> Iterator[RemovableHandle]:
        base = model.base_model
        if "embeddings" in needs:
            yield base.embeddings.register_forward_hook(keep("embeddings"))
        if "token_maps" in needs:
            yield before(model, depth).register_forward_hook(keep("states"))
        for layer in base.encoder.layer:
            if needs & {"hidden", "cls"}:
                yield layer.register_forward_hook(keep("hidden"))
            if "attentions" in needs:
                yield layer.attention.self.query.register_forward_hook(keep("query"))
                yield layer.attention.self.key.register_forward_hook(keep("key"))

    whole = bool(needs & {"hidden", "attentions"})
    with attached(hooks()):
        logits = logits_of(model, batch, whole_last_layer=whole)
    hidden = outputs["hidden"]
    heads = model.config.num_attention_heads
    return Pass(
        logits=logits,
        cls=torch.stack([h[:, 0] for h in hidden], dim=1) if "cls" in needs else None,
        embeddings=_only(outputs["embeddings"]),
        hidden=tuple(hidden) if "hidden" in needs else None,
        attentions=tuple(attention_scores(q, k, heads) for q, k in zip(outputs["query"], outputs["key"], strict=True))
        if "attentions" in needs
        else None,
        states=_only(outputs["states"]),
        logits_from=lambda states: logits_from(model, batch, states, depth),
    )


def logits_from(model: nn.Module, batch: Batch, states: Tensor, depth: int = 0) -> Tensor:
    """Logits [B, C] of the model with these states [B, L, H] in place of what its layer ``depth`` would read."""

    def replace(module: nn.Module, inputs: tuple, output: Tensor | tuple) -> Tensor | tuple:
        return (states, *output[1:]) if isinstance(output, tuple) else states

    with attached([before(model, depth).register_forward_hook(replace)]):
        return logits_of(model, batch)


def before(model: nn.Module, depth: int) -> nn.Module:
    """The module whose output the encoder layer ``depth`` reads: another layer, or the embedding block."""
    base = model.base_model
    return base.encoder.layer[depth - 1] if depth else base.embeddings


def logits_of(model: nn.Module, batch: Batch, *, whole_last_layer: bool = False) -> Tensor:
    """Logits [B, C]; the last layer computes the first token alone, if the model is one where that is known to do."""
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.mask, "token_type_ids": batch.token_type_ids}
    if whole_last_layer or not isinstance(model, BertForSequenceClassification):
        return model(**inputs).logits
    last = model.base_model.encoder.layer[-1]
    last.forward = partial(first_token, last)
    try:
        return model(**inputs).logits
    finally:
        del last.forward  # the class's own shows again


def first_token(layer: nn.Module, hidden: Tensor, attention_mask: Tensor | None, *_: object, **__: object) -> Tensor:
    """What a BERT layer makes of the first token, [B, L, H] -> [B, 1, H]."""
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
def attached(handles: Iterator[RemovableHandle] | list[RemovableHandle]) -> Iterator[None]:
    """Hooks that are gone when the block ends, also when it raises."""
    handles = list(handles)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _only(outputs: list[Tensor]) -> Tensor | None:
    if len(outputs) > 1:
        raise RunError(f"one block ran {len(outputs)} times in one pass; this encoder is not supported")
    return outputs[0] if outputs else None
