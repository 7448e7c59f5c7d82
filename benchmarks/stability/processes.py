"""Commands that `make stability` runs: started, ended, waited for, one at a time in a folder."""

import contextlib
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor


class StoppedError(Exception):
    """The program is to end; what runs got the signal."""


class Processes:
    """Commands that run now, each in a session of its own, so that a terminal's Ctrl-C is ours."""

    def __init__(self):
        self._live, self._lock, self._stopping = set(), threading.Lock(), threading.Event()

    def stop(self) -> None:
        """Asks all commands to end. Training saves a checkpoint first."""
        with self._lock:
            self._stopping.set()
            for process in self._live:
                process.terminate()

    def run(self, module: str, arguments: list[str], log: Path, hold: int, cores: int) -> str:
        """Runs a program to its end.

        Args:
            module: of the program.
            arguments: of the command line.
            log: gets what is printed, after what is there.
            hold: a file descriptor that stays open as long as the program runs.
            cores: threads that TensorFlow takes; the calling thread is pinned to as many.

        Returns:
            The last line of a program that failed, else "".

        Raises:
            StoppedError: `stop` was called.
        """
        threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(cores))
        env = os.environ | threads | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONUNBUFFERED": "1"}
        with log.open("a") as out:
            with self._lock:
                if self._stopping.is_set():
                    raise StoppedError
                process = subprocess.Popen(
                    [sys.executable, "-m", module, *arguments],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                    env=env, start_new_session=True, pass_fds=[hold],
                )  # fmt: skip
                self._live.add(process)
            out.write(f"$ python -m {module} {shlex.join(arguments)}  # process {process.pid}\n")
        code = process.wait()
        with self._lock:
            self._live.remove(process)
        if self._stopping.is_set():
            raise StoppedError
        lines = log.read_text(errors="replace").split("\n")
        return (([line for line in lines if line.strip()] or [""])[-1] if code else "").strip()

    @contextlib.contextmanager
    def holding(self, path: Path) -> Iterator[int]:
        """Holds a lock file; yields its descriptor. A program that has it holds the lock, too.

        So a command that outlived a killed `make stability` is waited for.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            signaled = False
            while not lock_descriptor(file.fileno(), blocking=False):
                if not signaled:
                    print(f"{path}: waiting for another process", flush=True)
                signaled = True
                if self._stopping.wait(1):
                    raise StoppedError
            yield file.fileno()
