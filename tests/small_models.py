"""Small BERT classifiers and batches for the tests: real models, random weights large enough to have opinions."""

from dataclasses import replace

import torch
from transformers import BertConfig, BertForSequenceClassification

from adkd.data.batches import Batch
from adkd.fetch.checkpoints import Shape
from adkd.models import kernels

TEACHER = Shape(layers=4, hidden=32, heads=4)
STUDENT = Shape(layers=2, hidden=32, heads=4)


def classifier(shape: Shape, outputs: int, *, seed: int = 0, dtype: torch.dtype = torch.float64):
    """A BERT classifier in eval mode, with plain attention."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=50,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=2 * shape.hidden,
        max_position_embeddings=32,
        num_labels=outputs,
        initializer_range=0.3,
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config).to(dtype).eval()


def fixed_dropout(monkeypatch):
    """Make every dropout, PyTorch's and the suite's, drop half by place alone: what a token loses does not depend on
    how many tokens are computed beside it. For models that ``halve_dropout`` was called on."""

    def kept(shape, dropped=2**15):
        assert dropped == 2**15
        places = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
        primes = torch.tensor([7919, 104729, 1299709, 15485863])[: len(shape)].view(-1, *[1] * len(shape))
        return (places * primes).sum(0) * 2654435761 % 2**32 < 2**31

    def dropout(x, p, training=True, inplace=False):
        return x * kept(x.shape, round(p * 2**16)) * 2 if training and p else x

    monkeypatch.setattr(kernels, "kept", kept)
    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)


def halve_dropout(model):
    """The same model, its dropout probabilities set to 0.5."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, kernels.Dropout)):
            module.p = 0.5
    return model


def batch(outputs: int, *, lengths: tuple[int, ...] = (9, 5, 7), extra: int = 0, seed: int = 1) -> Batch:
    """Examples of these lengths, padded to the longest and ``extra`` more; class numbers, or scores for one output."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(lengths) + extra) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(1, 50, (len(lengths), max(lengths)), generator=generator)
    ids = torch.nn.functional.pad(ids, (0, extra)) * mask
    if outputs == 1:
        labels = torch.rand(len(lengths), generator=generator, dtype=torch.float64) * 5
    else:
        labels = torch.arange(len(lengths)) % outputs
    return Batch(ids, torch.zeros_like(ids), mask, labels, torch.arange(len(lengths)))


def part(whole: Batch, rows: slice) -> Batch:
    """Some examples of a batch, which keep its padding and the counts of the whole."""
    tensors = ("input_ids", "token_type_ids", "mask", "labels", "rows")
    return replace(whole, **{name: getattr(whole, name)[rows] for name in tensors})


def one_example(whole: Batch, row: int) -> Batch:
    """One example of a batch, without its padding."""
    length = int(whole.mask[row].sum())
    return Batch(
        whole.input_ids[row : row + 1, :length],
        whole.token_type_ids[row : row + 1, :length],
        whole.mask[row : row + 1, :length],
        whole.labels[row : row + 1],
        whole.rows[row : row + 1],
    )
