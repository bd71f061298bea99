"""One table of stages: everything that names a stage agrees with it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adkd.__main__ import app
from adkd.plan.fingerprint import Codes
from adkd.plan.results import REPORTS
from adkd.plan.specs import AnySpec
from adkd.plan.stages import RESULTS, STAGES

RULES = Path(__file__).parents[2] / "workflow" / "rules"


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_stage_can_be_carried_out_and_has_a_verb_and_a_rule_of_its_name(stage):
    assert callable(stage.work)
    assert len(Codes()(stage.name, "adkd")) == 64
    assert CliRunner().invoke(app, [stage.name, "--help"]).exit_code == 0
    rules = "".join(file.read_text() for file in RULES.glob("*.smk"))
    rule = "ablation" if stage.name == "curve" else stage.name
    body = re.search(rf"^rule {rule}:\n(.*?)(?=^\S|\Z)", rules, re.MULTILINE | re.DOTALL)
    assert body, f"no rule {rule}"
    assert f"adkd {stage.name} " in body[1]


def test_every_stage_that_makes_a_result_has_a_spec_and_a_report():
    specs = {kind.model_fields["stage"].default for kind in AnySpec.__origin__.__args__}
    assert specs == {stage.name for stage in RESULTS}
    assert set(REPORTS) == {stage.name for stage in RESULTS if stage.report}
