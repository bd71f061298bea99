"""The plan: what every result is made from, and what changes in it where the config changes."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file, save_file

from adkd.base.errors import InputError
from adkd.base.files import read_json, sha256, write_json
from adkd.base.stage_records import Spec
from adkd.bench.made_up import write_run
from adkd.fetch import tiny_bert
from adkd.methods.method_config import TokenMap
from adkd.methods.settings import Training
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import DEFAULT_CONFIG, load_config
from adkd.plan.grid import Grid
from adkd.plan.results import Results
from adkd.plan.sections import StudentConfig
from adkd.plan.specs import OfSignals, StudentSpec

RESULTS = Results(Path("results"))

FOLDER = DEFAULT_CONFIG.parent
TINY = yaml.safe_load((FOLDER / "tiny.yaml").read_text()) | {
    "tasks": ["sst2", "stsb", "mnli"],
    "ablations": {},
}


def changed(**keys):
    return copy.deepcopy(TINY) | keys


def test_the_rigorous_grid_has_one_setting_for_every_method_and_chooses_nothing_on_dev():
    config = validate(load_config([FOLDER / "paper.yaml", FOLDER / "rigorous.yaml"]))
    planned = plan.build(config.model_copy(update={"ablations": {}})).specs.values()
    students = [spec for spec in planned if isinstance(spec, StudentSpec)]
    assert len({spec.training for spec in students if spec.method != "tinybert"}) == 1
    for method in config.methods:
        assert len({json.dumps(spec.settings) for spec in students if spec.method == method}) == 1
    assert {spec.selection for spec in students} == {"held_out"}
    assert len(config.seeds) >= 6
    paper = validate(load_config([FOLDER / "paper.yaml"]))
    assert config.settings["teacher"] == paper.settings["teacher"]


def test_an_ablation_goes_without_tasks_that_the_config_does_not_run():
    def tasks(**keys):
        config = changed(ablations={"beta": {"setting": "beta", "values": [1.0], "tasks": ["sst2", "rte"]}}, **keys)
        return {name: grid.tasks for name, grid in plan.build(validate(config)).grids.items()}

    assert tasks()["ablations/beta"] == ("sst2",)
    assert set(tasks(tasks=["stsb"])) == {"grid"}


def specs(**keys):
    """Name -> spec of everything but what the sweeps of a config add; those are in tests/sweeps."""
    every = plan.build(validate(changed(**keys)), RESULTS).specs
    return {result: spec for result, spec in every.items() if "sweeps/" not in result and "+held_out" not in result}


def test_settings_have_two_levels_and_a_method_wins_over_training():
    sections = {
        "training": {"all": {"epochs": 2, "clip": 3.0}, "stsb": {"epochs": 4, "batch_size": 8}},
        "adkd": {"all": {"batch_size": 16, "beta": 2.0}, "stsb": {"beta": 5.0}},
        "teacher": {"all": {"epochs": 6}, "stsb": {"epochs": 7}},
    }
    found = specs(settings=sections)
    stsb, sst2 = (found[f"students/adkd/{task}/seed-1"] for task in ("stsb", "sst2"))
    assert (stsb.training.epochs, stsb.training.batch_size, stsb.settings["beta"]) == (4, 16, 5.0)
    assert (sst2.training.epochs, sst2.training.batch_size, sst2.settings["beta"]) == (2, 16, 2.0)
    assert found["students/pkd/stsb/seed-1"].training.batch_size == 8
    assert stsb.training.adam_epsilon == Training().adam_epsilon
    assert stsb.settings["temperature"] == 2.0
    assert [found[f"teachers/{t}/seed-shared"].training.epochs for t in ("sst2", "stsb")] == [6, 7]
    assert found["teachers/sst2/seed-shared"].training.learning_rate == TINY["teacher"]["learning_rate"]


def test_a_spec_holds_what_its_result_needs_and_nothing_else():
    found = specs()
    for name, spec in found.items():
        assert spec == type(spec).model_validate_json(spec.text())
        assert spec.result == name
        assert len(spec.code) == 64
        for stage, upstream in spec.inputs.names():
            assert found[upstream].stage == stage
            assert list(found).index(upstream) < list(found).index(name)
    inputs = {m: found[f"students/{m}/stsb/seed-1"].inputs for m in TINY["methods"]}
    signals = "signals/stsb/seed-shared"
    assert inputs["finetune"] == OfSignals(data="data/stsb", signals={}, teacher=None)
    assert inputs["vanilla_kd"].signals == {"logits": f"{signals}/logits"}
    assert inputs["pkd"].signals == {"logits": f"{signals}/logits", "cls": f"{signals}/cls"}
    assert inputs["adkd"].signals == {"logits": f"{signals}/logits", "token_maps": f"{signals}/maps-all-1"}
    assert inputs["tinybert"].teacher == "teachers/stsb/seed-shared"
    assert inputs["adkd"].teacher is None
    assert found["signals/stsb/seed-shared/maps-all-1"].token_map == TokenMap()
    splits = tuple(f"{role}_{part}matched" for role in ("validation", "test") for part in ("", "mis"))
    assert found["students/finetune/mnli/seed-1"].evaluate == splits


def test_no_method_that_needs_a_teacher_no_teacher():
    found = specs(methods=["finetune"], reference="finetune")
    assert {spec.stage for spec in found.values()} == {"data", "student", "latency"}


def test_teachers_are_shared_or_one_for_each_seed():
    assert specs()["teachers/stsb/seed-shared"].seed == 0
    found = specs(teacher=TINY["teacher"] | {"seeds": "each"})
    assert [found[f"teachers/stsb/seed-{seed}"].seed for seed in (1, 2)] == [1, 2]
    assert found["students/pkd/stsb/seed-2"].inputs.signals["cls"] == "signals/stsb/seed-2/cls"
    config = validate(changed(teacher=TINY["teacher"] | {"seeds": "each"}))
    assert [run.seed for run in plan.build(config).grid().teachers] == ["1", "2"] * 3


def test_a_seed_adds_its_own_specs_and_changes_none():
    before, after = specs(), specs(seeds=[1, 2, 3])
    assert {result: after[result] for result in before} == before
    new = {f"students/{m}/{t}/seed-3" for m in TINY["methods"] for t in TINY["tasks"]}
    assert set(after) - set(before) == new | {f"explanations/{result}" for result in new}


def test_held_out_selection_sets_examples_aside_and_otherwise_none():
    assert specs()["data/stsb"].held_out == 0
    assert specs(selection="held_out")["data/stsb"].held_out == 0.1


def test_rows_may_be_cut_by_task_and_the_grid_says_so():
    data = TINY["data"] | {"train_rows": {"stsb": 99}, "expected_rows": {"sst2": {"test": None}}}
    grid = plan.build(validate(changed(data=data)))
    assert grid.specs["data/stsb"].train_rows == 99
    assert grid.specs["data/mnli"].train_rows is None
    assert grid.specs["data/sst2"].exceptions == {"test": None}
    assert grid.specs["students/pkd/sst2/seed-1"].evaluate == ("validation",)
    assert any("99" in note for note in grid.grid().notes)
    assert any("sst2: test is absent" in note for note in grid.grid().notes)


ABLATED = {
    "beta": {"setting": "beta", "values": [0.0, 10.0, 50]},
    "loss": {"method": "adkd", "tasks": ["mnli"], "points": {"no reasons": {"terms": ["task", "kd"]}}},
    "view": {"setting": "views", "values": [[0], [1]]},
    "size": {"points": {"one layer": {"student": {"from_teacher_layers": [2]}}}},
}


def test_a_variant_of_the_data_is_in_its_spec_and_in_the_notes(tmp_path):
    (tmp_path / "SST-2").mkdir()
    (tmp_path / "SST-2/train.tsv").touch()
    variants = {"sst2": {"train": "lower-cased"}}
    config = changed(tasks=["sst2"], data={"source": "directory", "path": str(tmp_path), "variants": variants})
    grid = plan.build(validate(config))
    assert grid.specs["data/sst2"].variants == {"train": "lower-cased"}
    assert "sst2: train is not the official data but a variant: lower-cased (data.variants)" in grid.grid().notes


def test_a_point_of_an_ablation_differs_from_its_base_in_just_what_it_sets():
    before = specs()
    grid = plan.build(validate(changed(ablations=ABLATED)))
    assert {result: grid.specs[result] for result in before} == before, "an ablation changes no run of the main grid"
    base = grid.specs["students/adkd/stsb/seed-1"]
    for result, what in {
        "students/adkd+beta=50/stsb/seed-1": {"settings": base.settings | {"beta": 50}},
        "students/adkd+student=from_teacher_layers-2/stsb/seed-1": {"student": StudentConfig(from_teacher_layers=(2,))},
    }.items():
        assert grid.specs[result] == base.model_copy(update=what | {"result": result})
    beta = grid.grids["ablations/beta"]
    assert beta.methods == ("adkd", "adkd+beta=0.0", "adkd+beta=10.0", "adkd+beta=50")
    assert beta.labels["adkd+beta=0.0"] == "beta = 0.0"
    places = {(run.method, run.task): run.result for run in beta.students if run.seed == "1"}
    assert places["adkd+beta=10.0", "stsb"] == places["adkd", "stsb"], "a point that changes nothing is the base's run"
    assert grid.grids["ablations/loss"].tasks == ("mnli",)
    skipped = grid.grids["ablations/view"].skipped
    assert {method: set(tasks) for method, tasks in skipped.items()} == {
        f"adkd+views={view}": {"sst2", "stsb"} for view in (0, 1)
    }
    assert len(grid.metrics("ablations/loss")) == 2 * len(TINY["seeds"]) + 1


def test_the_speed_of_every_architecture_is_measured_once_per_task():
    grid = plan.build(validate(changed(ablations=ABLATED)))
    assert len({run.latency for run in grid.grid().students}) == len(TINY["tasks"])
    assert len({run.latency for run in grid.grids["ablations/size"].students}) == 2 * len(TINY["tasks"])


def test_contaminated_scores_are_noted():
    config = changed(teacher={"model": "minilm_l6"}, student={"from_teacher_layers": [1, 3, 5]}, tasks=["mnli", "stsb"])
    (note,) = plan.build(validate(config)).grid().notes
    assert note.endswith("scores on mnli are contaminated")


def written(results, **keys):
    planned = plan.build(validate(changed(**keys)), results)
    planned.write()
    return planned


def test_files_are_written_only_where_something_changed(tmp_path):
    results = Results(tmp_path / "results")
    written(results)
    before = {path: path.stat().st_mtime_ns for path in results.root.rglob("*.json")}
    planned = written(results, seeds=[1, 2, 3], settings={"pkd": {"all": {"beta": 1.0}}})
    after = {path: path.stat().st_mtime_ns for path in results.root.rglob("*.json")}
    fresh = {str(path.relative_to(results.root / "plan")) for path in after if before.get(path) != after[path]}
    assert "data/stsb.json" not in fresh
    assert "grid.json" in fresh
    assert Grid.load(results.plan_file("grid")) == planned.grid()
    for name, spec in planned.specs.items():
        assert results.spec(name, Spec) == spec


def test_the_grid_of_an_ablation_that_is_no_longer_planned_is_removed(tmp_path):
    results = Results(tmp_path / "results")
    kept = {"title": "Weight", "method": "pkd", "tasks": ["stsb"], "setting": "beta", "values": [1.0]}
    written(results, ablations={"beta": kept, "again": kept})
    assert {path.stem for path in results.root.glob("plan/ablations/*.json")} == {"beta", "again"}
    planned = written(results, ablations={"beta": kept})
    assert {path.stem for path in results.root.glob("plan/ablations/*.json")} == {"beta"}
    assert planned.unplanned() == []


def test_a_spec_that_is_put_back_is_no_newer_than_the_result_made_by_it(tmp_path):
    results = Results(tmp_path / "results")
    spec = written(results).specs["students/pkd/stsb/seed-1"]
    write_run(results, spec, {})
    os.utime(results.report_file(spec.result, spec.stage), (1e9, 1e9))
    file = results.plan_file(spec.result)
    written(results, threads=2)
    assert file.stat().st_mtime > 1e9
    written(results)
    assert file.stat().st_mtime == 1e9


def checkpoint(directory):
    """A copy of the generated encoder; the list of its digests is no file of an encoder."""
    ignored = shutil.ignore_patterns(tiny_bert.LIST)
    return Path(shutil.copytree(tiny_bert.directory(), directory, ignore=ignored))


def train_anew(model):
    file = model / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)


def drop_more(model):
    write_json(model / "config.json", read_json(model / "config.json") | {"hidden_dropout_prob": 0.2})


def read_cased(model):
    file = model / "tokenizer_config.json"
    write_json(file, read_json(file) | {"do_lower_case": False})


@pytest.mark.parametrize(
    ("key", "change", "stale"),
    [
        ("teacher", train_anew, {"teacher"}),
        ("teacher", drop_more, {"data", "teacher"}),
        ("teacher", read_cased, {"data", "teacher"}),
        ("student", train_anew, {"student"}),
        ("both", train_anew, {"teacher", "student"}),
    ],
)
def test_a_result_made_from_other_files_of_a_directory_is_stale(tmp_path, key, change, stale):
    model = str(checkpoint(tmp_path / "model"))
    teacher = "tiny_bert" if key == "student" else model
    student = {"model": model if key == "student" else "tiny_bert"} if key != "both" else {"from_teacher_layers": [0]}
    config = {"teacher": TINY["teacher"] | {"model": teacher}, "student": student, "tasks": ["stsb"], "seeds": [1]}
    before = specs(methods=["vanilla_kd"], reference="vanilla_kd", **config)
    assert before == specs(methods=["vanilla_kd"], reference="vanilla_kd", **config)
    change(Path(model))
    after = specs(methods=["vanilla_kd"], reference="vanilla_kd", **config)
    assert {after[name].stage for name in after if after[name] != before[name]} == stale
    (name,) = [name for name in after if after[name].stage == min(stale, key=("student", "teacher", "data").index)]
    with pytest.raises(InputError) as caught:
        before[name].check_external_files()
    assert caught.value.what.startswith(f"sha256 of {model}/")
    after[name].check_external_files()


def test_data_made_from_other_files_of_a_directory_is_stale(tmp_path):
    def planned(**rows):
        data = {"source": "directory", "path": str(tmp_path), "expected_rows": {"sst2": rows}}
        return specs(tasks=["sst2"], data=data)["data/sst2"]

    (tmp_path / "SST-2").mkdir()
    train, dev = (tmp_path / "SST-2" / name for name in ("train.tsv", "dev.tsv"))
    train.write_text("one\n")
    before = planned()
    assert before.external_files == {str(train): sha256(train)}
    dev.write_text("two\n")
    assert set(planned().external_files) == {str(train), str(dev)}
    dev.write_text("three\n")
    assert planned().external_files[str(dev)] == sha256(dev)
    train.unlink()
    with pytest.raises(InputError) as caught:
        before.check_external_files()
    assert (caught.value.what, caught.value.remedy) == (
        f"{train} cannot be read: No such file or directory",
        "restore it",
    )


def test_checkpoints_that_are_named_are_told_apart_by_their_names():
    assert all(not spec.external_files for spec in specs().values())


def test_planning_imports_no_torch():
    script = (
        "import sys; from pathlib import Path; from adkd.plan import plan; from adkd.plan.checks import validate; "
        "from adkd.plan.config import load_config; "
        f"plan.build(validate(load_config([Path({str(FOLDER / 'paper.yaml')!r})]))); "
        "assert not {'torch', 'transformers', 'datasets', 'pandas', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
