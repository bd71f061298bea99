"""Configs: layered, checked against everything that is known before anything runs, and described by a schema."""

import copy
from typing import get_args

import pytest
import yaml

from adkd.base.errors import InputError
from adkd.data.sources import SOURCES
from adkd.methods.settings import TRAINING
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, Config, load_config, schema_text
from adkd.plan.sections import DataConfig

FOLDER = CONFIGS.resolve()
TINY = yaml.safe_load((FOLDER / "tiny.yaml").read_text()) | {
    "tasks": ["sst2", "stsb", "mnli"],
    "ablations": {},
}


def changed(**keys):
    return copy.deepcopy(TINY) | keys


def data(**keys):
    return changed(data=TINY["data"] | keys)


def settings(**sections):
    return changed(settings=sections)


def refused(config):
    """The error of a wrong config; its message is one line."""
    with pytest.raises(InputError) as caught:
        validate(config)
    assert "\n" not in str(caught.value)
    return caught.value


NAMES = {
    "key": (changed(task=["stsb"]), "key of the config", "task", "tasks"),
    "key below": (data(max_lenght=9), "key of data", "max_lenght", "max_length"),
    "key beside a wrong value": (changed(seeds=["0"], sweep={}), "key of the config", "sweep", "sweeps"),
    "key of an ablation": (changed(ablations={"x": {"seting": "beta"}}), "key of ablations.x", "seting", "setting"),
    "task": (changed(tasks=["stbs"]), "task", "stbs", "stsb"),
    "method": (changed(methods=["pdk"]), "method", "pdk", "pkd"),
    "reference": (changed(reference="pdk"), "reference among methods", "pdk", "pkd"),
    "reference that is not run": (changed(methods=["pkd"]), "reference among methods", "adkd", "pkd"),
    "choice": (changed(selection="deff"), "selection", "deff", "dev"),
    "choice in a list": (changed(score=["validaton"]), "score[0]", "validaton", "validation"),
    "section": (settings(vanila_kd={}), "section of settings", "vanila_kd", "vanilla_kd"),
    "task of a section": (settings(pkd={"stbs": {}}), "task in settings.pkd", "stbs", "stsb"),
    "setting": (settings(pkd={"all": {"betta": 1}}), "setting of settings.pkd.all", "betta", "beta"),
    "training key": (settings(pkd={"all": {"epoch": 1}}), "setting of settings.pkd.all", "epoch", "epochs"),
    "setting of another": (settings(training={"all": {"beta": 1}}), "setting of settings.training.all", "beta", None),
    "setting of a method that does not run": (
        changed(methods=["adkd"], settings={"pkd": {"rte": {"layers": "skipp"}}}),
        "settings.pkd.rte.layers",
        "skipp",
        "skip",
    ),
    "exception for no split": (
        data(expected_rows={"mnli": {"validation": 9}}),
        "split of mnli in data.expected_rows",
        "validation",
        "validation_matched",
    ),
    "task of an exception": (data(train_rows={"stbs": 9}), "task in data.train_rows", "stbs", "stsb"),
}


@pytest.mark.parametrize("case", NAMES)
def test_an_unknown_name_is_refused_with_the_nearest(case):
    config, what, value, nearest = NAMES[case]
    error = refused(config)
    assert (error.what, error.value, error.nearest) == (what, value, nearest)
    assert nearest is None or nearest in error.allowed


