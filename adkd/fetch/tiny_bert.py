"""The generated encoder ``tiny_bert``: never trained, the same on every machine, without any download."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from adkd.base.files import json_text, new_directory, read_json, write_json
from adkd.base.files import sha256 as file_sha256
from adkd.fetch import assets

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FILLER = tuple(f"word{i}" for i in range(100))
CUES = tuple(tuple(f"{color}{i}" for i in range(8)) for color in ("red", "green", "blue"))
"""Class number -> its cue words; regression uses those of class 0."""
VOCABULARY = (*SPECIAL, *FILLER, *(word for words in CUES for word in words))
"""The vocabulary of ``tiny_bert``, in the order of the token numbers."""

TINY: dict[str, Any] = {
    "num_hidden_layers": 4,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    # Larger than BERT's 0.02: without pre-training and with 32 units, activations would be close to 0 otherwise.
    "initializer_range": 0.1,
}
TINY_SEED = 20231
LIST = "files.json"
"""File in its directory -> sha256 of every other one."""


def directory() -> Path:
    """The directory of the encoder, named after what determines it.

    It is generated at its first use, and again where a file of it is missing or damaged.
    """
    recipe = sha256(json_text([TINY, TINY_SEED, VOCABULARY]).encode()).hexdigest()
    place = assets.cache() / f"tiny_bert-{recipe[:12]}"
    if not _is_whole(place):
        with assets.locked(place):
            if not _is_whole(place):
                _make(place)
    return place


def _is_whole(place: Path) -> bool:
    """Whether every file has the content that was written."""
    try:
        listed = read_json(place / LIST)
        return bool(listed) and all(file_sha256(place / name) == digest for name, digest in listed.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _make(place: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    with torch.random.fork_rng(devices=[]):  # leaves the run's own random numbers unchanged
        torch.manual_seed(TINY_SEED)
        model = BertModel(BertConfig(vocab_size=len(VOCABULARY), **TINY))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 128}
    with new_directory(place) as new:
        model.config.save_pretrained(new)
        save_file(model.state_dict(), new / "model.safetensors", metadata={"format": "pt"})
        (new / "vocab.txt").write_text("".join(f"{word}\n" for word in VOCABULARY), encoding="utf-8")
        (new / "tokenizer_config.json").write_text(json_text(settings), encoding="utf-8")
        write_json(new / LIST, {file.name: file_sha256(file) for file in sorted(new.iterdir())})
