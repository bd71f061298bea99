"""Sweeps as users run them: the same files on any number of cores, workers that are killed, and what tuning bought."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import optuna
import pandas as pd
import pytest
import yaml
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from adkd.base.files import read_json
from adkd.plan.results import Results
from adkd.plan.specs import StudySpec
from adkd.sweeps.storage import RETRY_OF
from tests.workflow.conftest import TINY, command, environment, snakemake

pytestmark = pytest.mark.workflow

FEW = {"tasks": ["stsb"], "ablations": {"beta": None, "views": None}, "sweeps": {"trials": 3}}


def layers(where, *more):
    """The tiny config and others over it, as options of snakemake or adkd."""
    paths = []
    for number, layer in enumerate([FEW, *more]):
        paths.append(where / f"layer-{number}.yaml")
        paths[-1].write_text(yaml.safe_dump(layer))
    return ["--configfile", TINY, *paths]


TWO = {"methods": ["vanilla_kd", "adkd"]}
ONE = {"methods": ["vanilla_kd"], "reference": "vanilla_kd"}


@pytest.fixture(scope="module")
def swept(grid, tmp_path_factory):
    """A copy of the tiny grid in which two methods were swept on one task, on two cores."""
    where = tmp_path_factory.mktemp("swept") / "copy"
    shutil.copytree(grid, where, symlinks=True)
    done = snakemake("sweep", *layers(where, TWO), cwd=where)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return where


def findings(where, method="vanilla_kd"):
    """File -> its bytes, times aside, of all that a study has found."""
    folder = where / f"results/sweeps/{method}/stsb"
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".json" and not path.name.startswith(".")
    }
    found["trials.csv"] = pd.read_csv(folder / "trials.csv").drop(columns="seconds").to_csv()
    for path in sorted(folder.rglob("trial.json")):
        report = read_json(path)
        epochs = [{key: one[key] for key in ("epoch", "terms", "score")} for one in report["history"]]
        found[path.relative_to(folder).as_posix()] = json.dumps([report["spec"], report["score"], epochs])
    return found


def test_two_runs_give_the_same_files_on_one_core_or_on_many(swept, tmp_path):
    done = snakemake("sweep", *layers(tmp_path, ONE), "--cores", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    here, there = findings(tmp_path), findings(swept)
    assert set(here) == set(there)
    assert len([name for name in here if name.endswith("trial.json")]) == 3
    names, kinds = ("history", "importance", "slices", "expected"), ("pdf", "png", "svg")
    drawn = {name for name in here if name.startswith("figures/")}
    assert drawn == {f"figures/{name}.{kind}" for name in names for kind in kinds}
    for name in here:
        assert here[name] == there[name], name


def test_a_lost_trial_is_made_again_and_no_other(swept, tmp_path):
    shutil.copytree(swept / "results", tmp_path / "results")
    before, folder = findings(tmp_path), tmp_path / "results/sweeps/vanilla_kd/stsb"
    (folder / "round-1/trial-0/seed-1/trial.json").unlink()
    shutil.rmtree(tmp_path / "results/plan")  # not even the specs are left
    made = {path: read_json(path)["finished"] for path in folder.rglob("trial.json")}
    done = snakemake("sweep", *layers(tmp_path, TWO), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert findings(tmp_path) == before
    assert {path: read_json(path)["finished"] for path in made} == made, "a trial that was there was made again"


def test_a_larger_budget_goes_on_from_what_is_there(swept, tmp_path):
    shutil.copytree(swept / "results", tmp_path / "results")
    folder = tmp_path / "results/sweeps/vanilla_kd/stsb"
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("trial.json")}
    done = snakemake("sweep", *layers(tmp_path, ONE, {"sweeps": {"trials": 5}}), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert {path: path.stat().st_mtime_ns for path in made} == made
    before, after = (pd.read_csv(where / "trials.csv") for where in (swept / folder.relative_to(tmp_path), folder))
    assert len(after) == 5
    pd.testing.assert_frame_equal(after[:3], before)
    done = snakemake("sweep", *layers(tmp_path, ONE, {"sweeps": {"trials": 5}}), cwd=tmp_path)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_grid_takes_what_sweeps_found_and_a_table_says_what_it_bought(swept, tmp_path):
    shutil.copytree(swept / "results", tmp_path / "results")
    done = snakemake("tuning", *layers(tmp_path, TWO, {"settings_from": "sweeps"}), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    results = tmp_path / "results"
    tuning = pd.read_csv(results / "tables/tuning.csv").set_index("method")
    main = pd.read_csv(results / "tables/main.csv").set_index(["method", "task"])
    untuned = pd.read_csv(results / "untuned/tables/main.csv").set_index(["method", "task"])
    for method in TWO["methods"]:
        best = yaml.safe_load((results / f"sweeps/{method}/stsb/best.yaml").read_text())["settings"][method]["stsb"]
        told = read_json(results / f"students/{method}+tuned/stsb/seed-1/metrics.json")["spec"]
        assert best == {key: {**told["settings"], **told["training"]}[key] for key in best}
        one = tuning.loc[method]
        assert (one["trials"], one["complete"], one["seeds"]) == (3, 3, 1)
        assert one["after"] == main.loc[(method, "stsb"), "mean"]
        assert one["before"] == untuned.loc[(method, "stsb"), "mean"]
        assert one["difference"] == pytest.approx(one["after"] - one["before"])
        assert one["seconds"] == pytest.approx(
            pd.read_csv(results / f"sweeps/{method}/stsb/trials.csv")["seconds"].sum()
        )
    text = (results / "tables/tuning.md").read_text()
    assert "Neither dev nor test took part." in text
    assert "trials, the same for all methods" in text
    figure = (results / "figures/tuning.svg").read_text(encoding="utf-8")
    assert all(f">{method}</text>" in figure for method in TWO["methods"])
    # The grid without tuning is the one that was there: nothing of it was made again.
    for seed in (1, 2):
        path = f"results/students/adkd/stsb/seed-{seed}/metrics.json"
        assert read_json(tmp_path / path) == read_json(swept / path)


def test_by_hand_gives_the_same_files_and_says_when_the_budget_is_spent(swept, tmp_path):
    def sweep(trials, *more):
        asked = ("--method", "vanilla_kd", "--task", "stsb", "--trials", trials)
        configs = layers(tmp_path, *more)[1:]
        return command("adkd", "sweep", *asked, *(part for path in configs for part in ("-c", path)), cwd=tmp_path)

    done = sweep(1)
    assert done.returncode == 0, done.stderr
    done = sweep(3)
    assert done.returncode == 0, done.stderr
    assert "trial" in done.stdout
    assert "best.yaml" in done.stdout
    assert findings(tmp_path) == findings(swept)
    before = findings(tmp_path)
    for done, words in [
        (sweep(3), "the budget of 3 trials is spent"),
        (sweep(2), "has 3; set a larger one, such as --trials 5"),
        (sweep(5, {"settings": {"training": {"all": {"clip": 2.0}}}}), ".clip was 1.0, is now 2.0"),
        (sweep(5, {"data": {"held_out": 0.2}}), "held_out was 0.1, is now 0.2; restore the config, or move"),
    ]:
        assert done.returncode == 2
        assert words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert findings(tmp_path) == before


WORKERS = {"sweeps": {"mode": "workers", "workers": 2, "trials": 4, "heartbeat": 0.5, "pruner": "none"}}


def test_a_killed_worker_loses_its_trial_alone(swept, tmp_path):
    """Two workers on a journal, one of them killed amid its first trial: the other one does all that is left."""
    shutil.copytree(swept / "results", tmp_path / "results")
    folder = tmp_path / "results/sweeps/vanilla_kd/stsb"
    shutil.rmtree(folder)
    configs = layers(tmp_path, ONE, WORKERS)
    done = command("adkd", "plan", *(part for path in configs[1:] for part in ("-c", path)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "cache").mkdir(exist_ok=True)

    def start(number):
        spec = f"results/plan/sweeps/vanilla_kd/stsb/worker-{number}.json"
        log = (tmp_path / f"worker-{number}.log").open("w")
        own = environment(tmp_path / "cache")
        return subprocess.Popen([sys.executable, "-m", "adkd", "worker", spec], cwd=tmp_path, env=own, stderr=log)

    results = Results(tmp_path / "results")
    study = results.spec("sweeps/vanilla_kd/stsb", StudySpec).study
    victim = start(0)
    deadline = time.monotonic() + 120
    while not (folder / "study.journal").exists() or not [
        trial for trial in trials(folder) if trial.params.keys() == study.space.keys()
    ]:
        assert victim.poll() is None, (tmp_path / "worker-0.log").read_text()
        assert time.monotonic() < deadline, "no trial was started"
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    (lost,) = trials(folder)
    assert lost.state == TrialState.RUNNING, "it was to be killed amid its trial"
    refused = command("adkd", "study", "results/plan/sweeps/vanilla_kd/stsb.json", cwd=tmp_path)
    assert "is not finished; run its workers until they end: snakemake sweep" in refused.stderr
    survivor = start(1)
    assert survivor.wait(300) == 0, (tmp_path / "worker-1.log").read_text()
    found = trials(folder)
    assert [trial.state for trial in found].count(TrialState.COMPLETE) == 4
    assert [trial.state for trial in found].count(TrialState.FAIL) == 1
    assert len(found) == 5
    (again,) = [trial for trial in found if trial.user_attrs.get(RETRY_OF) == lost.number]
    assert again.params == lost.params
    done = snakemake("sweep", *configs, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    table = pd.read_csv(folder / "trials.csv")
    assert list(table["state"]).count("failed") == 1
    assert read_json(folder / "sweep.json")["counts"] == {"complete": 4, "pruned": 0, "diverged": 0, "failed": 1}
    # What a trial scores does not depend on who carries it out.
    study.trial("sweeps/again", 1, again.params).write(results.plan_file("sweeps/again"))
    done = command("adkd", "trial", "results/plan/sweeps/again.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "results/sweeps/again/trial.json")["score"] == again.value


def trials(folder):
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    names = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=names[0], storage=storage).trials if names else []


def test_the_dashboard_opens_a_study(swept, tmp_path):
    pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed: pip install optuna-dashboard")
    shutil.copytree(swept / "results", tmp_path / "results")
    done = command("adkd", "journal", "results/plan/sweeps/adkd/stsb.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    journal = tmp_path / done.stdout.split()[-1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("optuna-dashboard") or str(tmp_path / "nowhere")
    module = [sys.executable, "-c", "from optuna_dashboard._cli import main; main()"]
    opened = [program] if shutil.which("optuna-dashboard") else module
    server = subprocess.Popen([*opened, str(journal), "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5) as answer:
                    (study,) = json.load(answer)["study_summaries"]
                break
            except OSError:
                assert server.poll() is None, "the dashboard has ended"
                assert time.monotonic() < deadline, "the dashboard does not answer"
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(30)
    assert study["study_name"] == "adkd/stsb"