SEED = "an integer at least 0 and at most 18446744073709551615"
SEEDS = f"a non-empty list of distinct values, each {SEED}"
ROW = "an integer at least 2 and at most 1000000000"
ROWS = f"{ROW}, a mapping of keys to values or null"
VALUES = {
    "text": (changed(seeds=["0"]), "seeds[0]", "0", SEED),
    "fraction": (changed(seeds=[1.0]), "seeds[0]", 1.0, SEED),
    "flag": (changed(seeds=[True]), "seeds[0]", True, SEED),
    "below": (changed(seeds=[-1]), "seeds[0]", -1, SEED),
    "beyond 64 bits": (changed(seeds=[2**64]), "seeds[0]", 2**64, SEED),
    "too many threads": (changed(threads=1000000), "threads", 1000000, "an integer at least 1 and at most 1024"),
    "twice": (changed(seeds=[1, 2, 1]), "seeds", [1, 2, 1], SEEDS),
    "empty": (changed(seeds=[]), "seeds", [], SEEDS),
    "no list": (changed(seeds=1), "seeds", 1, SEEDS),
    "names twice": (
        changed(methods=["adkd"] * 2),
        "methods",
        ["adkd"] * 2,
        "a non-empty list of distinct values, each text",
    ),
    "no mapping": (changed(data=[]), "data", [], "a mapping of keys to values"),
    "between": (data(max_length=7), "data.max_length", 7, "an integer at least 8 and at most 512"),
    "choice": (changed(selection=1), "selection", 1, '"dev", "held_out" or "last"'),
    "one of several kinds": (data(train_rows=1), "data.train_rows", 1, ROWS),
    "a part of one of several kinds": (
        data(train_rows={"stsb": 1.0}),
        "data.train_rows.stsb",
        1.0,
        f"{ROW} or null",
    ),
    "deep": (changed(explanations={"bins": [0.1, 2]}), "explanations.bins[1]", 2, "a number above 0 and at most 1"),
    "setting": (
        settings(adkd={"all": {"alpha": 1.5}}),
        "settings.adkd.all.alpha",
        1.5,
        "a number at least 0 and at most 1",
    ),
    "setting is text": (
        settings(training={"all": {"learning_rate": "1e-5"}}),
        "settings.training.all.learning_rate",
        "1e-5",
        "a number above 0 and at most 1",
    ),
    "learning rate": (
        settings(training={"all": {"learning_rate": 1e300}}),
        "settings.training.all.learning_rate",
        1e300,
        "a number above 0 and at most 1",
    ),
    "beyond 32-bit numbers": (
        settings(adkd={"all": {"beta": 1e300}}),
        "settings.adkd.all.beta",
        1e300,
        "a number at least 0 that fits into 32 bits",
    ),
    "beyond 32-bit integers": (
        settings(training={"all": {"epochs": 10**18}}),
        "settings.training.all.epochs",
        10**18,
        "an integer at least 1 that fits into 32 bits",
    ),
    "setting is no flag": (settings(adkd={"all": {"anneal": 1}}), "settings.adkd.all.anneal", 1, "true or false"),
    "teacher": (changed(teacher=TINY["teacher"] | {"epochs": 0}), "teacher.epochs", 0, "an integer at least 1 or null"),
    "no such layer": (
        changed(student={"from_teacher_layers": [1, 4]}),
        "student.from_teacher_layers[1]",
        4,
        "one of the layers of tiny_bert, 0 to 3",
    ),
    "two students": (
        changed(student={"from_teacher_layers": [1], "model": "tiny_bert"}),
        "student",
        {"from_teacher_layers": [1], "model": "tiny_bert"},
        "exactly one of from_teacher_layers and model",
    ),
    "no student": (changed(student={}), "student", {}, "exactly one of from_teacher_layers and model"),
    "another vocabulary": (
        changed(student={"model": "bert_l6_h768"}),
        "student.model",
        "bert_l6_h768",
        "a model with the teacher's vocabulary, that of tiny_bert",
    ),
    "useless rows": (data(source="hub"), "data.rows", TINY["data"]["rows"], 'null for data.source "hub"'),
    "variant of generated data": (
        data(variants={"sst2": {"train": "lower-cased"}}),
        "data.variants",
        {"sst2": {"train": "lower-cased"}},
        'empty for data.source "generated"',
    ),
    "variant without a name": (
        changed(data={"source": "directory", "path": ".", "variants": {"sst2": {"train": " "}}}),
        "data.variants.sst2.train",
        " ",
        "one line that says what the variant is",
    ),
    "absent split": (
        changed(data=TINY["data"] | {"expected_rows": {"sst2": {"test": None}}}, score=["test"]),
        "data.expected_rows.sst2",
        {"test": None},
        'a mapping that leaves a split for "test", which every run needs',
    ),
    "nothing to train on": (
        data(expected_rows={"sst2": {"train": None}}),
        "data.expected_rows.sst2",
        {"train": None},
        'a mapping that leaves a split for "train", which every run needs',
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(case):
    config, what, value, allowed = VALUES[case]
    error = refused(config)
    assert (error.what, error.value, error.allowed) == (what, value, allowed)


def test_a_number_that_is_not_finite_is_refused():
    error = refused(settings(adkd={"all": {"beta": float("nan")}}))
    assert (error.what, error.allowed) == ("settings.adkd.all.beta", "a number at least 0")


def test_a_key_that_is_missing_is_named_with_what_it_can_be():
    error = refused({key: value for key, value in TINY.items() if key != "seeds"})
    assert (error.what, error.allowed) == ("seeds", f"set to {SEEDS}")
    error = refused(changed(data={"source": "generated"}))
    assert (error.what, error.value, error.allowed) == ("data.rows", None, 'set for data.source "generated"')


@pytest.mark.parametrize(
    "keys", [{"teacher": {"model": "x" * 5000}}, {"data": {"source": "directory", "path": "x" * 5000}}]
)
def test_a_name_that_no_file_can_have_is_refused(keys):
    assert "File name too long" in refused(changed(**keys)).what


def test_what_a_source_or_a_student_cannot_do_is_refused():
    error = refused(changed(data={"source": "hub"}, score=["test"], tasks=["rte"]))
    assert error.what == 'score: split "test" of rte has no labels in source "hub"'
    assert refused(changed(data={"source": "embedded"}, tasks=["rte"])).value == "rte"
    error = refused(changed(student={"from_teacher_layers": [0, 1, 2]}))
    assert "cannot teach this student with this teacher" in error.what


ABLATIONS = {
    "unknown setting": ({"setting": "bta", "values": [1]}, "setting of ablations.x", "bta"),
    "wrong value": ({"setting": "beta", "values": [-1]}, "adkd.beta", -1),
    "both ways": (
        {"setting": "beta", "values": [1], "points": {"a": {"beta": 2}}},
        "ablations.x",
        {"setting": "beta", "values": (1,), "points": {"a": {"beta": 2}}},
    ),
    "no values": ({"setting": "beta"}, "ablations.x", {"setting": "beta"}),
    "nothing": ({}, "ablations.x", {}),
    "empty point": ({"points": {"a": {}}}, "ablations.x.points.a", {}),
    "unknown task": ({"setting": "beta", "values": [1], "tasks": ["cla"]}, "task of ablations.x", "cla"),
    "unknown method": ({"method": "pdk", "setting": "beta", "values": [1]}, "method", "pdk"),
    "unknown key of a student": (
        {"setting": "student", "values": [{"layers": [1]}]},
        "key of student",
        "layers",
    ),
    "student too deep": (
        {"setting": "student", "values": [{"from_teacher_layers": [9]}]},
        "student.from_teacher_layers[0]",
        9,
    ),
}


@pytest.mark.parametrize("case", ABLATIONS)
def test_a_wrong_ablation_is_refused(case):
    entry, what, value = ABLATIONS[case]
    error = refused(changed(ablations={"x": entry}))
    assert (error.what, error.value) == (what, value)
    assert "ablations.x" in str(error) or case == "unknown method"


@pytest.mark.parametrize("views", [[0, 0], [0, 3], [2**40]])
def test_views_are_distinct_classes(views):
    error = refused(settings(adkd={"all": {"views": views}}))
    assert error.what.startswith("settings.adkd.all.views" if max(views) > 3 else "settings of adkd: views")


def test_two_points_that_are_one_run_are_refused():
    error = refused(changed(ablations={"x": {"points": {"a": {"beta": 2}, "b": {"beta": 2}}}}))
    assert error.what == "ablations.x: b and a are the same run, adkd+beta=2"


def test_an_error_about_a_key_begins_with_its_file_and_line(tmp_path):
    base, over = tmp_path / "base.yaml", tmp_path / "over.yaml"
    base.write_text(yaml.safe_dump({**TINY, "settings": {}}))
    lines = base.read_text().splitlines()
    cases = {
        "settings:\n adkd:\n  all:\n   alpha: 2": f"{over}:4",
        "task: [rte]": f"{over}:1",
        "settings:\n adkd:\n  all: {aplha: 1}": f"{over}:3",
        "seeds:\n - 1\n - x": f"{over}:3",
        "tasks: [sst2,\n  rt]": f"{over}:2",
        "reference: pdk": f"{over}:1",
        "sweeps:\n  storage: foo": f"{over}:2",
        "ablations:\n x: {setting: beta,\n  values: [-1]}": f"{over}:3",
        "sweeps: {space: {adkd:\n {beta: {low: .nan}}}}": f"{over}:2",
        "data: {rows: {train: 1}}": f"{over}:1",
        "student: {model: tiny_bert}": f"{over}:1",
        "seeds: null": f"{over}:1",
        "data: {source: hub}": f"{base}:{lines.index('  rows:') + 1}",
    }
    for text, place in cases.items():
        over.write_text(text)
        with pytest.raises(InputError) as caught:
            validate(load_config([base, over]))
        assert caught.value.where[0].startswith(place), text
    over.write_text("seeds: [x]")
    assert refused(load_config([base, over]) | {"seeds": ["x"]}).where == ()
    assert refused(load_config([base, over]).layered({"seeds": ["x"]})).where == ()


STORAGES = ("", " ", "http://host/name", "study.db", "postgresql://", "postgresql+nothing://host/name", "redis://host")
PASSWORDS = ("postgresql://me:hush@host/name", "mysql+pymysql://me:hu/sh@host/n", "postgresql://host/n?password=hush")


def test_a_storage_is_a_database_and_its_url_has_no_password():
    for url in STORAGES:
        assert "sweeps.storage" in refused(changed(sweeps={"storage": url})).what
    for url in PASSWORDS:
        error = refused(changed(sweeps={"storage": url}))
        assert "has a password" in error.what
        assert ".pgpass" in error.remedy
        assert "sh@" not in str(error)
        assert "=hush" not in str(error)
    for url in (
        "postgresql+psycopg://me@host:5432/name",
        "sqlite:///a:b@c.db",
        "mysql://h/n?read_default_file=~/.my.cnf",
    ):
        validate(changed(sweeps={"storage": url}))


def test_later_files_win_key_by_key_and_null_takes_a_section_away(tmp_path):
    (tmp_path / "over.yaml").write_text("{settings: {adkd: {all: {beta: 3.0}}, tinybert: null}, seeds: [7]}")
    config = validate(load_config([FOLDER / "tiny.yaml", tmp_path / "over.yaml"]))
    assert config.seeds == (7,)
    assert config.settings["adkd"]["all"] == TINY["settings"]["adkd"]["all"] | {"beta": 3.0}
    assert config.settings["training"] == TINY["settings"]["training"]
    assert "tinybert" not in config.settings


@pytest.mark.parametrize("names", ["tiny", "embedded", "paper", "paper rigorous", "laptop"])
def test_the_configs_that_come_along_are_valid(names):
    keys = load_config([FOLDER / f"{name}.yaml" for name in names.split()])
    if keys["data"]["source"] == "directory":
        keys["data"] |= {"source": "hub", "path": None}  # the user says where GLUE lies
    before = copy.deepcopy(keys)
    config = validate(keys)
    assert keys == before
    assert validate(config.model_dump()) == config
    planned = plan.build(config)
    assert len(planned.grids["grid"].students) == len(config.tasks) * len(config.methods) * len(config.seeds)
    assert set(planned.grids) == {"grid", *(f"ablations/{name}" for name in config.ablations)}


def test_the_schema_file_is_that_of_the_models():
    assert (FOLDER.parent / "schemas/config.schema.yaml").read_text() == schema_text(), "rebuild it with: make schema"


def test_the_sources_of_the_schema_are_those_of_the_code():
    assert get_args(DataConfig.model_fields["source"].annotation) == tuple(SOURCES)


def test_every_key_is_described_and_every_section_closed():
    schema = yaml.safe_load(schema_text())
    sections = schema["$defs"] | {"Config": schema}
    for name, section in sections.items():
        assert section["additionalProperties"] is False, name
        for key, entry in section["properties"].items():
            assert entry.get("description") or sections[entry["$ref"].rpartition("/")[2]]["description"], (
                f"{name}.{key}"
            )
    assert list(sections["TeacherConfig"]["properties"]) == ["model", "seeds", "margin", *TRAINING]
    assert list(schema["properties"]) == list(Config.model_fields)
