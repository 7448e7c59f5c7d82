"""The loop around any learner: budget, log, checkpoint, resume, guard."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from mgconv.config import UserError
from mgconv.tracking import Run

NUM_WARM = 3  # updates ahead of a profile
NUM_TIMED = 20  # updates after the first by which --minutes becomes a number of updates


class DivergenceError(UserError):
    """Training met a value that is not finite."""


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


class Checkpoints:
    """The checkpoints of a learner in a run's folder, and the seconds it has learned."""

    def __init__(self, learner: Learner, folder: Path):
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self._learner, self.folder = learner, Path(folder)
        self._checkpoint = tf.train.Checkpoint(learner=learner, seconds=self.seconds)
        try:
            self._manager = tf.train.CheckpointManager(
                self._checkpoint, str(folder), max_to_keep=2, step_counter=learner.update_count
            )
        except ValueError:
            raise self._unusable("its file `checkpoint` is damaged") from None
        written = len(list(self.folder.glob("*.index")))
        registered = (self.folder / "checkpoint").exists()
        # one that is not registered is a first save that was killed: starting over loses nothing
        if self._manager.latest_checkpoint is None and written > (0 if registered else 1):
            raise self._unusable("its file `checkpoint` names none of them")

    def restore(self) -> bool:
        """Reads the latest checkpoint; False when there is none.

        Raises:
            UserError: it is truncated, or another model's.
        """
        path = self._manager.latest_checkpoint
        if path is None:
            return False
        try:
            status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched()
            status.assert_consumed()
        except (tf.errors.OpError, AssertionError, ValueError, LookupError, TypeError) as error:
            found = str(error).strip().split("\n")[0][:120]
            raise self._unusable(
                f"{Path(path).name} is damaged or another model's ({found})"
            ) from None
        return True

    def _unusable(self, found: str) -> UserError:
        remedy = "Put a copy in its place, or delete the folder to start over."
        return UserError(f"Cannot use checkpoint in {self.folder}", found, remedy)

    def save(self) -> None:
        """Writes a checkpoint, unless a weight is not finite."""
        update = int(self._learner.update_count)
        finite = (tf.reduce_all(tf.math.is_finite(weight)) for weight in self._learner.weights)
        if not all(map(bool, finite)):
            raise _diverged("a weight", "not finite", update, self._manager.latest_checkpoint)
        try:
            self._manager.save(checkpoint_number=update)
        except (tf.errors.OpError, OSError) as error:
            found = str(error).strip().split("\n")[0][:120]
            remedy = "Free space and run the same command: it goes on from the last checkpoint."
            raise UserError(f"Cannot write a checkpoint in {self.folder}", found, remedy) from None

    def check(self, scalars: dict[str, float]) -> None:
        """Stops at the first scalar that is not finite."""
        for name, value in scalars.items():
            if not math.isfinite(value):
                update = int(self._learner.update_count)
                raise _diverged(name, value, update, self._manager.latest_checkpoint)


def _diverged(name, value, update, latest):
    last = f"The last good checkpoint is {latest}; l" if latest else "L"
    remedy = f"{last}ower --learning_rate or --drift, or try --recipe=modern."
    return DivergenceError("Training diverged", f"{name} = {value} at update {update}", remedy)


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
        UserError: a checkpoint cannot be read or written.
    """
    checkpoints = Checkpoints(learner, run.checkpoints)
    checkpoints.restore()
    first, seconds_before = int(learner.update_count), float(checkpoints.seconds)
    run.rewind(first)
    total = _num_updates(run, minutes, num_updates)
    if first >= total:
        return seconds_before
    with contextlib.closing(run), _progress_bar(first, total) as progress:
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
            if last or update % checkpoint_every == 0:
                checkpoints.save()
            progress.set_postfix_str(_brief(scalars), refresh=False)
            progress.update()
            if last:
                break
    return seconds


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
