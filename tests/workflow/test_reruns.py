"""What a change reruns, counted on a finished tree: dry runs only, nothing is trained.

The tree is made by touching every output in the order of making; ``snakemake --touch`` then writes what Snakemake
remembers of a real run. Every test works on a copy of the tree and of the repository.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from adkd.plan import plan
from adkd.plan.checks import validate
from adkd.plan.config import load_config
from adkd.plan.results import Results

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).parents[2]
TASKS, METHODS, SEEDS = ("sst2", "stsb"), ("finetune", "vanilla_kd", "pkd", "adkd"), (1, 2)
ANALYSIS = {"scores.csv", "tables/main.csv", "figures/scores.pdf"}


@dataclass
class Tree:
    """A finished tree, the repository beside it, and the config it was made by."""

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def config(self, **changed) -> None:
        """Lay keys over the config."""
        layer = yaml.safe_load((self.folder / "layer.yaml").read_text())
        (self.folder / "layer.yaml").write_text(yaml.safe_dump(layer | changed))

    def replace(self, file: str, old: str, new: str) -> None:
        """Change one place of a file of the repository."""
        path = self.repository / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def forget(self) -> None:
        """Delete all that Snakemake remembers."""
        shutil.rmtree(self.work / ".snakemake")

    def plan(self) -> plan.Plan:
        """What the config asks for, by the code of this repository, not of the copy."""
        config = validate(load_config([self.repository / "workflow/config/tiny.yaml", self.folder / "layer.yaml"]))
        return plan.build(config, Results(self.work / "results"))

    def snakemake(self, *options: str) -> str:
        files = [self.repository / "workflow/config/tiny.yaml", self.folder / "layer.yaml"]
        command = [sys.executable, "-m", "snakemake", "--snakefile", self.repository / "Snakefile"]
        command += ["--directory", self.work, "--configfile", *files, "--cores", "1", *options]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Path -> content and time stamp of all results and specs."""
        files = (file for file in self.work.rglob("results/**/*") if file.is_file())
        return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}

    def stale(self, *options: str) -> set[str]:
        """The first output of every job that a run would do now, relative to ``results``. A dry run writes nothing."""
        before = self.files()
        said = self.snakemake("--dry-run", *options)
        assert self.files() == before
        found = re.findall(r"^    output: results/([^,\n]+)", said, flags=re.M)
        total = re.search(r"^total +(\d+)$", said, flags=re.M)
        # "all" counts as a job and has no output.
        assert len(set(found)) == len(found) == (int(total[1]) - 1 if total else 0)
        assert bool(total) != ("Nothing to be done" in said)
        return set(found)


def students(methods=METHODS, tasks=TASKS, seeds=SEEDS) -> set[str]:
    return {f"students/{m}/{t}/seed-{s}/metrics.json" for m in methods for t in tasks for s in seeds}


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("finished"))
    for name in ("adkd", "baselines", "workflow"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, tree.repository / name, ignore=ignore)
    for name in ("Snakefile", "environment.yml", "environment.post-deploy.sh"):
        shutil.copy(REPOSITORY / name, tree.repository)
    (tree.repository / "profiles").symlink_to("workflow/profiles")
    (tree.folder / "layer.yaml").write_text("{}\n")
    tree.work.mkdir()
    ablations = {"beta": None, "views": None}
    tree.config(tasks=list(TASKS), methods=list(METHODS), seeds=list(SEEDS), ablations=ablations)
    said = tree.snakemake("--dry-run")
    lines = re.findall(r"^    output: (.+)", said, flags=re.M)
    assert len(lines) == 2 + 2 + 2 * 3 + 16 + 3  # data, teachers, signals, students, analysis
    assert not (tree.work / "results").exists()  # a dry run writes nothing
    planned = tree.plan()
    planned.write()
    for file in sorted({file for line in lines for file in line.split(", ")}, key=stage):
        spec = planned.specs.get(Path(file).parent.relative_to("results").as_posix())
        report = {"spec": spec.as_json()} if spec else {}
        (tree.work / file).parent.mkdir(parents=True, exist_ok=True)
        (tree.work / file).write_text(json.dumps(report))
    tree.snakemake("--touch")
    return tree


def stage(file: str) -> int:
    """When a file is made: the first part of its path below ``results`` says it."""
    order = ("data", "teachers", "signals", "students", "scores.csv", "tables", "figures")
    return order.index(Path(file).parts[1])


@pytest.fixture
def tree(finished, tmp_path) -> Tree:
    shutil.copytree(finished.folder, tmp_path / "tree", symlinks=True)
    return Tree(tmp_path / "tree")


def test_a_finished_tree_has_nothing_to_do(tree):
    assert tree.stale() == set()
    tree.forget()
    assert tree.stale() == set()


