"""What ``config.json`` says about a BERT encoder, and the weights that follow from it."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval
from pydantic import BaseModel, ConfigDict

from adkd.base.validation import STRICT

Size = Annotated[int, Ge(1)]
Probability = Annotated[float, Interval(ge=0, lt=1)]
Activation = Literal["gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "relu", "silu", "tanh"]


class EncoderConfig(BaseModel):
    """What ``config.json`` says about an encoder, with the defaults of transformers; other keys change nothing here.

    Keys that would make it another model than the one that this suite trains have one value each.
    """

    model_config = ConfigDict(**{**STRICT, "extra": "ignore"})

    num_hidden_layers: Annotated[int, Interval(ge=1, le=1000)]
    hidden_size: Size
    num_attention_heads: Size
    intermediate_size: Size = 3072
    vocab_size: Size = 30522
    max_position_embeddings: Size = 512
    type_vocab_size: Size = 2
    hidden_act: Activation = "gelu"
    hidden_dropout_prob: Probability = 0.1
    attention_probs_dropout_prob: Probability = 0.1
    classifier_dropout: Probability | None = None
    layer_norm_eps: Annotated[float, Gt(0)] = 1e-12
    initializer_range: Annotated[float, Gt(0)] = 0.02
    pad_token_id: Annotated[int, Ge(0)] | None = 0
    is_decoder: Literal[False] = False
    add_cross_attention: Literal[False] = False
    position_embedding_type: Literal["absolute"] = "absolute"
    auto_map: None = None
    quantization_config: None = None
    transformers_weights: None = None

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every weight of the encoder but its pooler."""
        hidden, inner = self.hidden_size, self.intermediate_size
        rows = {"word": self.vocab_size, "position": self.max_position_embeddings, "token_type": self.type_vocab_size}
        shapes: dict[str, tuple[int, ...]] = {
            f"embeddings.{kind}_embeddings.weight": (number, hidden) for kind, number in rows.items()
        }
        shapes |= _with_bias("embeddings.LayerNorm", hidden)
        for number in range(self.num_hidden_layers):
            layer = f"encoder.layer.{number}"
            for name in ("self.query", "self.key", "self.value", "output.dense"):
                shapes |= _with_bias(f"{layer}.attention.{name}", hidden, hidden)
            shapes |= _with_bias(f"{layer}.attention.output.LayerNorm", hidden)
            shapes |= _with_bias(f"{layer}.intermediate.dense", inner, hidden)
            shapes |= _with_bias(f"{layer}.output.dense", hidden, inner)
            shapes |= _with_bias(f"{layer}.output.LayerNorm", hidden)
        return shapes

    def pooler(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of the weights of the pooler, which a checkpoint may lack as a whole."""
        return _with_bias("pooler.dense", self.hidden_size, self.hidden_size)


def _with_bias(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
