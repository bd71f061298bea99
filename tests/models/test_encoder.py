"""How a student begins: from chosen layers of the pre-trained teacher, alike for every method of one seed."""

import pytest
import torch

from adkd.base.errors import InputError
from adkd.fetch.checkpoints import Shape
from adkd.models.encoder import new_classifier, shape


def student(seed=1, task="mnli", **options):
    return new_classifier("tiny_bert", 3, task=task, seed=seed, layers=[1, 3], **options)


def test_a_student_has_the_chosen_layers_of_the_pretrained_teacher():
    whole, part = new_classifier("tiny_bert", 3, task="mnli", seed=0), student()
    assert shape(part) == Shape(layers=2, hidden=32, heads=4)
    for ours, theirs in ((0, 1), (1, 3)):
        kept, source = (m.bert.encoder.layer[i].state_dict() for m, i in ((part, ours), (whole, theirs)))
        assert all(torch.equal(kept[name], source[name]) for name in source)
    assert torch.equal(part.bert.embeddings.word_embeddings.weight, whole.bert.embeddings.word_embeddings.weight)


def test_a_saved_student_is_the_student(tmp_path):
    from transformers import AutoModelForSequenceClassification

    model, ids = student().eval(), torch.tensor([[2, 7, 9, 3]])
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.allclose(again(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-6)


def test_the_head_depends_on_task_and_seed_and_on_nothing_else():
    head = student().classifier.weight
    torch.manual_seed(123)
    torch.rand(7)
    assert torch.equal(student(eager=True).classifier.weight, head)
    assert not torch.equal(student(seed=2).classifier.weight, head)
    assert not torch.equal(student(task="rte").classifier.weight, head)


def test_building_a_model_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    student()
    assert torch.rand(1) == expected


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"from_teacher_layers: 4 \(allowed: 0 to 3\)"):
        new_classifier("tiny_bert", 3, task="mnli", seed=0, layers=[1, 4])
