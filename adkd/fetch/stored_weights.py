"""Names, shapes and precisions of the weights in a directory, without reading a number.

Imports torch for pickles alone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError, first_line

WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)
"""Files of weights in the order in which transformers looks for them: the whole, or an index and its shards."""

COPY = "copy or download the model again"


@dataclass(frozen=True)
class Stored:
    """A tensor in a file of weights."""

    shape: tuple[int, ...]
    precision: str
    """As safetensors has it, such as F32."""


def weight_files(directory: Path) -> list[Path]:
    """The files of a directory that transformers reads weights from; the first one may be an index of the others.

    Raises:
        InputError: there are none, or a shard is missing.
    """
    for whole, index, _ in WEIGHTS:
        if (directory / whole).is_file():
            return [directory / whole]
        if (path := directory / index).is_file():
            weight_map = read_mapping(path).get("weight_map")
            if not (isinstance(weight_map, dict) and weight_map):
                raise InputError(f"{path}: weight_map", value=weight_map, allowed="a mapping of weights to files")
            shards = [directory / str(shard) for shard in sorted(set(map(str, weight_map.values())))]
            if absent := [shard for shard in shards if not shard.is_file()]:
                raise InputError(f"{absent[0]} is missing", remedy=f"copy it there: {path} names it")
            return [path, *shards]
    names = ", ".join(name for whole, index, _ in WEIGHTS for name in (whole, index))
    raise InputError(f"{directory} has no weights", remedy=f"save the model as one of {names}")


def stored_weights(directory: Path) -> dict[str, Stored]:
    """Name -> tensor, of all files of weights in a directory.

    Raises:
        InputError: a file is missing or cannot be read, or the index does not fit the shards.
    """
    tensors: dict[str, Stored] = {}
    first, *shards = weight_files(directory)
    for file in shards or [first]:
        read = dict(_pickled(file) if file.suffix == ".bin" else _safetensors(file))
        if twice := sorted(tensors.keys() & read.keys()):
            raise InputError(f"{file} has {listed(twice)}, which another shard has too", remedy=COPY)
        tensors |= read
    if shards and (different := sorted(tensors.keys() ^ read_mapping(first)["weight_map"].keys())):
        raise InputError(f"{first} and its shards differ in {listed(different)}", remedy=COPY)
    return tensors


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Raises InputError, with the path, if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {error}", remedy=COPY) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a mapping", remedy=COPY)
    return content


def listed(names: list[str]) -> str:
    """The first names of a list, and how many follow."""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more weights" if len(names) > 2 else "")


def _safetensors(path: Path) -> Iterator[tuple[str, Stored]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as opened:
            for name in opened.keys():  # noqa: SIM118, it is no mapping
                tensor = opened.get_slice(name)
                yield name, Stored(tuple(tensor.get_shape()), tensor.get_dtype())
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read {path}: {error}", remedy=COPY) from error


def _pickled(path: Path) -> Iterator[tuple[str, Stored]]:
    """The tensors of a pickle. Torch reads it without running what it contains."""
    import torch

    remedy = "save the model as model.safetensors"
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # whatever the bytes make of it
        raise InputError(f"cannot read {path}: {first_line(error)}", remedy=remedy) from error
    if not (isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values())):
        raise InputError(f"{path} must hold a mapping of names to tensors", remedy=remedy)
    for name, tensor in content.items():
        precision = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
        kind = str(tensor.dtype).removeprefix("torch.")
        yield str(name), Stored(tuple(tensor.shape), precision.get(kind, kind))
