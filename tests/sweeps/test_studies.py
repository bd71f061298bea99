"""Studies: what their trials share and are told, and which points follow from which results."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from adkd.analysis.stats.budget import expected_best
from adkd.analysis.study import write
from adkd.base.errors import InputError, RunError
from adkd.base.files import read_json, write_json
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.sweeps.trials import finished
from tests.sweeps.conftest import config, score

ABLATION = {"alpha": {"method": "vanilla_kd", "setting": "alpha", "values": [0.25]}}


def test_trials_are_scored_on_a_part_of_train_and_never_on_dev(study):
    one = study(seeds=[1, 2])
    assert set(one.definition["trials"]) == {"1", "2"}
    for seed, told in one.definition["trials"].items():
        assert told["selection"] == "held_out"
        assert told["seed"] == int(seed)
        assert "evaluate" not in told
        assert told["inputs"]["data"].endswith("data/stsb+held_out")
    assert one.definition["upstream"]["data/stsb+held_out"]["held_out"] == 0.1
    assert one.definition["upstream"]["teachers/stsb+held_out/seed-shared"]["selection"] == "held_out"


def test_where_the_grid_holds_out_a_part_as_well_all_of_it_is_shared():
    given = validate(config() | {"selection": "held_out"})
    found = plan.build(given).specs
    assert not [result for result in found if "+held_out" in result]
    (trial,) = found["sweeps/vanilla_kd/stsb"]["study"]["trials"].values()
    student = found["students/vanilla_kd/stsb/seed-1"]
    assert trial["inputs"] == student["inputs"]
    assert {key for key in student if student[key] != trial.get(key)} == {"stage", "evaluate", "code"}


def test_the_number_of_trials_changes_no_round(study):
    few, many = study(trials=3), study(trials=8, where="results")
    assert [spec["number"] for spec in many.rounds] == [0, 1, 2, 3]
    assert many.rounds[: len(few.rounds)] == few.rounds
    assert few.definition == many.definition


def test_a_setting_that_changes_what_the_teacher_is_asked_needs_choices(study):
    one = study("adkd", space={"adkd": {"top_k": {"choices": [8, None]}}})
    maps = {asked["when"]["top_k"]: asked["paths"]["token_maps"] for asked in one.definition["signals"]}
    assert [path.rpartition("/")[2] for path in maps.values()] == ["maps-8-1", "maps-all-1"]
    for file in [one.points(0)] and sorted((one.root / "plan" / one.name).rglob("trial-*/seed-1.json")):
        told = read_json(file)
        assert told["inputs"]["signals"]["token_maps"] == maps[told["settings"]["top_k"]]
    with pytest.raises(InputError, match="top_k in the space of adkd is a range"):
        study("adkd", space={"adkd": {"top_k": {"low": 8, "high": 16}}})


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_results_ask_for_the_same_points(study, sampler):
    found = []
    for where in ("a", "b"):
        one = study(where=where, sampler=sampler, trials=8, batch=4, startup=4)
        for number in (0, 1):
            points = one.points(number)
            one.answer(number)
        found.append(points)
    assert found[0] == found[1]
    assert len({json.dumps(point) for point in found[0]}) == 4, "a batch is spread out"


def test_later_rounds_learn_from_earlier_ones_and_have_a_seed_of_their_own(study):
    found = {}
    for where, of in (("a", score), ("b", lambda values: -score(values))):
        one = study(where=where, trials=6, batch=3, startup=3)
        found[where] = [one.points(0), *[one.answer(0, of), one.points(1)][1:]]
    assert found["a"][0] == found["b"][0]
    assert found["a"][1] != found["b"][1]
    assert not [point for point in found["a"][1] if point in found["a"][0]]


def test_tpe_finds_what_is_best(study):
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
    with pytest.raises(
        InputError, match=r"round-0/trial-0/seed-1/trial\.json is missing; make it with: snakemake sweep"
    ):
        one.points(1)
    one.answer(0)
    report = one.out / "round-0/trial-1/seed-1/trial.json"
    found = read_json(report)
    found["spec"]["training"]["clip"] = 3.0
    write_json(report, found)
    with pytest.raises(InputError, match=r"was made with another spec: training.clip was 3.0, the plan says 1.0"):
        one.points(1)


def test_a_trial_of_a_space_with_other_choices_is_refused_too(study):
    one = study("adkd", trials=4, batch=2, space={"adkd": {"top_k": {"choices": [8]}}})
    one.points(0)
    one.answer(0)
    with pytest.raises(InputError, match=r"trial\.json was made with another spec: "):
        study("adkd", trials=4, batch=2, space={"adkd": {"top_k": {"choices": [16]}}}).points(1)


def test_what_a_study_found_is_written_with_its_limits(study):
    one = study(trials=8, batch=4, seeds=[1, 2])
    one.points(0)
    one.answer(0)
    worst = one.points(1)[0]
    one.answer(1, lambda values: None if values == worst else score(values))
    write(one.spec, one.out)
    table = pd.read_csv(one.out / "trials.csv")
    assert list(table["state"]).count("diverged") == 1
    assert table["number"].tolist() == list(range(8))
    assert set(table[table["state"] == "complete"]["n"]) == {2}
    assert table["score"].isna().sum() == 1
    best = table.loc[table["score"].idxmax()]
    values = yaml.safe_load((one.out / "best.yaml").read_text())["settings"]["vanilla_kd"]["stsb"]
    assert values == {key: best[key] for key in one.definition["space"]}
    assert "trial " + str(best["number"]) in (one.out / "best.yaml").read_text()
    report = read_json(one.out / "sweep.json")
    assert report["counts"] == {"complete": 7, "pruned": 0, "diverged": 1, "failed": 0}
    assert report["seconds"] == 8 * 2 * 1.5
    weights = pd.read_csv(one.out / "importance.csv").set_index("setting")["importance"]
    assert weights.sum() == pytest.approx(1)
    names, kinds = ("history", "importance", "slices", "expected"), ("pdf", "png", "svg")
    assert {path.name for path in (one.out / "figures").iterdir()} == {f"{n}.{kind}" for n in names for kind in kinds}
    before = {path: path.read_bytes() for path in one.out.rglob("*") if path.is_file()}
    write(one.spec, one.out)
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_score_nothing_is_written(study):
    one = study(trials=2, batch=2)
    one.points(0)
    one.answer(0, lambda values: None)
    assert [trial.state for trial in finished(one.definition, one.spec["inputs"]["trial"])] == ["diverged"] * 2
    with pytest.raises(RunError, match="no trial of vanilla_kd on stsb has a score: 2 diverged"):
        write(one.spec, one.out)
    assert not (one.out / "best.yaml").exists()
    assert not (one.out / "trials.csv").exists()


def test_of_few_trials_no_importance_is_known(study):
    one = study(trials=3, batch=3)
    one.points(0)
    one.answer(0)
    write(one.spec, one.out)
    assert pd.read_csv(one.out / "importance.csv")["importance"].isna().all()


def test_the_best_of_n_is_the_mean_over_all_choices_of_n():
    scores = [*np.random.default_rng(3).normal(size=6), 0.5, 0.5]
    for n, found in enumerate(expected_best(scores), 1):
        plain = np.mean([max(chosen) for chosen in itertools.combinations(scores, n)])
        assert found == pytest.approx(plain, abs=1e-12)


def test_without_tuned_settings_there_is_no_grid_and_the_plan_says_what_to_do(study, tmp_path):
    root = tmp_path / "results"
    keys = config(trials=2, batch=2) | {"settings_from": "sweeps"}
    given = validate(keys)
    planned = plan.build(given, root)
    assert planned.sweeps == ("sweeps/vanilla_kd/stsb",)
    with pytest.raises(InputError, match=r"sweeps/vanilla_kd/stsb is missing; make it with: snakemake sweep"):
        planned.metrics()
    one = study(trials=2, batch=2)
    one.points(0)
    one.answer(0)
    write(one.spec, one.out)
    planned = plan.build(given, root)
    best = yaml.safe_load((one.out / "best.yaml").read_text())["settings"]["vanilla_kd"]["stsb"]
    tuned, untuned = (planned.specs[f"students/vanilla_kd{mark}/stsb/seed-2"] for mark in ("+tuned", ""))
    assert best == {key: {**tuned["settings"], **tuned["training"]}[key] for key in best}
    assert (
        untuned
        == plan.build(given.model_copy(update={"settings_from": "config"}), root).specs[
            "students/vanilla_kd/stsb/seed-2"
        ]
    )
    assert {entry["result"] for entry in planned.main["runs"]} == {
        str(root / f"students/vanilla_kd+tuned/stsb/seed-{seed}") for seed in (1, 2)
    }
    assert any("best of 2 trials" in note for note in planned.main["notes"])
    varied = validate(keys | {"ablations": ABLATION})
    ablation = plan.build(varied, root).grids["ablations/alpha"]
    assert {(entry["method"], entry["result"]) for entry in ablation["runs"] if entry["seed"] == 1} == {
        ("vanilla_kd", str(root / "students/vanilla_kd+tuned/stsb/seed-1")),
        ("vanilla_kd+alpha=0.25", str(root / "students/vanilla_kd+tuned+alpha=0.25/stsb/seed-1")),
    }
    with pytest.raises(InputError, match=r"sweeps/vanilla_kd/stsb is of another study: trials was 2, is now 4"):
        plan.build(validate(config(trials=4, batch=2) | {"settings_from": "sweeps"}), root).metrics()
    (one.out / "best.yaml").write_text((one.out / "best.yaml").read_text() + "      clip: 2.0\n")
    with pytest.raises(InputError, match=r"best\.yaml is not what its sweep has written"):
        plan.build(given, root)
