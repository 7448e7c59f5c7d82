"""Checkpoints that are not lost: written whole, checked before reading."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from mgconv.errors import UserError, brief
from mgconv.training.guard import BANDS, DivergenceError, Guard
from mgconv.training.layouts import (
    Saved,
    find_saved,
    keep_only,
    unusable,
    updates_of,
    write_folder,
)

NUM_HEALTHY = 20  # updates that must have followed a checkpoint which one goes back to
NUM_LATE = max(band.patience for band in BANDS.values())  # sick ones at most that are seen too late
_MISFITS = (tf.errors.OpError, AssertionError, ValueError, LookupError, TypeError, RecursionError)


class Checkpoints:
    """The checkpoints of a learner in a run's folder: its state, the seconds, the guard's memory.

    Each is a folder, written aside and renamed when it is whole and has a manifest, the SHA-256 of
    its files. One that its manifest does not fit is passed over, with a line, for the one before;
    TensorFlow does not open it. The flat files of older versions are read, too.

    Args:
        learner: what is saved and restored.
        folder: of the checkpoints.
        guard: whose memory goes with them.
        every: updates between two; so many of them are kept that one goes back NUM_HEALTHY
            updates from the first sick one. What is saved in between, at a signal or the end, is
            not gone back to.
    """

    def __init__(self, learner, folder: Path, guard: Guard | None = None, every: int = NUM_HEALTHY):
        self._every, self._num_kept = every, 1 + math.ceil((NUM_HEALTHY + NUM_LATE) / every)
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self._learner, self.folder, self._guard = learner, Path(folder), guard or Guard()
        self._memory = tf.Variable(self._guard.to_json())

    def restore(self) -> bool:
        """Reads the latest good checkpoint; False when there is none at all.

        Raises:
            UserError: all are damaged, or another model's.
        """
        latest = next(_good(self.folder), None)
        if latest is None:
            return False
        self._read(latest)
        return True

    def go_back(self, last_healthy: int) -> None:
        """Restores the last checkpoint that enough updates up to `last_healthy` followed.

        Where there is none, the oldest. Damaged and later ones are forgotten. The same divergence
        comes again from what is left, if the run is killed here: the same rollback follows.
        """
        good = list(_good(self.folder))[::-1]
        early = [x for x in self._regular(good) if x.update <= last_healthy - NUM_HEALTHY]
        last = (early or good[:1])[-1]
        with self._reported_where_full():
            keep_only(self.folder, good[: good.index(last) + 1])
        self.restore()

    def _regular(self, checkpoints: list[Saved]) -> list[Saved]:
        """Those that a run has however often it was interrupted."""
        return [saved for saved in checkpoints if saved.update % self._every == 0]

    def _state(self) -> tf.train.Checkpoint:
        """What is written and read: a new one each time, as old ones also count their saves."""
        return tf.train.Checkpoint(learner=self._learner, seconds=self.seconds, guard=self._memory)

    def _read(self, saved: Saved) -> None:
        try:
            status = saved.restore(self._state())
            status.assert_existing_objects_matched()
            status.assert_consumed()
            self._guard.from_json(self._memory.numpy().decode())
        except _MISFITS as error:
            found = f"{saved.path.name} is damaged or another model's ({brief(error)})"
            raise unusable(self.folder, found) from None

    def save(self) -> None:
        """Writes a checkpoint, unless a weight is not finite; removes those that are too old."""
        update = int(self._learner.update_count)
        finite = (tf.reduce_all(tf.math.is_finite(weight)) for weight in self._learner.weights)
        if not all(map(bool, finite)):
            raise DivergenceError("a weight is not finite", update)
        self._memory.assign(self._guard.to_json())
        with self._reported_where_full():
            write_folder(self.folder, update, self._state().write)
            found = find_saved(self.folder)
            past = [saved for saved in found if saved.update <= update]  # later: damaged, undone
            oldest = min(x.update for x in [*self._regular(past)[-self._num_kept :], *past[-2:]])
            keep_only(self.folder, [saved for saved in found if saved.update >= oldest])

    @contextlib.contextmanager
    def _reported_where_full(self):
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            found = brief(error)
            remedy = "Free space, or allow it; the same command resumes from the last checkpoint."
            raise UserError(f"Cannot write a checkpoint in {self.folder}", found, remedy) from None


def _good(folder: Path) -> Iterator[Saved]:
    """Checkpoints that can be read, latest first; what is passed over is printed."""
    found, num_good = find_saved(folder), 0
    for saved in reversed(found):
        damage = saved.damage()
        if damage is None:
            num_good += 1
            yield saved
        else:
            print(f"{saved.path}: passed over, {damage}; trying the one before.", flush=True)
    if found and not num_good:
        raise unusable(folder, "all of them are damaged")


def has_learned(folder: Path) -> bool:
    """Whether a folder of checkpoints has one after the first update."""
    return any(update > 0 for update in updates_of(folder))


def latest_checkpoint(folder: Path) -> str | None:
    """The latest good checkpoint of a folder, as tf.train.load_checkpoint takes it."""
    latest = next(_good(folder), None)
    return latest.prefix if latest else None
