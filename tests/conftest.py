"""Fixtures of several rooms. No test reaches a hub or the user's own cache."""

import gc
import os
from pathlib import Path

import pytest

from adkd.data.prepare import prepare
from adkd.data.spec import DataSpec
from adkd.plan.results import Results


def pytest_collection_finish() -> None:
    """Never search what was imported for garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    os.environ["ADKD_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS="")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("ADKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


DATA_SPEC = DataSpec(
    result="data/mnli",
    code="",
    task="mnli",
    source={"name": "generated", "rows": {"train": 70, "validation": 20, "test": 5}},
    exceptions={},
    variants={},
    train_rows=None,
    held_out=0.0,
    max_length=32,
    tokenizer="tiny_bert",
    seed=0,
)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared task: generated data, three classes, the vocabulary of ``tiny_bert``."""
    results = Results(tmp_path_factory.mktemp("prepared"))
    prepare(DATA_SPEC, results)
    return results.directory(DATA_SPEC.result)


@pytest.fixture
def results(data: Path, tmp_path: Path) -> Results:
    """A tree of results that contains the small prepared task and nothing else."""
    (tmp_path / "results/data").mkdir(parents=True)
    (tmp_path / "results" / DATA_SPEC.result).symlink_to(data)
    return Results(tmp_path / "results")


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write figures as SVG alone: PDF and PNG take most of the time, and few tests read them."""
    from adkd.analysis.figures import style

    monkeypatch.setattr(style, "METADATA", {"svg": style.METADATA["svg"]})
