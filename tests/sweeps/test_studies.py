"""Studies: the specs of their trials, the points that follow from results, and the outcome."""

import itertools
import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml

from adkd.analysis.stats.budget import expected_best
from adkd.analysis.study import write
from adkd.base.errors import InputError, RunError
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.reports import TrialReport
from adkd.plan.results import Results
from adkd.sweeps.trials import finished
from tests.sweeps.conftest import config, score

ABLATION = {"alpha": {"method": "vanilla_kd", "setting": "alpha", "values": [0.25]}}


def test_trials_are_scored_on_a_part_of_train_and_never_on_dev(study):
    definition = study(seeds=[1, 2]).definition
    assert set(definition.trials) == {"1", "2"}
    for seed, trial in definition.trials.items():
        assert trial.selection == "held_out"
        assert trial.seed == int(seed)
        assert trial.inputs.data == "data/stsb+held_out"
    assert definition.upstream["data/stsb+held_out"]["held_out"] == 0.1
    assert definition.upstream["teachers/stsb+held_out/seed-shared"]["selection"] == "held_out"


def test_a_grid_that_holds_out_a_part_of_train_shares_its_data_and_teacher_with_sweeps():
    specs = plan.build(validate(config() | {"selection": "held_out"})).specs
    assert not [result for result in specs if "+held_out" in result]
    (trial,) = specs["sweeps/vanilla_kd/stsb"].study.trials.values()
    student, trial = specs["students/vanilla_kd/stsb/seed-1"].as_json(), trial.as_json()
    assert trial["inputs"] == student["inputs"]
    assert {key for key in student if student[key] != trial.get(key)} == {"stage", "result", "evaluate", "code"}


def test_the_number_of_trials_changes_no_round(study):
    few, many = study(trials=3), study(trials=8, where="results")
    assert [spec.number for spec in many.rounds] == [0, 1, 2, 3]
    assert many.rounds[: len(few.rounds)] == few.rounds
    assert few.definition == many.definition


def test_a_setting_of_the_teachers_signals_needs_choices(study):
    one = study("adkd", space={"adkd": {"top_k": {"choices": [8, None]}}})
    maps = {choice.when["top_k"]: choice.names["token_maps"] for choice in one.definition.signals}
    assert [name.rpartition("/")[2] for name in maps.values()] == ["maps-8-1", "maps-all-1"]
    one.points(0)
    for trial in one.trials(0):
        assert trial.inputs.signals["token_maps"] == maps[trial.settings["top_k"]]
    with pytest.raises(InputError) as caught:
        study("adkd", space={"adkd": {"top_k": {"low": 8, "high": 16}}})
    assert "top_k" in str(caught.value)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_results_give_the_same_points(study, sampler):
    proposed = []
    for where in ("a", "b"):
        one = study(where=where, sampler=sampler, trials=8, batch=4, startup=4)
        for number in (0, 1):
            points = one.points(number)
            one.answer(number)
        proposed.append(points)
    assert proposed[0] == proposed[1]
    assert len({json.dumps(point) for point in proposed[0]}) == 4, "the points of a batch differ"


def test_rounds_depend_on_previous_results_and_on_a_seed_of_their_own(study):
    points = {}
    for where, of in (("a", score), ("b", lambda values: -score(values))):
        one = study(where=where, trials=6, batch=3, startup=3)
        points[where] = [one.points(0)]
        one.answer(0, of)
        points[where].append(one.points(1))
    assert points["a"][0] == points["b"][0]
    assert points["a"][1] != points["b"][1]
    assert not [point for point in points["a"][1] if point in points["a"][0]]


def test_tpe_approaches_the_best_settings(study):
    rate = {"low": 1e-4, "high": 1e-1, "log": True}
    one = study(trials=40, batch=4, startup=8, space={"training": {"learning_rate": rate, "batch_size": None}})
    rates = []
    for number in range(10):
        rates += [point["learning_rate"] for point in one.points(number)]
        one.answer(number)
    distance = np.abs(np.log10(rates) + 2.6)
    assert distance[-12:].mean() < distance[:8].mean() / 2


def test_a_grid_needs_no_results(study):
    one = study("tinybert", variant="grid", trials=12, batch=5, space={})
    points = [point for number in range(3) for point in one.points(number)][:12]
    assert len({json.dumps(point, sort_keys=True) for point in points}) == 12


def test_a_round_refuses_a_trial_of_another_study(study):
    one = study(trials=4, batch=2)
    one.points(0)
    with pytest.raises(InputError) as caught:
        one.points(1)
    assert "round-0/trial-0/seed-1/trial.json is missing" in caught.value.what
    assert "snakemake sweep" in caught.value.remedy
    one.answer(0)
    file = one.out / "round-0/trial-1/seed-1/trial.json"
    report = TrialReport.read(file, "")
    spec = report.spec.model_copy(update={"training": replace(report.spec.training, clip=3.0)})
    report.model_copy(update={"spec": spec}).write(file)
    with pytest.raises(InputError) as caught:
        one.points(1)
    assert f"{file} belongs to another study: training.clip was 3.0, is now 1.0" in caught.value.what


def test_a_trial_of_a_space_with_other_choices_is_refused_too(study):
    one = study("adkd", trials=4, batch=2, space={"adkd": {"top_k": {"choices": [8]}}})
    one.points(0)
    one.answer(0)
    with pytest.raises(InputError, match=r"trial\.json belongs to another study: "):
        study("adkd", trials=4, batch=2, space={"adkd": {"top_k": {"choices": [16]}}}).points(1)


