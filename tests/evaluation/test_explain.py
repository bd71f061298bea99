"""Attributions against a plain integral, completeness, removal of tokens against a plain loop, and the stage."""

from math import ceil
from statistics import mean

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from adkd.base.errors import InputError, RunError
from adkd.data.batches import Batch, Examples
from adkd.evaluation.explain import Explanation, explain, explained_rows
from adkd.evaluation.faithfulness import Example, faithfulness, logits_of_examples
from adkd.evaluation.integrated_gradients import Attributions, attributions, centred
from adkd.models.encoder import head, new_classifier
from adkd.models.passes import forward, logits_of
from adkd.plan.results import Results
from adkd.plan.specs import ExplainSpec, OfModel
from tests.small_models import STUDENT, batch, classifier, one_example
from tests.written import modelled

CPU = torch.device("cpu")


def biased(outputs):
    """A model with random biases, which is smooth at the baseline. Without biases, LayerNorm would keep nothing but the
    direction of the embeddings, and no number of steps could integrate the jump at length 0."""
    model, generator = classifier(STUDENT, outputs), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith("bias"):
                weights.normal_(generator=generator)
    return model


def plain_attributions(model, one, steps):
    """[C, L] signed and magnitudes of one example: one gradient per class and step, in a plain loop."""
    output = forward(model, one, frozenset({"embeddings"}))
    embeddings = output.embeddings.detach()
    points, weights = np.polynomial.legendre.leggauss(steps)
    maps = []
    for c in range(output.logits.shape[1]):
        total = torch.zeros_like(embeddings)
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            at = (embeddings * point).requires_grad_()
            logits = output.logits_from(at)
            score = logits[0, c] - (logits[0].mean() if logits.shape[1] > 1 else 0)
            total += weight * torch.autograd.grad(score, at)[0]
        maps.append(total[0] * embeddings[0])
    maps = torch.stack(maps)
    return maps.sum(-1), maps.norm(dim=-1)


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_attributions_equal_a_plain_integral_of_each_example(outputs):
    """The plain integral takes one gradient per class, and each example alone, without padding."""
    model, examples = classifier(STUDENT, outputs), batch(outputs, lengths=(9, 5, 7), extra=4)
    computed = attributions(model, examples, steps=5)
    for row in range(3):
        one = one_example(examples, row)
        length = one.mask.shape[1]
        signed, magnitudes = plain_attributions(model, one, steps=5)
        torch.testing.assert_close(computed.signed[row, :, :length], signed, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(computed.magnitudes[row, :, :length], magnitudes, atol=1e-6, rtol=1e-6)
        assert (computed.signed[row, :, length:] == 0).all()
        assert (computed.magnitudes[row, :, length:] == 0).all()
    torch.testing.assert_close(computed.logits, logits_of(model, examples))


@pytest.mark.parametrize("outputs", [1, 3])
def test_attributions_sum_to_the_change_of_the_output_as_steps_grow(outputs):
    model, examples = biased(outputs), batch(outputs)
    output = forward(model, examples, frozenset({"embeddings"}))
    change = centred(output.logits) - centred(output.logits_from(torch.zeros_like(output.embeddings)))
    errors = []
    for steps in (2, 8, 32):
        by_token = attributions(model, examples, steps)
        torch.testing.assert_close(by_token.error, (by_token.signed.sum(-1) - change).abs())
        errors.append(by_token.error.max().item())
    assert errors[0] > 10 * errors[1] > 1000 * errors[2]
    assert errors[2] < 1e-6


def example(length, seed):
    """[CLS] is token 1 and [SEP] token 2; no other token has these numbers."""
    ids = torch.randint(3, 50, (length,), generator=torch.Generator().manual_seed(seed))
    ids[[0, length // 2, -1]] = torch.tensor([1, 2, 2])
    return Example(ids, (torch.arange(length) > length // 2).long(), (ids == 1) | (ids == 2))


@pytest.mark.parametrize("outputs", [1, 3])
def test_removing_tokens_equals_a_plain_loop_and_leaves_special_tokens(outputs):
    model, bins, rng = classifier(STUDENT, outputs), [0.2, 0.28, 1.0], np.random.default_rng(3)
    examples = [example(length, seed) for seed, length in enumerate((12, 4, 28, 7))]
    assert 0.28 * len(examples[2].removable) > 7, "in floating point, although 0.28 * 25 is 7"
    orders = [rng.permutation(one.removable) for one in examples]
    logits, seen = logits_of_examples(model, examples, CPU), []

    def look(module, args, kwargs):
        seen.extend(kwargs["input_ids"].tolist())

    with model.register_forward_pre_hook(look, with_kwargs=True):
        measured = faithfulness(model, examples, logits, orders, bins, CPU)
    assert len(seen) == 4 * 3 * 2
    assert all((row.count(1), row.count(2)) == (1, 2) for row in seen)

    def answer(one, positions):
        inputs = {"input_ids": one.input_ids[None, positions], "token_type_ids": one.token_type_ids[None, positions]}
        return model(**inputs).logits[0].detach()

    for one, order, whole, got in zip(examples, orders, logits, measured, strict=True):
        lost = []
        for share in bins:
            top = set(order[: ceil(round(share * len(order), 6))].tolist())
            for out in (top, set(order.tolist()) - top):
                after = answer(one, [i for i in range(len(one.input_ids)) if i not in out])
                best = whole.argmax()
                lost.append((whole - after).abs() if outputs == 1 else (whole.softmax(0) - after.softmax(0))[best])
        assert got.comprehensiveness == pytest.approx(float(np.mean(lost[::2])), abs=1e-9)
        assert got.sufficiency == pytest.approx(float(np.mean(lost[1::2])), abs=1e-9)


def test_an_example_of_special_tokens_alone_has_no_faithfulness():
    model, empty = classifier(STUDENT, 2), Example(torch.tensor([1, 2]), torch.zeros(2).long(), torch.ones(2).bool())
    (measured,) = faithfulness(model, [empty], torch.zeros(1, 2), [empty.removable], [0.5], CPU)
    assert (measured.comprehensiveness, measured.sufficiency) == (None, None)


CUE = 7


def cued(labels, rng):
    """Examples of class 1 contain the cue, one token at a random position; nothing else distinguishes the classes."""
    examples = [example(14, int(seed)) for seed in rng.integers(2**31, size=len(labels))]
    for one, label in zip(examples, labels, strict=True):
        one.input_ids[one.input_ids == CUE] = CUE + 1
        if label:
            one.input_ids[rng.choice(one.removable)] = CUE
    return examples


def whole(examples, labels):
    ids, types = (torch.stack([getattr(one, name) for one in examples]) for name in ("input_ids", "token_type_ids"))
    return Batch(ids, types, torch.ones_like(ids), torch.from_numpy(labels), torch.arange(len(examples)))


@pytest.mark.workflow
def test_the_token_that_determines_the_class_comes_first_and_is_faithful():
    model, rng = classifier(STUDENT, 2, dtype=torch.float32), np.random.default_rng(11)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        labels = rng.integers(0, 2, 32)
        data = whole(cued(labels, rng), labels)
        loss = torch.nn.functional.cross_entropy(logits_of(model, data), data.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.requires_grad_(False)
    examples = cued(np.ones(20), rng)
    computed = attributions(model, whole(examples, np.ones(20)), steps=16)
    parts = [Attributions(*tensors) for tensors in zip(*vars(computed).values(), strict=True)]
    explained = [
        Explanation(i, 1.0, one, part)
        for i, (one, part) in enumerate(zip(examples, parts, strict=True))
        if part.logits.argmax() == 1
    ]
    examples = [one.example for one in explained]
    assert len(examples) >= 15
    first = [one.example.input_ids[one.order[0]].item() for one in explained]
    assert first.count(CUE) >= 0.9 * len(first)
    logits = torch.stack([one.attributions.logits for one in explained])
    own, random = (
        faithfulness(model, examples, logits, orders, [0.1], CPU)
        for orders in ([one.order for one in explained], [rng.permutation(one.removable) for one in examples])
    )
    assert mean(one.comprehensiveness for one in own) > mean(one.comprehensiveness for one in random) + 0.3
    assert mean(one.sufficiency for one in own) < mean(one.sufficiency for one in random) - 0.3


SPEC = ExplainSpec(
    result="explanations/teacher",
    code="",
    task="mnli",
    split="validation_matched",
    rows=12,
    steps=16,
    bins=(0.1, 0.5),
    seed=0,
    device="cpu",
    threads=1,
    inputs=OfModel(data="data/mnli", teacher="teacher"),
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    directory = tmp_path_factory.mktemp("teacher")
    modelled(Results(directory), "teacher", new_classifier("tiny_bert", 3, task="mnli", seed=0))
    return directory / "teacher"


@pytest.fixture
def tree(results, teacher):
    """A tree of results with prepared data and a teacher."""
    results.directory("teacher").symlink_to(teacher)
    return results


def explained(results, **changed):
    spec = SPEC.model_copy(update=changed)
    explain(spec, results)
    return pq.read_table(results.directory(spec.result) / "examples.parquet").to_pylist(), results.report(spec)


def test_all_models_explain_the_same_examples_and_a_rerun_gives_the_same_bytes(tree, data):
    ours, _ = explained(tree)
    again, _ = explained(tree, result="explanations/again")
    modelled(tree, "student", new_classifier("tiny_bert", 3, task="mnli", seed=5, layers=[0, 1]))
    inputs = OfModel(data="data/mnli", student="student")
    theirs, report = explained(tree, result="explanations/student", seed=5, inputs=inputs)
    assert ours == again
    one, other = (tree.directory(f"explanations/{name}") / "examples.parquet" for name in ("teacher", "again"))
    assert one.read_bytes() == other.read_bytes()
    same = ("idx", "label", "tokens", "special")
    assert [[row[name] for name in same] for row in ours] == [[row[name] for name in same] for row in theirs]
    assert [row["idx"] for row in ours] == sorted({row["idx"] for row in ours})
    assert report.rows == 12
    errors = np.concatenate([row["completeness_error"] for row in theirs])
    for name, of in (("mean", np.mean), ("median", np.median), ("max", np.max)):
        assert getattr(report.completeness_error.absolute, name) == pytest.approx(of(errors))
    words = [token for row in ours for token, special in zip(row["tokens"], row["special"], strict=True) if special]
    assert set(words) == {"[CLS]", "[SEP]"}
    assert len(words) == 3 * 12
    examples = Examples.load(data, "validation_matched")
    few, many = (set(explained_rows(examples, "mnli", "validation_matched", most).tolist()) for most in (5, 12))
    assert few < many
    assert len(explained_rows(examples, "mnli", "validation_matched", 999)) == len(examples) == 20


@pytest.mark.parametrize(
    ("change", "what", "value"),
    [
        ({"rows": 0}, "rows", 0),
        ({"steps": 0}, "steps", 0),
        ({"bins": (0.1, 1.5)}, "bins[1]", 1.5),
        ({"bins": ()}, "bins", []),
        ({"split": "validation_matchd"}, "split", "validation_matchd"),
    ],
)
def test_a_setting_out_of_range_is_refused_and_nothing_is_written(tree, change, what, value):
    with pytest.raises(InputError) as caught:
        explained(tree, **change)
    assert what in caught.value.what
    assert caught.value.value == value
    assert not tree.directory(SPEC.result).exists()


def test_a_model_that_diverged_leaves_no_explanation(results):
    model = new_classifier("tiny_bert", 3, task="mnli", seed=0)
    torch.nn.init.constant_(head(model).bias, torch.nan)
    modelled(results, "teacher", model)
    with pytest.raises(RunError, match="not finite"):
        explained(results)
    assert not results.directory(SPEC.result).exists()