def test_a_setting_reruns_its_method_and_put_back_it_reruns_nothing(tree):
    tree.config(settings={"adkd": {"all": {"beta": 3.0}}})
    assert tree.stale() == students(["adkd"]) | ANALYSIS
    tree.forget()
    assert tree.stale() == students(["adkd"]) | ANALYSIS
    tree.config(settings={})
    assert tree.stale() == set()


def test_what_was_planned_for_another_config_or_not_at_all_reruns_what_it_would_if_written(tree):
    shutil.rmtree(tree.work / "results/plan")
    tree.forget()
    assert tree.stale() - ANALYSIS == set()
    tree.config(settings={"adkd": {"all": {"beta": 3.0}}})
    foreseen = tree.stale()
    assert foreseen == students(["adkd"]) | ANALYSIS
    tree.plan().write()
    assert tree.stale() == foreseen


def test_a_teachers_setting_spares_who_learns_from_none(tree):
    tree.config(settings={"teacher": {"stsb": {"epochs": 4}}})
    tree.forget()
    signals = {f"signals/stsb/seed-shared/{name}/signals.json" for name in ("logits", "cls", "maps-all-1")}
    teacher = {"teachers/stsb/seed-shared/metrics.json"}
    assert tree.stale() == teacher | signals | students(["vanilla_kd", "pkd", "adkd"], ["stsb"]) | ANALYSIS


@pytest.mark.parametrize("kind", ["gone", "emptied"])
def test_a_result_that_lacks_a_file_is_made_again_with_what_follows_from_it(tree, kind):
    report = tree.work / "results/students/adkd/stsb/seed-1/metrics.json"
    time = report.stat().st_mtime_ns
    model = report.parent / "model/model.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"weights")
    files = {"model/model.safetensors": {"bytes": 7, "sha256": "0" * 64}}
    report.write_text(json.dumps(json.loads(report.read_text()) | {"files": files}))
    os.utime(report, ns=(time, time))
    if kind == "emptied":
        tree.forget()
    assert tree.stale() == set()
    model.unlink() if kind == "gone" else model.write_bytes(b"")
    assert tree.stale() == students(["adkd"], ["stsb"], [1]) | ANALYSIS


def test_a_comment_reruns_nothing(tree):
    for file in ("baselines/pkd.py", "adkd/methods/losses.py", "adkd/training/student.py", "workflow/config/tiny.yaml"):
        path = tree.repository / file
        path.write_text(path.read_text() + "\n# A better comment.\n")
    for file in ("environment.yml", "workflow/rules/student.smk", "Snakefile"):
        path = tree.repository / file
        path.write_text("# A better comment.\n" + path.read_text())
    tree.replace("baselines/pkd.py", '"""Patient knowledge', '"""A better docstring. Patient knowledge')
    assert tree.stale("--workflow-profile", "none") == set()  # with all that Snakemake may rerun for


def test_a_changed_loss_reruns_its_method(tree):
    tree.replace("baselines/pkd.py", "(ours - theirs).square()", "2 * (ours - theirs).square()")
    tree.forget()
    assert tree.stale() == students(["pkd"]) | ANALYSIS


def test_a_changed_figure_reruns_the_figures(tree):
    path = tree.repository / "adkd/analysis/figures/scores.py"
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    assert tree.stale() == {"figures/scores.pdf"}


def test_a_seed_adds_its_own_runs(tree):
    tree.config(seeds=[1, 2, 3])
    tree.forget()
    new = tree.stale()
    assert new == students(seeds=[3]) | ANALYSIS
    assert len(new) == len(METHODS) * len(TASKS) + 3


def test_a_method_adds_its_own_runs(tree):
    text = (tree.repository / "adkd/methods/adkd.py").read_text()
    (tree.repository / "baselines/sparse_maps.py").write_text(
        text.replace("TokenMap(self.top_k, self.steps", "TokenMap(8, self.steps")
    )
    tree.config(methods=[*METHODS, "sparse_maps"])
    maps = {f"signals/{task}/seed-shared/maps-8-1/signals.json" for task in TASKS}
    assert tree.stale() == maps | students(["sparse_maps"]) | ANALYSIS


def test_a_wrong_config_is_one_line_and_starts_nothing(tree):
    tree.config(methods=["adkd", "pdk"])
    with pytest.raises(AssertionError, match=r'unknown method "pdk"; did you mean "pkd"\?') as caught:
        tree.stale()
    assert "Traceback" not in str(caught.value)


def test_the_declared_results_are_the_plans(finished):
    planned = finished.plan()
    for name in planned.specs:
        assert planned.results.plan_file(name).exists()
    for run in planned.grid().students:
        for name in [*planned.needed(run.result), run.result]:
            assert planned.results.report_file(name, planned.specs[name].stage).exists()
