"""Damaged files of a finished tree are named, with the command that rebuilds them, by whatever reads them."""

import re

import pytest

from tests.workflow.damage import GRID, KINDS, SPEC, Tried

pytestmark = pytest.mark.workflow

READ_BY = {
    "results/data/stsb/train.arrow": ("student", SPEC.format("students/finetune/stsb/seed-1")),
    "results/teachers/stsb/seed-shared/model/model.safetensors": (
        "signals",
        SPEC.format("signals/stsb/seed-shared/logits"),
    ),
    "results/students/adkd/stsb/seed-1/metrics.json": ("scores", GRID),
    "results/students/adkd/stsb/seed-1/predictions/validation.parquet": ("scores", GRID),
    "results/scores.csv": ("tables", GRID),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, KINDS[(place + 3 * number) % 8]) for place, name in enumerate(READ_BY) for number in range(3)],
)
def test_a_damaged_file_is_named_with_what_rebuilds_it(grid, name, kind):
    case = Tried(grid)(name, kind, READ_BY[name])
    assert case.outcome == "named", case
    assert re.search(r"(rebuild|make) it with: adkd \w+ results/plan/", case.said)


@pytest.mark.parametrize("kind", ["flipped", "deleted", "unreadable"])
def test_a_damaged_generated_encoder_is_generated_again(grid, kind):
    (name,) = (path.relative_to(grid).as_posix() for path in grid.glob("cache/tiny_bert*/model.safetensors"))
    case = Tried(grid)(name, kind, ("data", SPEC.format("data/stsb")))
    assert case.outcome == "rebuilt", case
