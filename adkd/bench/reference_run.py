"""A whole run of the published AD-KD, as a process like `adkd student`: `python -m adkd.bench.reference_run SPEC OUT`.

It has the spec of a student of the suite, starts from the same weights and sees the same examples; teacher, padding,
loss and optimisation are those of ``adkd.bench.published_way``.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from adkd.base.files import write_json
from adkd.base.seeds import derived
from adkd.bench import published_way
from adkd.bench.lengths import LONGEST
from adkd.data.batches import Batch, Examples
from adkd.data.batching import Batches
from adkd.data.glue_metric import GlueMetric
from adkd.data.tasks import task as task_named
from adkd.plan.results import Results
from adkd.plan.specs import SignalSpec, StudentSpec
from adkd.training.student import new_student


def main(spec_file: Path, out: Path) -> None:
    """Train one student, and write its scores on the first dev split after every epoch to ``out``."""
    results, name = Results.of(spec_file)
    spec = results.spec(name, StudentSpec)
    torch.set_num_threads(spec.threads)
    torch.manual_seed(derived(spec.task, spec.seed, "dropout"))
    task, data, training = task_named(spec.task), results.directory(spec.inputs.data), spec.training
    size = training.batch_size
    examples, dev = Examples.load(data, "train"), Examples.load(data, task.splits("validation")[0])
    signal = results.spec(spec.inputs.signals["logits"], SignalSpec)
    model = results.directory(signal.inputs.teacher) / "model"
    teacher = AutoModelForSequenceClassification.from_pretrained(
        model, attn_implementation="eager", trust_remote_code=False
    ).eval()
    order = Batches(examples, size, "random", torch.Generator().manual_seed(derived(spec.task, spec.seed, "order")))
    student = plain(new_student(spec, task.outputs, eager=True))
    settings = {name: spec.settings[name] for name in ("alpha", "temperature", "beta", "top_k")}
    steps = training.epochs * -(-len(examples) // size)
    descent = published_way.Descent(student, training.learning_rate, steps)
    scores = []
    for _ in range(training.epochs):
        student.train()
        for rows in order.epoch():
            descent.step(published_way.adkd_loss(student, teacher, batch(examples, rows), **settings))
        batches = (batch(dev, rows) for rows in torch.arange(len(dev)).split(size))
        logits = published_way.predict(student, batches)
        answers = logits[:, 0] if task.regression else logits.argmax(1)
        metric = GlueMetric(config_name=task.name, keep_in_memory=True)
        scores.append(metric.compute(predictions=answers, references=dev.labels))
    write_json(out, {"spec": spec.as_json(), "scores": scores})


def plain(student: PreTrainedModel) -> nn.Module:
    """The same weights in an unmodified model of ``transformers``."""
    model = type(student)(student.config)
    model.load_state_dict(student.state_dict())
    model.set_attn_implementation("eager")
    return model


def batch(examples: Examples, rows: Any) -> Batch:
    """A batch padded as in the published implementation."""
    return published_way.padded(examples.batch(rows), LONGEST)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
