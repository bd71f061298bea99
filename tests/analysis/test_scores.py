import pandas as pd
import pytest

from adkd.analysis.collect.scores import collect
from adkd.base.errors import InputError
from adkd.base.files import read_json, write_json
from tests.analysis.conftest import COSTS


def test_one_row_per_run_split_and_metric(tree):
    results = tree(tasks=("mnli", "mrpc"), skipped=(("finetune", "mnli"),))
    collect(results / "plan/grid.json", results / "scores.csv")
    table = pd.read_csv(results / "scores.csv")
    costs = ["seconds", "peak_memory_bytes", "flops", "parameters"]
    assert list(table.columns) == ["method", "task", "seed", "split", "metric", "value", *costs]
    assert set(table["flops"]) == {COSTS["flops"]}
    assert not table.duplicated(["method", "task", "seed", "split", "metric"]).any()
    # mnli: 2 methods x 3 seeds + teacher on 2 splits; mrpc: 3 x 3 + teacher with 2 metrics
    assert len(table) == 7 * 2 + 10 * 2
    for row in table.itertuples():
        kind = "teachers" if row.method == "teacher" else f"students/{row.method}"
        metrics = read_json(results / kind / row.task / f"seed-{row.seed}" / "metrics.json")
        assert row.value == metrics["scores"][row.split][row.metric]


def test_a_missing_run_is_named_with_the_command_and_nothing_is_written(tree):
    results = tree()
    (results / "students/adkd/rte/seed-2/metrics.json").unlink()
    with pytest.raises(InputError, match=r"adkd/rte/seed-2/metrics\.json is missing .*adkd student .*seed-2\.json"):
        collect(results / "plan/grid.json", results / "scores.csv")
    assert not list(results.glob("*scores*"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings": {"alpha": 0.5}}, r"settings\.alpha was 0\.5, the plan says 0\.9"),
        ({"extra": 1}, r"extra was 1, the plan says nothing"),
        ({"seed": 9}, r"seed was 9, the plan says 2"),
    ],
)
def test_results_of_another_spec_are_refused_and_an_old_table_stays(tree, change, what):
    results = tree()
    collect(results / "plan/grid.json", results / "scores.csv")
    before = (results / "scores.csv").read_bytes()
    path = results / "students/adkd/rte/seed-2/metrics.json"
    metrics = read_json(path)
    write_json(path, metrics | {"spec": metrics["spec"] | change})
    with pytest.raises(InputError, match=rf"{what}.*adkd student"):
        collect(results / "plan/grid.json", results / "scores.csv")
    assert (results / "scores.csv").read_bytes() == before


def test_a_foreign_teacher_is_refused_with_the_teachers_command(tree):
    results = tree()
    path = results / "teachers/stsb/seed-shared/metrics.json"
    write_json(path, read_json(path) | {"spec": {"task": "stsb"}})
    with pytest.raises(InputError, match=r"settings was not set.*adkd teacher .*plan/teachers/stsb/seed-shared\.json"):
        collect(results / "plan/grid.json", results / "scores.csv")


def test_hidden_labels_need_no_score_but_others_do(tree):
    results = tree(tasks=("rte",), score=["validation", "test"])
    collect(results / "plan/grid.json", results / "scores.csv")
    assert set(pd.read_csv(results / "scores.csv")["split"]) == {"validation"}
    path = results / "students/adkd/rte/seed-1/metrics.json"
    write_json(path, read_json(path) | {"scores": {}})
    with pytest.raises(InputError, match='no scores on "validation"'):
        collect(results / "plan/grid.json", results / "scores.csv")


def test_an_undefined_score_is_a_blank(tree):
    results = tree(tasks=("stsb",))
    path = results / "students/adkd/stsb/seed-1/metrics.json"
    write_json(path, read_json(path) | {"scores": {"validation": {"spearmanr": None, "pearsonr": 0.5}}})
    collect(results / "plan/grid.json", results / "scores.csv")
    assert "adkd,stsb,1,validation,spearmanr,,12.5," in (results / "scores.csv").read_text()