@pytest.mark.workflow
@pytest.mark.usefixtures("svg_alone")
def test_the_outcome_of_a_study(study):
    one = study(trials=8, batch=4, seeds=[1, 2])
    one.points(0)
    one.answer(0)
    worst = one.points(1)[0]
    one.answer(1, lambda values: None if values == worst else score(values))
    write(one.spec, one.results)
    table = pd.read_csv(one.out / "trials.csv")
    assert list(table["state"]).count("diverged") == 1
    assert table["number"].tolist() == list(range(8))
    assert set(table[table["state"] == "complete"]["n"]) == {2}
    assert table["score"].isna().sum() == 1
    best = table.loc[table["score"].idxmax()]
    values = yaml.safe_load((one.out / "best.yaml").read_text())["settings"]["vanilla_kd"]["stsb"]
    assert values == {key: best[key] for key in one.definition.space}
    assert "trial " + str(best["number"]) in (one.out / "best.yaml").read_text()
    report = one.results.report(one.spec)
    assert report.counts == {"complete": 7, "pruned": 0, "diverged": 1, "failed": 0}
    assert report.seconds == 8 * 2 * 1.5
    weights = pd.read_csv(one.out / "importance.csv").set_index("setting")["importance"]
    assert weights.sum() == pytest.approx(1)
    assert {path.stem for path in (one.out / "figures").glob("[!.]*")} == {
        "history",
        "importance",
        "slices",
        "expected",
    }
    before = {path: path.read_bytes() for path in one.out.rglob("*") if path.is_file()}
    write(one.spec, one.results)
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_score_nothing_is_written(study):
    one = study(trials=2, batch=2)
    one.points(0)
    one.answer(0, lambda values: None)
    trials = finished(one.definition, one.spec.inputs.trial, one.results)
    assert [trial.state for trial in trials] == ["diverged"] * 2
    with pytest.raises(RunError, match="2 diverged"):
        write(one.spec, one.results)
    assert not (one.out / "best.yaml").exists()
    assert not (one.out / "trials.csv").exists()


@pytest.mark.usefixtures("svg_alone")
def test_few_trials_give_no_importance(study):
    one = study(trials=3, batch=3)
    one.points(0)
    one.answer(0)
    write(one.spec, one.results)
    assert pd.read_csv(one.out / "importance.csv")["importance"].isna().all()


def test_the_best_of_n_is_the_mean_over_all_choices_of_n():
    scores = [*np.random.default_rng(3).normal(size=6), 0.5, 0.5]
    for n, expected in enumerate(expected_best(scores), 1):
        plain = np.mean([max(chosen) for chosen in itertools.combinations(scores, n)])
        assert expected == pytest.approx(plain, abs=1e-12)


def tuned_study(study):
    """A finished study of two trials."""
    one = study(trials=2, batch=2)
    one.points(0)
    one.answer(0)
    write(one.spec, one.results)
    return one


TUNED = config(trials=2, batch=2) | {"settings_from": "sweeps"}


def test_without_tuned_settings_there_is_no_grid_but_a_remedy(tmp_path):
    planned = plan.build(validate(TUNED), Results(tmp_path / "results"))
    assert planned.sweeps == ("sweeps/vanilla_kd/stsb",)
    with pytest.raises(InputError) as caught:
        planned.metrics()
    assert "sweeps/vanilla_kd/stsb is missing" in caught.value.what
    assert "snakemake sweep" in caught.value.remedy


@pytest.mark.usefixtures("svg_alone")
def test_tuned_settings_are_those_of_the_best_trial(study):
    one = tuned_study(study)
    planned = plan.build(validate(TUNED), one.results)
    best = yaml.safe_load((one.out / "best.yaml").read_text())["settings"]["vanilla_kd"]["stsb"]
    tuned, untuned = (planned.specs[f"students/vanilla_kd{mark}/stsb/seed-2"] for mark in ("+tuned", ""))
    settings = tuned.settings | asdict(tuned.training)
    assert best == {key: settings[key] for key in best}
    assert untuned == plan.build(validate(TUNED | {"settings_from": "config"}), one.results).specs[untuned.result]
    students = {run.result for run in planned.grid().runs if run.method == "vanilla_kd"}
    assert students == {f"students/vanilla_kd+tuned/stsb/seed-{seed}" for seed in (1, 2)}
    assert any("best of 2 trials" in note for note in planned.grid().notes)
    ablation = plan.build(validate(TUNED | {"ablations": ABLATION}), one.results).grid("ablations/alpha")
    assert {(run.method, run.result) for run in ablation.runs if run.seed == "1"} == {
        ("vanilla_kd", "students/vanilla_kd+tuned/stsb/seed-1"),
        ("vanilla_kd+alpha=0.25", "students/vanilla_kd+tuned+alpha=0.25/stsb/seed-1"),
    }


@pytest.mark.usefixtures("svg_alone")
def test_tuned_settings_of_another_study_or_changed_by_hand_are_refused(study):
    one = tuned_study(study)
    more = config(trials=4, batch=2) | {"settings_from": "sweeps"}
    with pytest.raises(InputError, match="trials was 2, is now 4"):
        plan.build(validate(more), one.results).metrics()
    best = one.out / "best.yaml"
    best.write_text(best.read_text() + "      clip: 2.0\n")
    with pytest.raises(InputError) as caught:
        plan.build(validate(TUNED), one.results)
    assert str(best) in caught.value.what
    assert "snakemake sweep" in caught.value.remedy
