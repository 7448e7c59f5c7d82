"""Models by name: inside the package, from a server, from the Hub."""

import contextlib
import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import refused

import mgconv
from mgconv.io.files import sha256_of, write_json
from mgconv.models import PerClassModel, load, pretrained, untrained
from mgconv.models.saved import WEIGHTS

COMMIT = "0" * 40


class Server(http.server.BaseHTTPRequestHandler):
    """Serves a folder as it is, and as the Hub would; spoils the weights where it is asked to."""

    root = Path()
    spoil = "nothing"
    asked: list[str] = []  # noqa: RUF012  of all requests

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.asked.append(self.path)
        if self.path.startswith("/api/models/owner/name/revision/"):
            files = [{"rfilename": path.name} for path in self.root.iterdir()]
            return self.answer(json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": files}))
        if self.path.startswith("/api/models/owner/name/tree/"):
            return self.answer(json.dumps([
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": path.name}
                for path in self.root.iterdir()
            ]))  # fmt: skip
        path = self.root / self.path.rpartition("/")[2]
        if not path.is_file() or self.path.startswith(("/nobody", "/api")):
            return self.send_error(404)
        content = path.read_bytes()
        if path.name == WEIGHTS and self.spoil == "other":
            content = content[:-1] + b"?"
        return self.answer(content, cut=path.name == WEIGHTS and self.spoil == "cut")

    def answer(self, content, cut=False):
        content = content.encode() if isinstance(content, str) else content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hash(content):x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if cut else content)

    def log_message(self, *of):
        pass


@pytest.fixture(scope="module")
def kept(tmp_path_factory, tiny, toy_images):
    """A saved model."""
    folder = tmp_path_factory.mktemp("kept") / "toys"
    untrained(tiny(), toy_images()).save(folder)
    return folder


@pytest.fixture(scope="module")
def serve():
    """Starts servers of a folder: address and handler."""
    with contextlib.ExitStack() as stack:

        def start(root):
            handler = type("Handler", (Server,), {"root": root, "asked": []})
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}", handler

        yield functools.cache(start)


@pytest.fixture
def server(serve, kept, monkeypatch, tmp_path):
    """A server with the model `toys`, and an empty cache."""
    address, handler = serve(kept)
    hashes = {"toys": sha256_of(kept / "config.json"), "digits": "0"}
    write_json(tmp_path / "hashes.json", hashes)
    monkeypatch.setattr(pretrained, "HASHES", tmp_path / "hashes.json")
    monkeypatch.setattr(pretrained, "CHECKOUT", tmp_path / "none")
    monkeypatch.setenv("MGCONV_RELEASED", address)
    monkeypatch.setenv("MGCONV_CACHE_DIR", str(tmp_path / "cache"))
    handler.asked.clear()
    monkeypatch.setattr(handler, "spoil", "nothing")
    return handler


def weights(model):
    return [weight.numpy() for net in model.nets for weight in net.weights]


def test_a_released_model_is_fetched_once(server, kept, capsys):
    model = mgconv.from_pretrained("toys")
    assert "Fetching http://127.0.0.1" in capsys.readouterr().out
    for found, expected in zip(weights(model), weights(load(kept)), strict=True):
        np.testing.assert_array_equal(found, expected)
    num = len(server.asked)
    assert num == 3
    mgconv.from_pretrained("toys")
    assert len(server.asked) == num
    assert "Fetching" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "said"), [("cut", "more expected"), ("other", "is not the published file")]
)
def test_a_reply_that_is_cut_or_another_is_not_kept(spoil, said, server, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "spoil", spoil)
    assert said in refused(mgconv.from_pretrained, "toys")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    monkeypatch.setattr(server, "spoil", "nothing")
    mgconv.from_pretrained("toys")


def test_another_config_than_the_pinned_one_is_not_kept(server, monkeypatch, tmp_path):
    write_json(tmp_path / "hashes.json", {"toys": "0" * 64})
    assert "config.json is not the published file" in refused(mgconv.from_pretrained, "toys")


