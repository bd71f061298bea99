import pandas as pd
import pytest

from adkd.analysis.collect.scores import collect
from adkd.base.errors import InputError
from adkd.plan.grid import Grid
from adkd.plan.results import Results
from tests.analysis.conftest import replaced, student_spec, teacher_spec


def test_one_row_per_run_split_and_metric(tree):
    results = tree(tasks=("mnli", "mrpc"), skipped=(("finetune", "mnli"),))
    collect(Grid.load(results / "plan/grid.json"))
    table = pd.read_csv(results / "scores.csv")
    costs = ["seconds", "peak_memory_bytes", "flops", "parameters"]
    assert list(table.columns) == [
        "method",
        "task",
        "seed",
        "split",
        "metric",
        "value",
        *costs,
        "best_constant",
        "note",
    ]
    assert set(table["flops"]) == {4 * 10**12}
    assert not table.duplicated(["method", "task", "seed", "split", "metric"]).any()
    # mnli: 2 methods x 3 seeds + teacher on 2 splits; mrpc: 3 x 3 + teacher with 2 metrics
    assert len(table) == 7 * 2 + 10 * 2
    grid = Grid.load(results / "plan/grid.json")
    reports = {(run.method, run.task, run.seed): grid.report(run) for run in grid.runs}
    for row in table.itertuples():
        assert row.value == reports[row.method, row.task, row.seed].scores[row.split][row.metric]


def test_a_missing_run_is_named_with_the_command_and_nothing_is_written(tree):
    results = tree()
    (results / "students/adkd/rte/seed-2/metrics.json").unlink()
    with pytest.raises(InputError) as caught:
        collect(Grid.load(results / "plan/grid.json"))
    assert "adkd/rte/seed-2/metrics.json (1 of 20 runs" in caught.value.what
    assert caught.value.remedy == f"make it with: adkd student {results}/plan/students/adkd/rte/seed-2.json"
    assert not list(results.glob("*scores*"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings": {"alpha": 0.5}}, "settings.alpha was 0.5, the plan has 0.9"),
        ({"settings": {"alpha": 0.9, "extra": 1}}, "settings.extra was 1, the plan has not set"),
        ({"threads": 9}, "threads was 9, the plan has 1"),
    ],
)
def test_results_of_another_spec_are_refused_and_an_old_table_stays(tree, change, what):
    results = tree()
    collect(Grid.load(results / "plan/grid.json"))
    before = (results / "scores.csv").read_bytes()
    replaced(results, "students/adkd/rte/seed-2", spec=student_spec("adkd", "rte", 2, **change))
    with pytest.raises(InputError) as caught:
        collect(Grid.load(results / "plan/grid.json"))
    assert what in caught.value.what
    assert "adkd student" in caught.value.remedy
    assert (results / "scores.csv").read_bytes() == before


def test_a_foreign_teacher_is_refused_with_the_teachers_command(tree):
    results = tree()
    replaced(results, "teachers/stsb/seed-shared", spec=teacher_spec("stsb", margin=0.5))
    with pytest.raises(InputError) as caught:
        collect(Grid.load(results / "plan/grid.json"))
    assert caught.value.remedy == f"rebuild it with: adkd teacher {results}/plan/teachers/stsb/seed-shared.json"


def test_a_report_that_lacks_a_field_or_is_cut_off_is_refused(tree):
    results = Results(tree(tasks=("rte",)))
    file = results.report_file("students/adkd/rte/seed-1", "student")
    whole = file.read_text()
    for spoilt in (whole.replace('"flops"', '"flop"'), whole[:100]):
        file.write_text(spoilt)
        with pytest.raises(InputError, match=r"metrics\.json is not valid") as caught:
            collect(Grid.load(results.plan_file("grid")))
        assert "adkd student" in caught.value.remedy


def test_hidden_labels_need_no_score_but_others_do(tree):
    results = tree(tasks=("rte",), roles=("validation", "test"))
    collect(Grid.load(results / "plan/grid.json"))
    assert set(pd.read_csv(results / "scores.csv")["split"]) == {"validation"}
    replaced(results, "students/adkd/rte/seed-1", scores={})
    with pytest.raises(InputError, match='no scores on "validation"'):
        collect(Grid.load(results / "plan/grid.json"))


def test_an_undefined_score_is_a_blank(tree):
    results = tree(tasks=("stsb",))
    undefined = {"validation": {"spearmanr": None, "pearsonr": None}}
    replaced(results, "students/adkd/stsb/seed-1", scores=undefined)
    collect(Grid.load(results / "plan/grid.json"))
    assert "adkd,stsb,1,validation,spearmanr,,12.5," in (results / "scores.csv").read_text()


@pytest.mark.parametrize("name", ["students/adkd/mrpc/seed-1", "teachers/stsb/seed-shared"])
def test_a_score_that_the_stored_predictions_do_not_give_is_refused(tree, name):
    results = tree(tasks=("mrpc", "stsb"))
    grid = Grid.load(results / "plan/grid.json")
    run = next(run for run in grid.runs if run.result == name)
    scores = {metric: value - 2e-6 for metric, value in grid.report(run).scores["validation"].items()}
    replaced(results, name, scores={"validation": scores})
    with pytest.raises(InputError) as caught:
        collect(grid)
    assert caught.value.value in scores.values()
    assert caught.value.remedy == f"rebuild it with: {grid.command(run)}"
