"""Wrong inputs at random, always the same ones: each gives a result or one clear error, of one line."""

import copy
import json
import signal
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adkd.__main__ import main
from adkd.base.errors import InputError, RunError
from adkd.data import parquet, tsv
from adkd.data.tasks import task
from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import CONFIGS, load_config
from adkd.plan.results import Results, read_spec

pytestmark = pytest.mark.workflow  # takes seconds

TINY = dict(load_config([CONFIGS / "tiny.yaml"]))


def fuzz(examples):
    """Settings of hypothesis: the same inputs in every run, no deadline, no files of its own."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def outcome(work, *arguments):
    """The result of a call, or the InputError or RunError that it raises, which has one line."""
    try:
        return work(*arguments)
    except (InputError, RunError) as error:
        wrong = error
    assert len(str(wrong).splitlines()) == 1
    return wrong


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**64, 10**400, 1e300, 1e-300]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["adkd", "stsb", "1e-5", "../x", "a\nb", "x" * 300, "a\0b", "\ud800", "{x}", "all"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value, path=()):
    """The path of every value below another."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from places(below, (*path, key))


@st.composite
def mutated(draw, value):
    """A value of JSON in which one to three places hold something else, or nothing."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from([*places(value)] or [("x",)]))
        inner = value
        for key in above:
            inner = inner[key]
        if draw(st.booleans()) and last in (inner if isinstance(inner, dict) else range(len(inner))):
            del inner[last]
        else:
            inner[last] = draw(VALUES)
    return value


@st.composite
def mangled(draw, content):
    """Bytes in which one to four pieces are replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 20))
        pieces = st.binary(max_size=4) | st.sampled_from(
            [b"\n", b"\t", b": ", b"[", b"&a ", b"*a", b"!!int ", b"<<: ", b"1:9"]
        )
        content = content[:start] + draw(pieces) + content[start + length :]
    return content


@fuzz(50)
@given(config=mutated(TINY))
def test_configs(config):
    checked = outcome(validate, config)
    if not isinstance(checked, InputError):
        outcome(plan.build, checked)


@pytest.mark.parametrize("form", ["YAML", "JSON"])
def test_bytes_of_configs(tmp_path, form):
    content = (CONFIGS / "tiny.yaml").read_bytes() if form == "YAML" else json.dumps(TINY, indent=1).encode()

    @fuzz(40)
    @given(content=mangled(content))
    def check(content):
        file = tmp_path / "c.yaml"
        file.write_bytes(content)
        error = outcome(lambda: validate(load_config([file])))
        assert not isinstance(error, InputError) or str(error).startswith(str(file))

    check()


ROWS = {
    "rte": ["index\tsentence1\tsentence2\tlabel", *(f"{i}\ta {i}\tb\t{'not_' * (i % 2)}entailment" for i in range(9))],
    "cola": [f"gj04\t{i % 2}\t*\tthey {i} ate" for i in range(9)],
    "sst2": ["sentence\tlabel", *(f"good {i} film \t{i % 2}" for i in range(9))],
}


@pytest.mark.parametrize("name", ROWS)
def test_tsv_files(tmp_path, name):
    @fuzz(60)
    @given(content=mangled("\n".join(ROWS[name]).encode()))
    def check(content):
        (tmp_path / "train.tsv").write_bytes(content)
        columns = outcome(tsv.read, tmp_path / "train.tsv", task(name), "train")
        if not isinstance(columns, InputError):
            assert set(columns["label"]) <= {0, 1}

    check()


COLUMNS = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1], "idx": [0, 1]}


def test_parquet_files(tmp_path):
    file = tmp_path / "train.parquet"
    pq.write_table(pa.table(COLUMNS), file)

    @fuzz(60)
    @given(content=mangled(file.read_bytes()))
    def check_bytes(content):
        file.write_bytes(content)
        outcome(parquet.read, file, task("rte"), "train")

    @fuzz(60)
    @given(column=st.sampled_from(list(COLUMNS)), values=st.lists(LEAVES, min_size=2, max_size=2))
    def check_columns(column, values):
        try:
            table = pa.table(COLUMNS | {column: values})
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            return  # no column has these values
        pq.write_table(table, file)
        columns = outcome(parquet.read, file, task("rte"), "train")
        if not isinstance(columns, InputError):
            assert set(columns["label"]) <= {0, 1}

    check_bytes()
    check_columns()


def test_specs(tmp_path):
    results = Results(tmp_path / "results")
    planned = plan.build(validate(TINY | {"tasks": ["stsb"], "methods": ["adkd"], "ablations": {}}), results)
    planned.write()
    by_stage = {spec.stage: spec for spec in planned.specs.values()}

    @fuzz(80)
    @given(data=st.data(), stage=st.sampled_from(sorted(by_stage)))
    def check(data, stage):
        spec = by_stage[stage]
        file = results.plan_file(spec.result)
        good = file.read_bytes()
        content = mangled(good) | mutated(json.loads(good)).map(lambda value: json.dumps(value).encode())
        file.write_bytes(data.draw(content))
        outcome(read_spec, file)
        outcome(results.spec, spec.result, type(spec))
        file.write_bytes(good)

    check()


OPTIONS = "--config --method --task --seed --root --trials --out --model --data --labels --grid --x --help"
NAMES = "tiny bad.yaml . nowhere adkd stsb rte 1 -1 18446744073709551616 x/y results/plan file.json plan/x.json ../.."
WORDS = (*OPTIONS.split(), *NAMES.split(), "", "a\nb", "\udcff", "x" * 300)
VERBS = [
    "plan",
    "run",
    "sweep",
    "evaluate",
    "submission",
    "summary",
    "journal",
    "student",
    "data",
    "study",
    "tables",
    "scores",
    "x",
]


def test_command_lines(tmp_path, monkeypatch, capfd):
    """Exit status 0 with a result, or 1 or 2 with one error; what the command would train is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "bad.yaml").write_bytes(b"\xff")
    (tmp_path / "file.json").write_text("[")
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "x.json").write_text("[1]")
    before = signal.getsignal(signal.SIGTERM)

    @fuzz(40)
    @given(verb=st.sampled_from(VERBS), words=st.lists(st.sampled_from(WORDS), max_size=5))
    def check(verb, words):
        trains = verb in ("run", "sweep", "evaluate") and "tiny" in words
        monkeypatch.setattr(sys, "argv", ["adkd", verb, *words, *(["--seed", "x"] if trains else [])])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capfd.readouterr().err
        assert caught.value.code in (0, 1, 2), printed
        assert "Traceback" not in printed
        assert not printed.startswith("error:") or len(printed.splitlines()) == 1

    try:
        check()
    finally:
        signal.signal(signal.SIGTERM, before)
