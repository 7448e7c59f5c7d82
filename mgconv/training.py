"""The loop around any learner: budget, log, checkpoint, resume, guard."""

import contextlib
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import tensorflow as tf

from mgconv.checkpoints import Checkpoints, locked
from mgconv.tracking import Run

NUM_WARM = 3  # updates ahead of a profile
NUM_TIMED = 20  # updates after the first by which --minutes becomes a number of updates


class Learner(Protocol):
    """What the loop needs of any learner; tf.train.Checkpoint must be able to track it, too."""

    update_count: tf.Variable

    @property
    def weights(self) -> list:
        """All weights that learn."""

    @property
    def parameters(self) -> dict[str, int]:
        """How many there are, by net."""

    def train_step(self, images: tf.Tensor, told: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """One update of a batch and what is known of it; scalars for the log."""

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images [B, s, s, C] for a person to look at."""


def train(
    learner: Learner,
    batches: Callable[[int], Iterable],
    *,
    num_updates: int,
    run: Run,
    minutes: float | None = None,
    log_every: int = 10,
    checkpoint_every: int = 200,
    preview_every: int = 200,
    num_profiled: int = 0,
) -> float:
    """Learns until `num_updates`, from where the run's last checkpoint stands.

    Args:
        learner: changed in place.
        batches: from the number of updates done to the batches that follow.
        num_updates: how many in all.
        run: the folder for checkpoints, metrics, pictures.
        minutes: instead of num_updates: as many as fit, by the rate of the run's first 20.
        log_every: updates between two lines of metrics.
        checkpoint_every: updates between two checkpoints.
        preview_every: updates between two pictures.
        num_profiled: updates traced for TensorBoard's profiler, after a few others.

    Returns:
        Seconds spent in updates, all sessions of the run together; tracing and pictures left out.

    Raises:
        DivergenceError: a value is not finite; the last checkpoint is good.
        UserError: a checkpoint cannot be read or written; another process learns in the folder.
        KeyboardInterrupt: SIGTERM or SIGINT came; where all was saved, it says so.
    """
    with locked(run.folder):
        checkpoints = Checkpoints(learner, run.checkpoints)
        checkpoints.restore()
        first, seconds_before = int(learner.update_count), float(checkpoints.seconds)
        run.rewind(first)
        total = _num_updates(run, minutes, num_updates)
        if first >= total:
            return seconds_before
        progress_bar = _progress_bar(first, total)
        with contextlib.closing(run), progress_bar as progress, _told_to_stop() as told:
            for update, batch in zip(itertools.count(first + 1), batches(first)):
                _profile(run, update - first - NUM_WARM, num_profiled, update >= total)
                scalars, elapsed = _timed_update(learner, batch)
                checkpoints.check(scalars)
                if update > first + 1:  # the first one is traced
                    checkpoints.seconds.assign_add(elapsed)
                seconds = float(checkpoints.seconds)
                if minutes and update == first + 1 + NUM_TIMED:
                    run.seconds_per_update((seconds - seconds_before) / NUM_TIMED)
                    total = progress.total = _num_updates(run, minutes, num_updates)
                last = update >= total
                if last or update % log_every == 0:
                    run.log(update, scalars | {"seconds": seconds, "seconds_per_update": elapsed})
                if last or update % preview_every == 0:
                    run.preview(update, learner.preview(tf.constant([0, update])))
                stopping = told.is_set()
                if last or stopping or update % checkpoint_every == 0:
                    checkpoints.save()
                if stopping and not last:
                    raise KeyboardInterrupt(f"Stopped at update {update}, all of it saved")
                progress.set_postfix_str(_brief(scalars), refresh=False)
                progress.update()
                if last:
                    break
        return seconds


@contextlib.contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; the second does what it does elsewhere."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told  # Python lets only the main thread hear signals
        return

    def tell(number, frame):
        told.set()
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, tell)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _profile(run: Run, update: int, num: int, last: bool) -> None:
    """Starts the trace ahead of update 1, ends it ahead of update num + 1 or the last one."""
    if num and update == 1 and not last:
        tf.profiler.experimental.start(str(run.folder / "tensorboard"))
    elif num and (update == num + 1 or (last and 1 < update <= num)):
        tf.profiler.experimental.stop()


def _timed_update(learner: Learner, batch) -> tuple[dict[str, float], float]:
    """One update: its scalars, and the seconds that it took."""
    parts = batch if isinstance(batch, tuple) else (batch,)  # images, and what is told of them
    start = time.perf_counter()
    scalars = {name: float(value) for name, value in learner.train_step(*parts).items()}
    return scalars, time.perf_counter() - start


def _num_updates(run: Run, minutes: float | None, num_updates: int) -> float:
    """The budget in updates; infinite until the rate is known."""
    if minutes is None:
        return num_updates
    rate = run.seconds_per_update()
    return max(1, round(60 * minutes / rate)) if rate else math.inf


def _progress_bar(first, total):
    from tqdm import tqdm

    known = None if total == math.inf else total
    return tqdm(initial=first, total=known, unit=" updates", disable=None)


def _brief(scalars):
    return " ".join(f"{k} {v:.2g}" for k, v in scalars.items() if k.startswith("gap"))
