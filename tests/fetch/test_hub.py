"""Files of the hub's data sets, from a stand-in on the loopback: a damaged copy is fetched again, once."""

import hashlib
from http.server import BaseHTTPRequestHandler

import pytest
from huggingface_hub import constants

from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.fetch import hub
from tests.fetch.server import served

CONTENT = b"PAR1 " * 50
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    """One file, of which the first downloads are damaged."""

    protocol_version = "HTTP/1.1"
    damaged = 0
    downloads = 0

    def do_GET(self):
        body = CONTENT
        if self.command == "GET" and "/resolve/" in self.path:
            type(self).downloads += 1
            body = CONTENT[:-1] + b"x" if self.downloads <= self.damaged else CONTENT
        self.send_response(200)
        self.send_header("ETag", '"etag"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    handler = type("Counted", (Hub,), {})
    with served(handler) as address:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield handler


def fetched():
    return hub.dataset_file("nyu-mll/glue", "rte/train.parquet", COMMIT, DIGEST)


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_download_is_verified_and_then_stays(server, damaged):
    server.damaged = damaged
    assert fetched().read_bytes() == CONTENT
    assert fetched().read_bytes() == CONTENT
    assert server.downloads == damaged + 1


def test_a_copy_that_is_damaged_in_the_cache_is_fetched_again(server):
    path = fetched()
    path.write_bytes(CONTENT[: len(CONTENT) // 2])
    assert fetched().read_bytes() == CONTENT
    assert server.downloads == 2


def test_a_hub_that_sends_another_file_is_refused_but_asked_again_the_next_time(server):
    server.damaged = 2
    with pytest.raises(InputError) as caught:
        fetched()
    assert (len(caught.value.value), caught.value.allowed) == (64, f"{DIGEST}, as published in nyu-mll/glue")
    assert "\n" not in str(caught.value)
    assert fetched().read_bytes() == CONTENT


def test_a_damaged_copy_without_a_network_is_named(server, monkeypatch):
    path = fetched()
    path.write_bytes(b"")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError) as caught:
        fetched()
    assert "damaged" in caught.value.what
    assert caught.value.where == (f"{path} is damaged: its sha256 is {sha256(path)}, not {DIGEST}",)
