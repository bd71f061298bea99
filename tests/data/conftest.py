"""What the tests of the data room share: a cache of their own, and no way out to an index or a hub."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One cache for the whole session, so that the generated encoder is made once; pip sees no index."""
    root = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("ADKD_CACHE", str(root))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("ADKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
