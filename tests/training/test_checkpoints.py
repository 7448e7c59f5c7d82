"""Checkpoints on disk: a run of an older version, names, locks that a killed process leaves."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

import mgconv
from mgconv.config import make_config
from mgconv.datasets.table import load_split
from mgconv.evaluation.synthesis import weights_key
from mgconv.io.files import new_folder, remove_drafts, remove_folder
from mgconv.io.locks import locked
from mgconv.training.checkpoints import Checkpoints, has_learned, latest_checkpoint
from mgconv.training.fit import learn
from mgconv.training.layouts import FolderCheckpoint
from mgconv.training.records import read_config

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def flat_run(tmp_path):
    """A run of 40 updates on digits that commit 704f4da made: flat checkpoints of updates 0, 40."""
    return shutil.copytree(DATA / "flat_run", tmp_path / "flat_run")


@pytest.fixture(scope="module")
def drawn():
    """What commit 704f4da drew from that run, and from it after 44 updates."""
    return np.load(DATA / "flat_run" / "samples.npy", allow_pickle=False)


def draw(folder):
    return mgconv.load(folder).synthesize(np.zeros(4, int), seed=5)


def test_a_run_of_an_older_version_draws_what_it_drew_then(flat_run, drawn):
    assert np.abs(drawn[0] - drawn[1]).max() > 0.1  # so that a few updates would be seen
    before = {path: path.read_bytes() for path in flat_run.rglob("*") if path.is_file()}
    np.testing.assert_allclose(draw(flat_run), drawn[0], atol=1e-3)
    after = {path: path.read_bytes() for path in flat_run.rglob("*") if path.is_file()}
    assert after == before


def test_a_run_of_an_older_version_resumes_as_it_would_have_then(flat_run, drawn):
    config, _ = read_config(flat_run)
    more = make_config(**config.__dict__ | {"num_updates": 44})
    learner, _ = learn(more, load_split(more), flat_run)
    assert int(learner.update_count) == 44
    names = {path.name for path in (flat_run / "checkpoints").iterdir() if path.suffix != ".json"}
    flat = {f"ckpt-{n}.{end}" for n in (0, 40) for end in ("index", "data-00000-of-00001")}
    assert names == flat | {"checkpoint", "000044"}
    np.testing.assert_allclose(draw(flat_run), drawn[1], atol=1e-3)


def test_a_damaged_run_of_an_older_version_is_told(flat_run):
    for path in flat_run.glob("checkpoints/*.data*"):
        path.write_bytes(path.read_bytes()[:-1])
    assert "all of them are damaged" in refused(mgconv.load, flat_run)


# -- names


@pytest.mark.parametrize(
    ("names", "learned"),
    [
        ([], False),
        (["000000"], False),
        (["000000", ".000200.7.draft", ".000100.7.gone"], False),
        (["000000", "000200"], True),
        (["1000000"], True),
        (["200"], False),
    ],
)
def test_a_run_has_learned_where_a_checkpoint_is_named_after_an_update(names, learned, tmp_path):
    for name in names:
        (tmp_path / name).mkdir()
    assert has_learned(tmp_path) == learned


def test_a_folder_without_checkpoints_has_no_latest(tmp_path):
    assert latest_checkpoint(tmp_path / "none") is None


def test_the_key_of_the_weights_is_that_of_older_versions_and_knows_no_drafts(flat_run):
    key = weights_key(flat_run)
    assert key == "2cfc0502"  # of commit 704f4da: what was drawn then is not drawn again
    draft = flat_run / "checkpoints" / ".000044.7.draft"
    draft.mkdir()
    (draft / "state.index").write_bytes(b"half")
    assert weights_key(flat_run) == key
    draft.rename(flat_run / "checkpoints" / "000044")
    assert weights_key(flat_run) != key


# -- folders that appear and vanish whole


def test_a_new_folder_appears_when_all_is_in_it_and_else_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"), new_folder(tmp_path / "a") as draft:
        (draft / "file").write_text("half")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "a") as draft:
        (draft / "file").write_text("whole")
        assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "file").read_text() == "whole"


def test_a_new_folder_replaces_the_old_one_and_a_failed_one_does_not(tmp_path):
    for content in ("old", "new"):
        with new_folder(tmp_path / "a") as draft:
            (draft / content).touch()
    with pytest.raises(OSError, match="full"), new_folder(tmp_path / "a") as draft:
        raise OSError("full")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_removed_is_gone_by_its_name_before_its_first_file_is(tmp_path, monkeypatch):
    with new_folder(tmp_path / "a") as draft:
        (draft / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed here
        remove_folder(tmp_path / "a")
    [left] = tmp_path.iterdir()
    assert left.name.startswith(".")
    remove_drafts(tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- locks


HOLD = """
import sys
from pathlib import Path
from mgconv.io.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_does_not_block(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        message = refused(lambda: locked(tmp_path).__enter__())
        assert f"Another process is training in: {tmp_path}. Wait for it" in message
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
    with locked(tmp_path):
        pass


def test_the_package_asks_for_no_module_that_windows_lacks():
    """Only on Linux and macOS: fcntl, resource, pwd, grp, termios."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp', 'termios'])\n"
        "import filelock, mgconv.io.process, mgconv.io.files, mgconv.datasets.cache"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_threads_that_need_the_same_images_decode_them_once(tmp_path):
    from mgconv.datasets.cache import open_or_fill
    from mgconv.datasets.sources import Source

    images, begun, reads = np.zeros([5, 4, 4, 1], np.uint8), threading.Event(), []

    def read(start):
        reads.append(start)
        begun.wait(5)  # so that the other one comes to wait
        yield from ((image, 0) for image in images)

    source = Source({}, ("a",), 5, read)
    fill = lambda: open_or_fill(tmp_path / "s", source, 4, 1, None)  # noqa: E731
    threads = [threading.Thread(target=fill) for _ in range(2)]
    for thread in threads:
        thread.start()
    threading.Timer(0.3, begun.set).start()
    for thread in threads:
        thread.join()
    assert reads == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("name", ["a[1]", "what?", "all*", "{a,b}", "back\\slash"])
def test_a_run_may_lie_in_a_folder_that_looks_like_a_pattern(flat_run, drawn, tmp_path, name):
    """TensorFlow looks for the files of a checkpoint by a pattern."""
    place = tmp_path / name / "run"
    shutil.copytree(flat_run, place)
    np.testing.assert_allclose(draw(place), drawn[0], atol=1e-3)
    learner = tf.Module()
    learner.update_count, learner.weights = tf.Variable(3, dtype=tf.int64), []
    kept = Checkpoints(learner, tmp_path / name / "new")
    kept.save()
    learner.update_count.assign(7)
    assert kept.restore()
    assert int(learner.update_count) == 3


@pytest.mark.parametrize("content", [{"": None}, {"state.index": None}, {}])
def test_a_manifest_that_names_no_sums_vouches_for_nothing(tmp_path, content):
    folder = tmp_path / "000003"
    folder.mkdir()
    (folder / "state.index").write_bytes(b"x")
    (folder / "manifest.json").write_text(json.dumps(content))
    assert "not as its manifest says" in FolderCheckpoint(folder).damage()
