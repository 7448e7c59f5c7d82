"""Checkpoints that are not lost: written whole, checked ahead of reading, by one process a run."""

import contextlib
import fcntl
import math
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from mgconv.config import UserError
from mgconv.tracking import read_json, sha256_of, write_json

NUM_KEPT = 2


class DivergenceError(UserError):
    """Training met a value that is not finite."""


class Checkpoints:
    """The checkpoints of a learner in a run's folder, and the seconds it has learned.

    Beside each lies a manifest, the SHA-256 of its files, written when they are whole. A checkpoint
    that its manifest does not fit, or that has none where others do, is passed over, told, for the
    one before; TensorFlow does not open it.
    """

    def __init__(self, learner, folder: Path):
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self._learner, self.folder = learner, Path(folder)
        self._checkpoint = tf.train.Checkpoint(learner=learner, seconds=self.seconds)
        try:
            self._manager = tf.train.CheckpointManager(
                self._checkpoint,
                str(folder),
                max_to_keep=NUM_KEPT,
                step_counter=learner.update_count,
            )
        except ValueError:
            raise self._unusable("its file `checkpoint` is damaged") from None
        written = len(list(self.folder.glob("*.index")))
        registered = (self.folder / "checkpoint").exists()
        # one that is not registered is a first save that was killed: starting over loses nothing
        if self._manager.latest_checkpoint is None and written > (0 if registered else 1):
            raise self._unusable("its file `checkpoint` names none of them")

    def restore(self) -> bool:
        """Reads the latest good checkpoint; False when there is none at all.

        Raises:
            UserError: all are damaged, or another model's.
        """
        path = self._latest_good()
        if path is None:
            return False
        try:
            status = self._checkpoint.restore(str(path))
            status.assert_existing_objects_matched()
            status.assert_consumed()
        except (tf.errors.OpError, AssertionError, ValueError, LookupError, TypeError) as error:
            found = str(error).strip().split("\n")[0][:120]
            raise self._unusable(f"{path.name} is damaged or another model's ({found})") from None
        return True

    def _latest_good(self) -> Path | None:
        paths = [Path(path) for path in reversed(self._manager.checkpoints)]
        if not any(_manifest(path).exists() for path in paths):
            return paths[0] if paths else None  # of a version that wrote none
        for path in paths:
            damage = _damage(path)
            if damage is None:
                return path
            print(f"{path}: passed over, {damage}; trying the one before.", flush=True)
        raise self._unusable("all of them are damaged")

    def _unusable(self, found: str) -> UserError:
        remedy = "Put a copy in its place, or delete the folder to start over."
        return UserError(f"Cannot use checkpoint in {self.folder}", found, remedy)

    def save(self) -> None:
        """Writes a checkpoint and its manifest, unless a weight is not finite."""
        update = int(self._learner.update_count)
        finite = (tf.reduce_all(tf.math.is_finite(weight)) for weight in self._learner.weights)
        if not all(map(bool, finite)):
            raise _diverged("a weight", "not finite", update, self._manager.latest_checkpoint)
        try:
            path = Path(self._manager.save(checkpoint_number=update))
        except (tf.errors.OpError, OSError) as error:
            found = str(error).strip().split("\n")[0][:120]
            remedy = "Free space and run the same command: it goes on from the last checkpoint."
            raise UserError(f"Cannot write a checkpoint in {self.folder}", found, remedy) from None
        write_json(_manifest(path), _sums(path))
        kept = {_manifest(Path(path)) for path in self._manager.checkpoints}
        for stale in set(self.folder.glob("*.sha256.json")) - kept:
            stale.unlink()

    def check(self, scalars: dict[str, float]) -> None:
        """Stops at the first scalar that is not finite."""
        for name, value in scalars.items():
            if not math.isfinite(value):
                update = int(self._learner.update_count)
                raise _diverged(name, value, update, self._manager.latest_checkpoint)


def _manifest(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.sha256.json")


def _sums(checkpoint: Path) -> dict[str, str]:
    files = sorted(checkpoint.parent.glob(f"{checkpoint.name}.[id]*"))  # .index, .data-*
    return {file.name: sha256_of(file) for file in files}


def _damage(checkpoint: Path) -> str | None:
    """What is wrong with the files of a checkpoint; None where they are those of its manifest."""
    try:
        expected = read_json(_manifest(checkpoint))
    except UserError:
        return "it has no readable manifest"
    found = _sums(checkpoint)
    wrong = sorted(name for name in expected if found.get(name) != expected[name])
    if not expected or wrong:
        return f"not as its manifest says: {', '.join(wrong) or 'nothing in it'}"
    return None


def _diverged(name, value, update, latest):
    last = f"The last good checkpoint is {latest}; l" if latest else "L"
    remedy = f"{last}ower --learning_rate or --drift, or try --recipe=modern."
    return DivergenceError("Training diverged", f"{name} = {value} at update {update}", remedy)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run's folder against other processes; a killed one lets go of it by itself.

    Raises:
        UserError: another process learns in it, or it cannot be written.
    """
    path = Path(folder) / ".lock"
    try:
        file = path.open("w")
    except OSError as error:
        remedy = "Give a folder that can be written."
        raise UserError(f"Cannot write in {folder}", error.strerror, remedy) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            remedy = "Wait for it, or choose another --out."
            raise UserError("Another process is learning in", folder, remedy) from None
        yield
