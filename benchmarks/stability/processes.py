"""Commands that `make stability` runs, one at a time in a folder."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

from mgconv.io.commands import StoppedError, last_line, run_command

NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}


class Processes:
    """Commands that run as long as the mark of `alive` is there."""

    def __init__(self, mark: Path):
        self._mark = mark

    def run(self, module: str, arguments: list[str], log: Path, hold: int, cores: int) -> str:
        """Runs a program to its end; the last line of one that failed, else "".

        Args:
            module: of the program.
            arguments: of the command line.
            log: gets what is printed, after what is there.
            hold: a file descriptor that stays open as long as the program runs.
            cores: threads that TensorFlow takes; the calling thread is pinned to as many.

        Raises:
            StoppedError: the mark is gone.
        """
        command = ["-m", module, *arguments]
        code = run_command(command, log, self._mark, cores, hold=(hold,), env=NO_GPU)
        return last_line(log) if code else ""

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
                if not self._mark.exists():
                    raise StoppedError
                time.sleep(1)
            yield file.fileno()
