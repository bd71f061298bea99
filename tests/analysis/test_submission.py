"""The zip for the GLUE server: official sizes, random logits, every file against what was put in."""

import os
import shutil
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import spearmanr

from adkd.analysis import submission
from adkd.base.errors import InputError
from adkd.bench.made_up import write_run
from adkd.data.tasks import TASKS
from adkd.plan.grid import Grid, Run
from adkd.plan.reports import RunReport
from adkd.plan.results import Results
from adkd.training.run import write_logits

from .conftest import START, regridded, relisted, replaced, student_spec

pytestmark = pytest.mark.workflow

ENTAILMENT = ("entailment", "not_entailment")
THREE = ("entailment", "neutral", "contradiction")
SERVER = {
    "CoLA": ("cola", "test", 1063, "01"),
    "SST-2": ("sst2", "test", 1821, "01"),
    "MRPC": ("mrpc", "test", 1725, "01"),
    "STS-B": ("stsb", "test", 1379, None),
    "MNLI-m": ("mnli", "test_matched", 9796, THREE),
    "MNLI-mm": ("mnli", "test_mismatched", 9847, THREE),
    "QNLI": ("qnli", "test", 5463, ENTAILMENT),
    "QQP": ("qqp", "test", 390965, "01"),
    "RTE": ("rte", "test", 3000, ENTAILMENT),
    "WNLI": ("wnli", "test", 146, "01"),
    "AX": (None, "test", 1104, THREE),
}
"""What the server expects, written out once more: task, split, rows, labels in the order of their numbers."""

SKILL = {(task, split): (2.0, 1.0, 0.5) for task in TASKS for split in TASKS[task].splits("validation")}
SKILL |= {("cola", "validation"): (0.2, 1.0, 3.0), ("stsb", "validation"): (0.2, 2.0, 0.5)}
# Matched for itself would choose the first seed, the mean over both chooses the second.
SKILL |= {("mnli", "validation_matched"): (2.0, 1.7, 0.5), ("mnli", "validation_mismatched"): (0.0, 1.7, 0.5)}
BEST = {task: 1 for task in TASKS} | {"cola": 3, "stsb": 2, "mnli": 2}

Stored = dict[tuple[str, str, int], np.ndarray]
Written = tuple[str, dict[str, list[list[str]]]]


def store(path: Path, logits: np.ndarray, idx: np.ndarray) -> None:
    """Store other predictions for the rows of a test set."""
    path.unlink(missing_ok=True)  # it may be a link to the tree that all tests share
    write_logits(path, idx, np.full(len(idx), -1), logits)
    relist(path)


