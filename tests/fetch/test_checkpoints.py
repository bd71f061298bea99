"""The table of encoders agrees with the encoders."""

import shutil
from pathlib import Path, PurePosixPath

import pytest

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.fetch import checkpoints, origins, tiny_bert
from adkd.fetch.checkpoints import Shape


def test_the_generated_encoder_has_the_size_of_its_row():
    directory, _ = checkpoints.location("tiny_bert")
    assert checkpoints.shape(directory) == checkpoints.shape("tiny_bert") == Shape(4, 32, 4)


def test_the_vocabulary_in_the_table_is_that_of_the_encoder_that_is_fetched():
    from adkd.fetch.assets import ASSETS

    listed = {PurePosixPath(path).name: digest for path, digest in ASSETS["minilm"].members.items()}
    assert checkpoints.CHECKPOINTS["minilm_l6"].vocabulary == listed["vocab.txt"]


def test_the_generated_encoder_is_as_its_row_says():
    row, files = checkpoints.CHECKPOINTS["tiny_bert"], checkpoints.checked(Path(checkpoints.location("tiny_bert")[0]))
    for field in ("shape", "vocabulary", "longest", "token_types"):
        assert getattr(row, field) == getattr(files, field)


COMMITS = "a" * 40, "b" * 40


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """A hub cache with two commits of a model, and a list of files of which only some were downloaded."""
    from huggingface_hub import _tree_cache, constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--owner--name"
    for commit in COMMITS:
        shutil.copytree(tiny_bert.directory(), place / "snapshots" / commit, ignore=lambda *_: [tiny_bert.LIST])
        files = ["README.md", *(file.name for file in (place / "snapshots" / commit).iterdir())]
        entries = {name: _tree_cache.TreeCacheEntry(size=1, blob_id="0" * 40) for name in files}
        _tree_cache.write_tree_cache(str(place), commit, entries)
    (place / "refs").mkdir()
    (place / "refs/main").write_text(COMMITS[1])
    return place


def test_a_model_in_the_hubs_cache_is_found_though_its_readme_is_not_there(hub):
    for commit in COMMITS:
        assert checkpoints.location(f"owner/name@{commit}") == (str(hub / "snapshots" / commit), commit)
    assert origins.origin(f"owner/name@{COMMITS[0]}").commit == COMMITS[0]


def test_a_model_that_is_not_pinned_is_named_with_its_commit(hub, caplog):
    assert checkpoints.location("owner/name")[1] == COMMITS[1]
    assert f"owner/name@{COMMITS[1]}" in caplog.text


def test_a_branch_is_no_pin():
    with pytest.raises(InputError) as caught:
        checkpoints.known("owner/name@main")
    assert (caught.value.what, caught.value.value) == ("the commit of owner/name", "main")


def test_damaged_weights_in_the_hubs_cache_are_named(hub):
    link = hub / "snapshots" / COMMITS[0] / "model.safetensors"
    blob = hub / "blobs" / sha256(link)
    blob.parent.mkdir()
    link.replace(blob)
    link.symlink_to(blob)
    assert origins.origin(f"owner/name@{COMMITS[0]}").sha256 == {"model.safetensors": blob.name}
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError) as caught:
        origins.origin(f"owner/name@{COMMITS[0]}")
    assert (caught.value.what, caught.value.allowed) == (f"sha256 of {link}", blob.name)