def test_a_server_that_is_not_there_is_told(server, monkeypatch):
    monkeypatch.setenv("MGCONV_RELEASED", "http://127.0.0.1:9")
    assert "Cannot fetch" in refused(mgconv.from_pretrained, "toys")
    monkeypatch.delenv("MGCONV_RELEASED")
    assert "Set MGCONV_RELEASED" in refused(mgconv.from_pretrained, "toys")


def test_a_folder_is_as_good_as_a_server(server, kept, monkeypatch):
    monkeypatch.setenv("MGCONV_RELEASED", str(kept.parent))
    mgconv.from_pretrained("toys")
    assert not server.asked


def test_paths_are_loaded_and_near_names_told(server, kept):
    assert weights(mgconv.from_pretrained(kept))
    assert "Did you mean toys" in refused(mgconv.from_pretrained, "toy")
    assert "Cannot read" in refused(mgconv.from_pretrained, "no/such/folder")


# -- the Hub


@pytest.fixture
def hub(serve, kept, tmp_path, monkeypatch):
    """A server that answers as the Hub does; nothing of it is here yet."""
    package = pytest.importorskip("huggingface_hub")
    address, handler = serve(kept)
    places = {"endpoint": address, "cache_dir": tmp_path / "hub"}
    fetch = functools.partial(package.snapshot_download, **places)
    monkeypatch.setattr(package, "snapshot_download", fetch)
    monkeypatch.setattr(handler, "spoil", "nothing")
    return handler


def test_a_repository_of_the_hub_is_loaded(hub, kept):
    model = mgconv.from_pretrained("hf://owner/name")
    for found, expected in zip(weights(model), weights(load(kept)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert mgconv.from_pretrained(f"hf://owner/name@{COMMIT}").class_names == ["toy"]


@pytest.mark.parametrize("spoil", ["cut", "other"])
def test_a_spoilt_repository_is_told_in_one_line(spoil, hub, monkeypatch):
    monkeypatch.setattr(hub, "spoil", spoil)
    refused(mgconv.from_pretrained, "hf://owner/name")


def test_other_names_of_the_hub_are_told(hub):
    assert "Cannot fetch" in refused(mgconv.from_pretrained, "hf://nobody/nothing")
    assert "Give hf://OWNER/NAME" in refused(mgconv.from_pretrained, "hf://name")


# -- inside the package


def test_the_digits_are_inside_and_every_hash_is_right():
    hashes = json.loads(pretrained.HASHES.read_text())
    for name, digest in hashes.items():
        for place in (pretrained.INSIDE / name, pretrained.CHECKOUT / name):
            if place.is_dir():
                assert sha256_of(place / "config.json") == digest
                assert (place / WEIGHTS).stat().st_size <= 3_000_000
    assert (pretrained.INSIDE / "digits").is_dir()


def test_the_digits_are_digits():
    """Each sample's nearest real digit is of the class that was asked for."""
    from sklearn.datasets import load_digits

    model = mgconv.from_pretrained("digits")
    assert isinstance(model, PerClassModel)
    assert model.labels == list(range(10))
    labels = np.repeat(np.arange(10), 16)
    samples = ((model.synthesize(labels, seed=0) + 1) * 8).reshape(len(labels), -1)
    real, classes = load_digits(return_X_y=True)
    distances = (samples**2).sum(1)[:, None] + (real**2).sum(1) - 2 * samples @ real.T
    assert np.mean(classes[distances.argmin(1)] == labels) >= 0.95


def test_a_cut_file_inside_is_told(tmp_path, monkeypatch):
    shutil.copytree(pretrained.INSIDE, tmp_path / "inside")
    file = tmp_path / "inside" / "digits" / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])
    monkeypatch.setattr(pretrained, "INSIDE", tmp_path / "inside")
    assert "not the SHA-256" in refused(mgconv.from_pretrained, "digits")
