"""Who holds a folder, on this machine and on others."""

import errno
import multiprocessing.pool
import platform
import time

import pytest
from conftest import refused

from mgconv.io import locks
from mgconv.io.locks import LockedError, locked

LIVES = 0.3  # seconds of a claim here


@pytest.fixture
def brief(monkeypatch):
    """Claims are void after a part of a second."""
    monkeypatch.setattr(locks, "CLAIM", LIVES)


@pytest.fixture
def elsewhere(monkeypatch, brief):
    """Makes this process see locks as another machine does, whose kernel keeps its own."""

    def make(keeps_locks=False):
        monkeypatch.setattr(locks, "_machine", lambda: "another")
        if not keeps_locks:  # of machines that do not share them
            monkeypatch.setattr(locks, "lock_descriptor", lambda *_, **__: True)

    return make


def left_by_the_dead(folder):
    """The files of a process that was killed on a machine that is gone."""
    with locked(folder):
        claim = (folder / ".claim").read_text()
    me, other = f"host={platform.node()}", "host=gone"
    (folder / ".claim").write_text(claim.replace(me, other))
    (folder / ".lock").write_text("gone")


def test_a_folder_is_held_once_and_is_free_afterwards(tmp_path):
    with locked(tmp_path):
        assert "Another process is training" in refused(lambda: locked(tmp_path).__enter__())
    with locked(tmp_path):
        assert (tmp_path / ".claim").exists()
    assert not (tmp_path / ".claim").exists()


def test_patience_waits_for_the_holder(tmp_path):
    seen = []
    holder = multiprocessing.pool.ThreadPool(1)

    def hold():
        with locked(tmp_path):
            seen.append("held")
            time.sleep(0.3)
        seen.append("let go")

    done = holder.apply_async(hold)
    while not seen:
        time.sleep(0.01)
    with locked(tmp_path, patience=5):
        done.get(5)
        assert seen == ["held", "let go"]


def test_another_machine_sees_a_claim_that_is_touched(tmp_path, elsewhere):
    with locked(tmp_path):
        elsewhere()
        refused(lambda: locked(tmp_path).__enter__(), kind=LockedError)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("is_stuck", [False, True])
def test_the_claim_of_a_machine_that_is_gone_is_void_after_a_while(
    tmp_path, brief, monkeypatch, is_stuck, capsys
):
    """Also where a file server still keeps the lock of that machine."""
    left_by_the_dead(tmp_path)
    if is_stuck:
        monkeypatch.setattr(locks, "lock_descriptor", lambda *_, **__: False)
    begun = time.monotonic()
    with locked(tmp_path):
        assert time.monotonic() - begun > LIVES
    assert "watching whether another machine trains in it" in capsys.readouterr().out


def test_a_claim_of_a_process_that_ended_here_needs_no_watch(tmp_path, capsys):
    """Not even where nobody asked how it ended: the kernel lists it for as long."""
    left_by_the_dead(tmp_path)
    (tmp_path / ".lock").write_text(locks._machine())
    with locked(tmp_path):
        pass
    assert capsys.readouterr().out == ""


def test_a_claim_alone_holds_where_the_file_system_has_no_locks(tmp_path, brief, monkeypatch):
    def no_locks(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "lock_descriptor", no_locks)
    with locked(tmp_path):
        refused(lambda: locked(tmp_path).__enter__(), kind=LockedError)
    with locked(tmp_path):
        pass


def test_a_holder_whose_claim_is_taken_hears_of_it(tmp_path, brief):
    heard = []
    with locked(tmp_path, lost=lambda: heard.append(True)):
        (tmp_path / ".claim").unlink()
        time.sleep(LIVES)
    assert heard == [True]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Cannot write in" in refused(lambda: locked(tmp_path / "file").__enter__())
