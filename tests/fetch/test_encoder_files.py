"""What a directory with an encoder stores is trained in float32, or refused before any training in one line."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

from adkd.base.errors import InputError
from adkd.base.files import read_json, write_json
from adkd.fetch import checkpoints, origins, tiny_bert
from adkd.models.encoder import head, new_classifier
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config

QUERY = "encoder.layer.0.attention.self.query.weight"
BERT = BertConfig(**{**tiny_bert.TINY, "num_hidden_layers": 2}, vocab_size=len(tiny_bert.VOCABULARY))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A BERT with two layers and the vocabulary of ``tiny_bert``, as transformers saves it."""
    directory = tmp_path_factory.mktemp("source") / "model"
    torch.manual_seed(1)
    BertModel(BERT).save_pretrained(directory)
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(Path(checkpoints.location("tiny_bert")[0]) / name, directory)
    return directory


@pytest.fixture
def model(source, tmp_path) -> Path:
    return Path(shutil.copytree(source, tmp_path / "model"))


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def store(model: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, model / "model.safetensors")


def configure(model: Path, **changes: object) -> None:
    write_json(model / "config.json", read_json(model / "config.json") | changes)


def shard(model: Path, lost: int | None = None) -> None:
    """Split the weights into two files with an index, without one of these files."""
    tensors, where = weights(model), {}
    for number in range(2):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        part = {name: tensor for index, (name, tensor) in enumerate(tensors.items()) if index % 2 == number}
        if number != lost:
            save_file(part, model / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    write_json(model / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    (model / "model.safetensors").unlink()


def pickle(model: Path, **options: object) -> None:
    torch.save(weights(model), model / "pytorch_model.bin", **options)
    (model / "model.safetensors").unlink()


def renamed(name: str) -> str:
    return f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def cast(model: Path, kind: torch.dtype) -> None:
    store(model, {name: tensor.to(kind) for name, tensor in weights(model).items()})
    configure(model, dtype=str(kind).removeprefix("torch."))


def give_head(model: Path) -> None:
    torch.manual_seed(2)
    store(model, {f"bert.{k}": v for k, v in weights(model).items()} | {"classifier.weight": torch.ones(7, 32)})


TRAINED = {
    "as it was saved": lambda model: None,
    "float16": lambda model: cast(model, torch.float16),
    "bfloat16": lambda model: cast(model, torch.bfloat16),
    "float64": lambda model: cast(model, torch.float64),
    "old names": lambda model: store(model, {renamed(name): tensor for name, tensor in weights(model).items()}),
    "a head of another size": give_head,
    "shards": shard,
    "a pickle": pickle,
    "an old pickle": lambda model: pickle(model, _use_new_zipfile_serialization=False),
    "a buffer": lambda model: store(model, weights(model) | {"embeddings.position_ids": torch.arange(128)[None]}),
    "tokenizer.json alone": lambda model: only_tokenizer_json(model),
}


def only_tokenizer_json(model: Path) -> None:
    checkpoints.tokenizer(str(model)).save_pretrained(model)
    (model / "vocab.txt").unlink()


@pytest.mark.parametrize("change", TRAINED)
def test_what_the_file_says_is_trained_in_float32(source, model, change):
    TRAINED[change](model)
    built = new_classifier(str(model), 3, task="mnli", seed=1)
    assert {weight.dtype for weight in built.parameters()} == {torch.float32}
    stored, loose = weights(source), 0 if "float" not in change or change == "float64" else 0.01
    for name, weight in built.bert.state_dict().items():
        torch.testing.assert_close(weight, stored[name], rtol=loose, atol=0)
    fresh = new_classifier(str(source), 3, task="mnli", seed=1)
    assert torch.equal(head(built).weight, head(fresh).weight)
    assert checkpoints.known(str(model)).vocabulary == checkpoints.known("tiny_bert").vocabulary
    assert all(len(digest) == 64 for digest in origins.origin(str(model)).sha256.values())


def test_a_pooler_may_be_drawn_but_not_half_of_it(model):
    tensors = {name: tensor for name, tensor in weights(model).items() if not name.startswith("pooler")}
    bias = weights(model)["pooler.dense.bias"]
    store(model, tensors)
    first, second = (new_classifier(str(model), 2, task="rte", seed=1) for _ in range(2))
    assert torch.equal(first.bert.pooler.dense.weight, second.bert.pooler.dense.weight)
    store(model, tensors | {"pooler.dense.bias": bias})
    assert "lacks pooler.dense.weight" in refused(model).what


def without(model: Path, name: str) -> None:
    store(model, {key: tensor for key, tensor in weights(model).items() if key != name})


def cut_file(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def code_in_pickle(model: Path) -> None:
    pickle(model)
    torch.save({QUERY: Path("x")}, model / "pytorch_model.bin")


def renumber(model: Path, number: str) -> None:
    """Give the token ``word7`` another number."""
    only_tokenizer_json(model)
    file = model / "tokenizer.json"
    file.write_text(re.sub(r'"word7": ?\d+', f'"word7": {number}', file.read_text()))


def remove(name: str):
    return lambda model: (model / name).unlink()


REFUSED = {
    "no model_type": (lambda m: write_json(m / "config.json", {"num_hidden_layers": 2}), "lacks model_type"),
    "another family": (lambda m: configure(m, model_type="electra"), "model_type"),
    "a decoder": (lambda m: configure(m, is_decoder=True), "is_decoder"),
    "relative positions": (lambda m: configure(m, position_embedding_type="relative_key"), "position_embedding_type"),
    "code of its own": (lambda m: configure(m, auto_map={"AutoModel": "x.Y"}), "auto_map"),
    "quantized": (lambda m: configure(m, quantization_config={"bits": 4}), "quantization_config"),
    "text for a number": (lambda m: configure(m, hidden_size="32"), "hidden_size"),
    "no layers": (lambda m: configure(m, num_hidden_layers=0), "num_hidden_layers"),
    "uneven heads": (lambda m: configure(m, num_attention_heads=5), "hidden_size"),
    "unknown activation": (lambda m: configure(m, hidden_act="gelv"), "hidden_act"),
    "config is no JSON": (lambda m: (m / "config.json").write_text("{"), "cannot read"),
    "config is no text": (lambda m: (m / "config.json").write_bytes(b"\xff\xfe{"), "cannot read"),
    "an adapter": (lambda m: write_json(m / "adapter_config.json", {}), "adds an adapter"),
    "no config": (remove("config.json"), "cannot read"),
    "another width": (lambda m: configure(m, hidden_size=64), "the shape of embeddings.word_embeddings.weight"),
    "another inner width": (lambda m: configure(m, intermediate_size=65), "intermediate.dense"),
    "more positions": (lambda m: configure(m, max_position_embeddings=512), "position_embeddings"),
    "more token types": (lambda m: configure(m, type_vocab_size=3), "token_type_embeddings"),
    "more words": (lambda m: configure(m, vocab_size=200), "word_embeddings"),
    "missing layer": (lambda m: configure(m, num_hidden_layers=3), "lacks encoder.layer.2."),
    "surplus layer": (lambda m: configure(m, num_hidden_layers=1), "has encoder.layer.1."),
    "missing weight": (lambda m: without(m, QUERY), f"lacks {QUERY}"),
    "module.": (lambda m: store(m, {f"module.{k}": v for k, v in weights(m).items()}), "module."),
    "model.bert.": (lambda m: store(m, {f"model.bert.{k}": v for k, v in weights(m).items()}), "model."),
    "twice": (lambda m: store(m, weights(m) | {f"bert.{QUERY}": weights(m)[QUERY]}), f"two weights for {QUERY}"),
    "integers": (lambda m: cast(m, torch.int8), "the precision of"),
    "NaN": (lambda m: store(m, weights(m) | {QUERY: torch.full((32, 32), torch.nan)}), "is not finite"),
    "too large for float32": (
        lambda m: store(m, weights(m) | {QUERY: torch.full((32, 32), 1e300, dtype=torch.float64)}),
        "is not finite",
    ),
    "a missing shard": (lambda m: shard(m, lost=1), "model-00002-of-00002.safetensors is missing"),
    "a cut file": (cut_file, "cannot read"),
    "a pickle with objects": (code_in_pickle, "cannot read"),
    "a pickle of nothing": (
        lambda m: (remove("model.safetensors")(m), torch.save([1], m / "pytorch_model.bin")),
        "must hold a mapping of names",
    ),
    "no weights": (remove("model.safetensors"), "has no weights"),
    "no vocabulary": (remove("vocab.txt"), "has no vocabulary"),
    "an empty vocabulary": (lambda m: (m / "vocab.txt").write_text(""), "lacks the pad_token"),
    "a vocabulary without [CLS]": (
        lambda m: (m / "vocab.txt").write_text("\n".join(w for w in tiny_bert.VOCABULARY if w != "[CLS]")),
        "lacks the cls_token",
    ),
    "a larger vocabulary": (lambda m: (m / "vocab.txt").open("a").write("one\nmore\n"), "the vocabulary size"),
    "a vocabulary that is no text": (lambda m: (m / "vocab.txt").write_bytes(b"\xff\n"), "cannot read"),
    "a tokenizer that is no JSON": (lambda m: (m / "tokenizer.json").write_text("{}"), "has no vocabulary"),
}
REFUSED |= {
    f"a token's number is {number}": (lambda m, number=number: renumber(m, number), "has no vocabulary")
    for number in ("1e999", "1.5", "null", "-1", "2")
}
ONLY_WHEN_READ = {"NaN", "too large for float32"}
"""Found when the numbers are read: at the start of a run, not by the plan."""


def refused(model: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        new_classifier(str(model), 3, task="mnli", seed=1)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("change", REFUSED)
def test_what_is_no_encoder_is_refused_by_the_plan_and_by_the_run(model, change):
    damage, what = REFUSED[change]
    damage(model)
    error = refused(model)
    assert what in error.what
    assert error.allowed or error.remedy
    for key, other in (("teacher", "student"), ("student", "teacher")):
        config = planned(**{key: str(model), other: "tiny_bert"})
        if change not in ONLY_WHEN_READ:
            with pytest.raises(InputError) as caught:
                validate(config)
            assert caught.value.what == error.what
            assert f"{key}.model" in caught.value.where


def planned(teacher: str, student: str, task: str = "mnli", max_length: int = 32) -> dict[str, object]:
    rows = {"train": 100, "validation": 50, "test": 10}
    tiny = load_config([CONFIGS / "tiny.yaml"])
    return tiny | {
        "data": {"source": "generated", "rows": rows, "max_length": max_length},
        "teacher": tiny["teacher"] | {"model": teacher},
        "student": {"model": student},
        "tasks": [task],
        "methods": ["finetune"],
        "reference": "finetune",
        "ablations": {},
        "seeds": [1],
    }


def test_the_plan_accepts_what_can_be_trained(model):
    validate(planned(str(model), str(model)))
    validate(planned("tiny_bert", str(model)))


def test_the_plan_knows_how_many_tokens_a_model_takes(model):
    BertForSequenceClassification(BertConfig(**{**BERT.to_dict(), "max_position_embeddings": 16})).save_pretrained(
        model
    )
    with pytest.raises(InputError) as caught:
        validate(planned("tiny_bert", str(model)))
    error = caught.value
    assert (error.what, error.value) == ("data.max_length", 32)
    assert error.allowed == f"at most 16, the most tokens that student.model {model} takes"
    validate(planned("tiny_bert", str(model), max_length=16))


def test_a_model_with_one_token_type_reads_single_texts_alone(model):
    BertModel(BertConfig(**{**BERT.to_dict(), "type_vocab_size": 1})).save_pretrained(model)
    validate(planned("tiny_bert", str(model), task="sst2"))
    with pytest.raises(InputError) as caught:
        validate(planned("tiny_bert", str(model), task="rte"))
    assert (caught.value.what, caught.value.value) == ("student.model", str(model))


def test_another_vocabulary_is_refused_whichever_file_holds_it(model):
    tokens = list(tiny_bert.VOCABULARY)
    tokens[-1], tokens[-2] = tokens[-2], tokens[-1]
    (model / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    only_tokenizer_json(model)
    with pytest.raises(InputError) as caught:
        validate(planned("tiny_bert", str(model)))
    assert caught.value.what == "student.model"
