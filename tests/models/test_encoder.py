"""A student starts from chosen layers of the pre-trained teacher, the same for every method of one seed."""

import pytest
import torch

from adkd.base.errors import InputError
from adkd.fetch.checkpoints import Shape
from adkd.models.encoder import head, new_classifier, shape


def student(seed=1, task="mnli", **options):
    return new_classifier("tiny_bert", 3, task=task, seed=seed, layers=[1, 3], **options)


def test_a_student_has_the_chosen_layers_of_the_pretrained_teacher():
    teacher, ours = new_classifier("tiny_bert", 3, task="mnli", seed=0), student()
    assert shape(ours) == Shape(layers=2, hidden=32, heads=4)
    for number, source in ((0, 1), (1, 3)):
        kept, original = (m.bert.encoder.layer[i].state_dict() for m, i in ((ours, number), (teacher, source)))
        assert all(torch.equal(kept[name], original[name]) for name in original)
    assert torch.equal(ours.bert.embeddings.word_embeddings.weight, teacher.bert.embeddings.word_embeddings.weight)


def test_a_saved_student_gives_the_same_logits_when_it_is_loaded(tmp_path):
    from transformers import AutoModelForSequenceClassification

    model, ids = student().eval(), torch.tensor([[2, 7, 9, 3]])
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.allclose(again(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-6)


def test_the_head_depends_on_task_and_seed_alone():
    weight = head(student()).weight
    torch.manual_seed(123)
    torch.rand(7)
    assert torch.equal(head(student(eager=True)).weight, weight)
    assert not torch.equal(head(student(seed=2)).weight, weight)
    assert not torch.equal(head(student(task="rte")).weight, weight)


def test_building_a_model_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    student()
    assert torch.rand(1) == expected


def test_a_missing_layer_is_named():
    with pytest.raises(InputError) as caught:
        new_classifier("tiny_bert", 3, task="mnli", seed=0, layers=[1, 4])
    error = caught.value
    assert (error.what, error.value) == ("student.from_teacher_layers[1]", 4)
    assert error.allowed == "an integer from 0 to 3"
