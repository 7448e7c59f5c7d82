"""What a process does for the run that it learns: holds the folder, hears when it is to stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

from mgconv.errors import UserError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run's folder against other processes; a killed one lets go of it by itself.

    Raises:
        UserError: another process learns in it, or it cannot be written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = (Path(folder) / ".lock").open("w")
    except OSError as error:
        remedy = "Give a folder that can be written."
        raise UserError(f"Cannot write in {folder}", error.strerror, remedy) from None
    with file:
        try:
            is_free = lock_descriptor(file.fileno(), blocking=False)
        except OSError as error:  # a file system without locks
            remedy = "Choose an --out on another file system."
            raise UserError(f"Cannot lock {folder}", error.strerror, remedy) from None
        if not is_free:
            remedy = "Wait for it, or choose another --out."
            raise UserError("Another process is learning in", folder, remedy)
        yield


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; the second does what it does elsewhere."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python lets only the main thread hear signals
        return

    def tell(number, frame):
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
