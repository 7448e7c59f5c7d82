"""What a process is to others: it ends at a signal, writes to a pipe."""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class Stopped(KeyboardInterrupt):
    """A signal ended the program.

    Args:
        said: what was done before it ended.
        number: of the signal; a shell expects 128 more as the exit code.
    """

    def __init__(self, said: str, number: int = signal.SIGINT):
        super().__init__(said)
        self.exit_code = 128 + number


class Stop(threading.Event):
    """Set where a signal asked for the end."""

    number: int = signal.SIGINT

    def now(self, said: str) -> Stopped:
        """The exception that ends the program."""
        return Stopped(said, self.number)


def stop_at_once(number: int, frame: object) -> None:
    """A handler of signals for what need not be saved."""
    raise Stopped("Interrupted", number)


@contextlib.contextmanager
def stop_requested() -> Iterator[Stop]:
    """An event that the first SIGTERM or SIGINT sets; the second does what it does elsewhere."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python lets only the main thread hear signals
        return

    def tell(number, frame):
        stop.number = number
        stop.set()
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, tell)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Patient:
    """A text stream that goes on in silence when its reader has left, as `head` does.

    Args:
        stream: whatever else is asked of it, it answers.
    """

    def __init__(self, stream: TextIO):
        self._stream, self._read = stream, True

    def write(self, text: str) -> int:
        """Writes, as long as somebody reads."""
        with self._until_closed():
            return self._stream.write(text) if self._read else len(text)
        return len(text)

    def flush(self) -> None:
        """Flushes, as long as somebody reads."""
        with self._until_closed():
            if self._read:
                self._stream.flush()

    @contextlib.contextmanager
    def _until_closed(self):
        try:
            yield
        except BrokenPipeError:
            self._read = False
            nowhere = os.open(os.devnull, os.O_WRONLY)  # Python flushes once more at its end
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Nothing reaches stderr, neither from Python nor from the libraries under it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Around its first import: quick, and without lines on stderr of a GPU that is missing.

    Modules stay, so garbage is not looked for among them, neither while they are imported nor
    later; it would take a fifth of the time of imports, and of tracing.
    """
    is_first, collects = "tensorflow" not in sys.modules, gc.isenabled()
    if is_first:
        gc.disable()
    try:
        with silent_stderr():
            yield
    finally:
        if is_first:
            gc.freeze()
        if collects:
            gc.enable()