def relist(predictions: Path) -> None:
    """Put the sha256 of other predictions into the report of their run."""
    run = predictions.parents[1]
    relisted(run.parents[3], f"students/adkd/{run.parent.name}/{run.name}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Stored]:
    """Results of one method with three seeds on all of GLUE, and its test logits in the order of idx."""
    results, rng, stored = Results(tmp_path_factory.mktemp("glue") / "results"), np.random.default_rng(0), {}
    tasks = [task for task in TASKS.values() if task.server]
    runs = []
    for task in tasks:
        for number, seed in enumerate((1, 2, 3)):
            outputs = {}
            for split in task.splits("validation"):
                fixed = np.random.default_rng(5)
                labels = fixed.random(300) * 5 if task.regression else fixed.integers(0, task.outputs, 300)
                signal = labels[:, None] if task.regression else np.eye(task.outputs)[labels]
                logits = signal * SKILL[task.name, split][number] + rng.normal(size=signal.shape)
                outputs[split] = labels, logits.astype("float32")
            spec = student_spec("adkd", task.name, seed, evaluate=("validation", "test"))
            spec.write(results.plan_file(spec.result))
            write_run(results, spec, outputs)
            for split in task.splits("test"):
                rows = task.rows[split]
                logits = (rng.normal(size=(rows, task.outputs)) * 2 + 2).astype("float32")
                order = np.random.default_rng(6).permutation(rows)  # the same for every seed
                store(results.directory(spec.result) / f"predictions/{split}.parquet", logits[order], order)
                stored[task.name, split, seed] = logits
            about = {"method": "adkd", "task": task.name, "seed": str(seed), "result": spec.result}
            runs.append(Run(**about, explanation=None, latency=f"latency/{spec.result}"))
    grid = Grid(
        name="grid",
        tasks=tuple(task.name for task in tasks),
        methods=("adkd",),
        labels={"adkd": "adkd"},
        seeds=("1", "2", "3"),
        reference="adkd",
        roles=("validation",),
        selection="dev",
        source="hub",
        tuned=False,
        teacher_model="bert_base",
        student=START,
        notes=("A note of the plan.",),
        absent={},
        students=tuple(runs),
        teachers=(),
        skipped={},
    )
    grid.write(results.plan_file(grid.name))
    return results.root, stored


@pytest.fixture
def results(whole, tmp_path) -> Path:
    """A copy of the results that a test may spoil, made of links."""
    shutil.copytree(whole[0], tmp_path / "results", copy_function=os.link)
    return tmp_path / "results"


def without(results: Path, *tasks: str, **changed: object) -> None:
    """Change the grid, and leave out the runs of tasks."""
    grid = Grid.load(results / "plan/grid.json")
    regridded(results, students=tuple(run for run in grid.students if run.task not in tasks), **changed)


def write(results: Path, seeds: str = "best", method: str = "adkd", out: Path | None = None) -> Written:
    """The note, and the lines of every file as lists of fields."""
    out = out or results / "submissions/adkd.zip"
    note = submission.write(Grid.load(results / "plan/grid.json"), method, out, seeds)
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == sorted(f"{name}.tsv" for name in SERVER)
        texts = {name: archive.read(f"{name}.tsv").decode() for name in SERVER}
    assert all(text.endswith("\n") and "\r" not in text for text in texts.values())
    return note, {name: [line.split("\t") for line in text.splitlines()] for name, text in texts.items()}


@pytest.fixture(scope="module")
def submitted(whole, tmp_path_factory) -> Callable[[str], tuple[Written, Path]]:
    """The submission by a choice of seeds, written once, and its zip."""

    @cache
    def by(seeds: str) -> tuple[Written, Path]:
        out = tmp_path_factory.mktemp("submissions") / "adkd.zip"
        return write(whole[0], seeds, out=out), out

    return by


def expected(stored: Stored, name: str, seeds: tuple[int, ...]) -> list[str]:
    """The answers, by the plainest way there is."""
    task, split, _, labels = SERVER[name]
    logits = [stored[task, split, seed].astype(float) for seed in seeds]
    if labels is None:
        return [f"{min(5.0, max(0.0, value)):.3f}" for value in sum(logits)[:, 0] / len(logits)]
    return [labels[number] for number in sum(softmax(one, axis=1) for one in logits).argmax(1)]


@pytest.mark.parametrize("seeds", ["best", "average"])
def test_every_file_is_what_the_server_wants(submitted, whole, seeds):
    (note, files), _ = submitted(seeds)
    for name, (task, _, rows, _) in SERVER.items():
        header, *lines = files[name]
        assert header == ["index", "prediction"]
        assert [line[0] for line in lines] == [str(index) for index in range(rows)]
        answers = [line[1] for line in lines]
        if task is None:
            assert set(answers) == {"entailment"}
        else:
            assert answers == expected(whole[1], name, (BEST[task],) if seeds == "best" else (1, 2, 3)), name
    assert min(files["STS-B"][1:], key=lambda line: float(line[1]))[1] == "0.000"
    assert note.count("is constant") == 1
    assert "AX.tsv is constant" in note
    assert "A note of the plan." in note


def test_the_note_says_where_each_file_is_from(results, submitted):
    (note, _), out = submitted("best")
    said = {line.split()[0]: " ".join(line.split()) for line in note.splitlines() if ".tsv  " in line}
    for name, (task, _, rows, _) in SERVER.items():
        if task:
            assert said[f"{name}.tsv"].startswith(f"{name}.tsv {rows} seed {BEST[task]}, best of 3 ")
    scores = RunReport.read(results / "students/adkd/mnli/seed-2/metrics.json", "").scores
    both = [scores[f"validation_{part}"]["accuracy"] for part in ("matched", "mismatched")]
    assert said["MNLI-mm.tsv"].endswith(f" accuracy {100 * np.mean(both):.1f}")
    assert sorted(path.name for path in out.parent.iterdir()) == ["adkd.md", "adkd.zip"]
    assert "| AX.tsv " in out.with_suffix(".md").read_text()


def test_the_dev_score_of_an_average_is_its_own(results, submitted):
    (note, _), _ = submitted("average")
    assert note.count("mean of 3 seeds") == 10
    dev = [pd.read_parquet(results / f"students/adkd/stsb/seed-{s}/predictions/validation.parquet") for s in (1, 2, 3)]
    score = spearmanr(dev[0]["label"], sum(table["logit_0"].astype(float) for table in dev)).statistic
    assert next(line for line in note.splitlines() if line.startswith("STS-B")).split()[-2:] == [
        "spearmanr",
        f"{100 * score:.1f}",
    ]


def test_without_wnli_it_is_the_majority_and_says_so(results):
    without(results, "wnli")
    note, files = write(results)
    assert files["WNLI"][1:] == [[str(index), "0"] for index in range(146)]
    assert "WNLI.tsv is constant" in note


def test_a_tie_goes_to_the_first_seed(results):
    runs = results / "students/adkd/rte"
    first = RunReport.read(runs / "seed-1/metrics.json", "")
    for seed in (2, 3):
        dev = runs / f"seed-{seed}/predictions/validation.parquet"
        dev.unlink()
        shutil.copy(runs / "seed-1/predictions/validation.parquet", dev)
        relist(dev)
        replaced(results, f"students/adkd/rte/seed-{seed}", scores=first.scores)
    note, _ = write(results)
    assert next(line for line in note.splitlines() if line.startswith("RTE")).split()[2:4] == ["seed", "1,"]


def test_the_same_predictions_give_the_same_bytes(results, submitted):
    _, out = submitted("best")
    write(results)
    for suffix in (".zip", ".md"):
        assert (results / f"submissions/adkd{suffix}").read_bytes() == out.with_suffix(suffix).read_bytes()


def unplanned(results):
    without(results, "cola", "rte", skipped={"adkd": {"rte": "needs more"}})


def generated(results):
    regridded(results, source="generated")


def unpredicted(results):
    (results / "students/adkd/qnli/seed-2/predictions/test.parquet").unlink()


def unfinished(results):
    (results / "students/adkd/qnli/seed-2/metrics.json").unlink()


def otherwise_told(results):
    other = student_spec("adkd", "qnli", 2, evaluate=("validation", "test"), settings={"alpha": 0.5})
    other.write(Results(results).plan_file(other.result))


def restore(results, change):
    """Store other idx for the test rows of RTE, the same for all seeds."""
    for seed in (1, 2, 3):
        path = results / f"students/adkd/rte/seed-{seed}/predictions/test.parquet"
        table = pd.read_parquet(path)
        path.unlink()
        change(table).to_parquet(path, index=False)
        relist(path)


def cut(results):
    restore(results, lambda table: table[:277])


def repeated(results):
    restore(results, lambda table: table.assign(idx=table["idx"].replace(7, 8)))


def infinite(results):
    for seed in (1, 2, 3):
        path = results / f"students/adkd/stsb/seed-{seed}/predictions/test.parquet"
        store(path, np.full((1379, 1), np.nan), np.arange(1379))


def undefined(results):
    """One class logit of one run is no number; the class of the largest would be given all the same."""
    path = results / "students/adkd/qnli/seed-1/predictions/test.parquet"
    table = pd.read_parquet(path)
    path.unlink()
    table.loc[5, "logit_1"] = np.nan
    table.to_parquet(path, index=False)
    relist(path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (unplanned, r"no run of adkd on cola, rte \(skipped: needs more\); .*paper.yaml"),
        (generated, 'data.source must be .*, got "generated"'),
        (
            unpredicted,
            r"qnli/seed-2/predictions/test.parquet is missing \(1 of 30 .*predict: \[test\].*adkd student .*qnli",
        ),
        (unfinished, "qnli/seed-2/metrics.json is missing; make it with: adkd student"),
        (
            otherwise_told,
            r"qnli/seed-2/metrics.json was made by another spec: settings.alpha was 0.9, .* 0.5",
        ),
        (cut, "277 rows, expected the official 3000"),
        (repeated, "every idx from 0 to 2999 is expected once; 1 of them are not there, first 7"),
        (infinite, "not finite"),
        (undefined, "qnli.* not finite"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_submitted_is_refused_and_nothing_written(results, spoil, says):
    spoil(results)
    with pytest.raises(InputError, match=says):
        write(results)
    assert not (results / "submissions").exists()


def test_slips_name_what_is_allowed(results):
    with pytest.raises(InputError, match=r'unknown method .*"adk"; did you mean "adkd"'):
        write(results, method="adk")
    with pytest.raises(InputError, match='"avarage"; did you mean "average"'):
        write(results, seeds="avarage")
    with pytest.raises(InputError, match="not the name of a zip"):
        submission.write(Grid.load(results / "plan/grid.json"), "adkd", results / "adkd.md")
    assert not (results / "submissions").exists()
