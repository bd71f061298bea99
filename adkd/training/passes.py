"""One forward pass of a BERT-like classifier, with just the outputs that somebody asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from adkd.contract import Batch, Pass
from adkd.errors import RunError


def forward(model: nn.Module, batch: Batch, needs: frozenset[str]) -> Pass:
    """The model's pass over a batch.

    Args:
        model: a sequence classifier whose encoder has ``embeddings`` and ``encoder.layer`` (the BERT family).
        batch: on the model's device.
        needs: names of ``adkd.outline.OUTPUTS`` to keep. Logits always are. A model does not know its own token maps:
            asked for them, it keeps what they are made of, the embeddings and ``logits_from``.
    """
    outputs: dict[str, list[Tensor]] = {"embeddings": [], "hidden": [], "query": [], "key": []}

    def keep(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
            outputs[name].append(output[0] if isinstance(output, tuple) else output)

        return hook

    def hooks() -> Iterator[RemovableHandle]:
        base = model.base_model
        if needs & {"embeddings", "token_maps"}:
            yield base.embeddings.register_forward_hook(keep("embeddings"))
        for layer in base.encoder.layer:
            if needs & {"hidden", "cls"}:
                yield layer.register_forward_hook(keep("hidden"))
            if "attentions" in needs:
                yield layer.attention.self.query.register_forward_hook(keep("query"))
                yield layer.attention.self.key.register_forward_hook(keep("key"))

    with attached(hooks()):
        logits = model(input_ids=batch.input_ids, attention_mask=batch.mask, token_type_ids=batch.token_type_ids).logits
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
        logits_from=lambda embeddings: logits_from(model, batch, embeddings),
    )


def logits_from(model: nn.Module, batch: Batch, embeddings: Tensor) -> Tensor:
    """Logits [B, C] of the model with these embeddings [B, L, H] in place of its own."""

    def replace(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return embeddings

    with attached([model.base_model.embeddings.register_forward_hook(replace)]):
        return model(input_ids=batch.input_ids, attention_mask=batch.mask, token_type_ids=batch.token_type_ids).logits


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
        raise RunError(f"the embedding block ran {len(outputs)} times in one pass; this encoder is not supported")
    return outputs[0] if outputs else None
