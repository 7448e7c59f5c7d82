"""Who holds a run's folder: a process of this machine, or of another that shares it."""

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from filelock import SoftFileLease, Timeout, lock_descriptor

from mgconv.errors import UserError

CLAIM = 90.0  # seconds without a sign of life after which another machine's claim is void


class LockedError(UserError):
    """Another process holds a run's folder."""


@contextlib.contextmanager
def locked(
    folder: Path, patience: float = 0.0, lost: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Holds a run's folder against other processes, of other machines too.

    A lock of the kernel ends with its process, killed ones included. Some shared file systems keep
    such locks to one machine, or keep those of a machine that is gone. So the holder has a claim,
    too, a file that it touches three times in CLAIM seconds. Who finds another machine's claim
    watches it: a touch proves a holder, none in CLAIM seconds that there is none.

    Args:
        folder: of the run.
        patience: seconds to wait for another process of this machine.
        lost: called by a thread when another process took the claim, as after a sleep of this one.

    Raises:
        LockedError: another process trains in it.
        UserError: it cannot be written.
    """
    folder = Path(folder)
    claim = SoftFileLease(
        folder / ".claim", lease_duration=CLAIM, thread_local=False, on_compromise=lambda _: lost()
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+")
    except OSError as error:
        raise _unwritable(folder, error) from None
    with file:
        is_free, is_ours = _lock(file, patience), _holder(file) == _machine()
        if is_free is False and is_ours:
            raise _taken(folder)
        if is_free and is_ours:
            (folder / ".claim").unlink(missing_ok=True)  # it ended here: its lock is free
        _take(claim, folder)
        try:
            _sign(file)
            yield
        finally:
            claim.release()


def _taken(folder: Path) -> LockedError:
    remedy = "Wait for it, or choose another --out."
    return LockedError("Another process is training in", folder, remedy)


def _unwritable(folder: Path, error: OSError) -> UserError:
    remedy = "Give a folder that can be written."
    return UserError(f"Cannot write in {folder}", error.strerror, remedy)


def _lock(file: TextIO, patience: float) -> bool | None:
    """Whether the kernel's lock of an open file was free and is taken; None: it has no locks."""
    end = time.monotonic() + patience
    with contextlib.suppress(OSError):
        while not (is_free := lock_descriptor(file.fileno(), blocking=False)):
            if time.monotonic() >= end:
                break
            time.sleep(0.05)
        return is_free
    return None


def _take(claim: SoftFileLease, folder: Path) -> None:
    """Makes the claim; that of another is watched until it is seen to live, or not to.

    Raises:
        LockedError: it lives.
        UserError: the folder cannot be written.
    """
    seen = _touched(folder)
    if seen is not None:
        print(f"{folder}: watching whether another machine trains in it", flush=True)
    try:
        lives = lambda: _touched(folder) not in (None, seen)  # noqa: E731
        claim.acquire(timeout=1.5 * CLAIM, poll_interval=0.1, cancel_check=lives)
    except Timeout:
        raise _taken(folder) from None
    except OSError as error:
        raise _unwritable(folder, error) from None


def _touched(folder: Path) -> float | None:
    """When the claim in a folder was touched last; None: there is none."""
    try:
        with (folder / ".claim").open() as file:  # opened, a network's file is asked for anew
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None


def _machine() -> str:
    """What tells this machine, and its start, from others: processes of one see its locks."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return platform.node()


def _holder(file: TextIO) -> str:
    """The machine of the last holder; this one where it cannot be read, as a held file of Windows.

    Nobody held a new file: it is this machine's.
    """
    with contextlib.suppress(OSError):
        file.seek(0)
        return file.read() or _machine()
    return _machine()


def _sign(file: TextIO) -> None:
    file.seek(0)
    file.truncate()
    file.write(_machine())
    file.flush()
    os.fsync(file.fileno())
