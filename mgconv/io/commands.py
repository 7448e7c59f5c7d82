"""A command in a process of its own, that runs as long as the program that asked for it."""

import contextlib
import os
import platform
import shlex
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from mgconv.errors import UserError

POLL = 0.5  # seconds between two looks at a command
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

_running: dict[subprocess.Popen, Path] = {}
_starting = threading.Lock()


class StoppedError(Exception):
    """The program that asked for commands is to end, or has ended; what runs got SIGTERM."""


@contextlib.contextmanager
def alive(folder: Path) -> Iterator[Path]:
    """A file in a folder that is there as long as its program wants commands to run.

    At the end those that this machine runs have ended; those of other machines end soon.
    """
    mark = folder.absolute() / f".jobs-{uuid.uuid4().hex}"
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        remedy = "Give a folder that can be written."
        raise UserError(f"Cannot write in {folder}", error.strerror, remedy) from None
    try:
        yield mark
    finally:
        with _starting:
            mark.unlink(missing_ok=True)
        while mark in list(_running.values()):
            time.sleep(POLL / 10)


def run_command(
    arguments: list[str],
    log: Path,
    mark: Path,
    threads: int = 0,
    cwd: Path | None = None,
    hold: tuple[int, ...] = (),
    env: dict[str, str] | None = None,
) -> int:
    """Runs Python with these arguments to the end, in a session of its own: Ctrl-C is ours.

    Args:
        arguments: of Python.
        log: gets the command, and what is printed, after what is there.
        mark: of `alive`; without it the command is asked to end. Training saves first.
        threads: that TensorFlow takes; 0: what it takes by itself.
        cwd: folder in which it starts.
        hold: file descriptors that stay open as long as it runs.
        env: variables besides those of this process.

    Returns:
        The exit code.

    Raises:
        StoppedError: the mark is gone.
    """
    own = {"PYTHONUNBUFFERED": "1"} | (env or {})
    own |= dict.fromkeys(THREADS, str(threads)) if threads else {}
    with log.open("a") as out:
        with _starting:
            _refuse_stopped(mark)
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=cwd, env=os.environ | own, pass_fds=hold,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            _running[process] = mark
        about = f"process {process.pid} on {platform.node()}, for {mark.name}"
        out.write(f"$ python {shlex.join(arguments)}  # {about}\n")
    code = _watched(process, mark)
    _refuse_stopped(mark)
    return code


def _watched(process: subprocess.Popen, mark: Path) -> int:
    """The exit code of a process that gets SIGTERM, once, when the mark is gone."""
    asked = False
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(POLL)
            if not asked and not mark.exists():
                process.terminate()
                asked = True
    except BaseException:  # Ctrl-C, where this is the main thread
        process.terminate()
        process.wait()
        raise
    finally:
        _running.pop(process, None)


def _refuse_stopped(mark: Path) -> None:
    if not mark.exists():
        raise StoppedError


def last_line(log: Path) -> str:
    """The last line of a log that is not blank."""
    lines = [line.strip() for line in log.read_text(errors="replace").split("\n")]
    return ([line for line in lines if line] or [""])[-1]
