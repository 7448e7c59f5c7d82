"""Checkpoints that are not lost: written whole, checked before reading."""

import contextlib
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from mgconv.errors import UserError, brief
from mgconv.io.files import read_json, sha256_of, write_json
from mgconv.training.guard import BANDS, DivergenceError, Guard

NUM_HEALTHY = 20  # updates that must have followed a checkpoint which one goes back to
NUM_LATE = max(band.patience for band in BANDS.values())  # sick ones at most that are seen too late
MANIFEST = ".sha256.json"
_MISFITS = (tf.errors.OpError, AssertionError, ValueError, LookupError, TypeError, RecursionError)


class Checkpoints:
    """The checkpoints of a learner in a run's folder: its state, the seconds, the guard's memory.

    Beside each lies a manifest, the SHA-256 of its files, written when they are whole. A checkpoint
    that its manifest does not fit, or that has none where others do, is passed over, with a line,
    for the one before; TensorFlow does not open it.

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
        self._checkpoint = tf.train.Checkpoint(
            learner=learner, seconds=self.seconds, guard=self._memory
        )
        self._manager = self._open()

    def _open(self):
        """TensorFlow's manager; its list, the file `checkpoint`, is made anew where it is damaged.

        One checkpoint that is not listed and has no manifest is a first save that was killed.
        """
        try:
            manager, found = self._make_manager(), "names none of them"
        except ValueError:
            manager, found = None, "is damaged"
        listed = manager.checkpoints if manager else []  # none, too, where the clock was set back
        if any(Path(f"{path}.index").exists() for path in listed):
            return manager
        written = sorted((path.with_suffix("") for path in self.folder.glob("*.index")), key=_order)
        whole = [path for path in written if _damage(path) is None]
        if whole:
            print(f"{self.folder}: the file `checkpoint` {found}; made anew by manifests.")
            with self._reported_where_full():
                self._write_list(whole)
            return self._make_manager()
        is_listed = (self.folder / "checkpoint").exists()
        if manager is None or len(written) > (0 if is_listed else 1):
            raise self._unusable(f"its file `checkpoint` {found}")
        return manager

    def _make_manager(self):
        return tf.train.CheckpointManager(
            self._checkpoint,
            str(self.folder),
            max_to_keep=None,
            step_counter=self._learner.update_count,
        )

    def _write_list(self, paths: list[Path]) -> None:
        tf.compat.v1.train.update_checkpoint_state(  # keeps names relative in an absolute folder
            str(self.folder.absolute()),
            paths[-1].name,
            [path.name for path in paths],
            all_model_checkpoint_timestamps=[1.0] * len(paths),  # all that the manager asks is that
            last_preserved_timestamp=0.0,  # they are later than this, whatever the clock says
        )

    def restore(self) -> bool:
        """Reads the latest good checkpoint; False when there is none at all.

        Raises:
            UserError: all are damaged, or another model's.
        """
        path = next(self._good(), None)
        if path is None:
            return False
        self._read(path)
        return True

    def go_back(self, last_healthy: int) -> None:
        """Restores the last checkpoint that enough updates up to `last_healthy` followed.

        Where there is none, the oldest. Damaged and later ones are forgotten. The same divergence
        comes again from what is left, if the run is killed here: the same rollback follows.
        """
        good = list(self._good())[::-1]
        early = [path for path in self._regular(good) if _order(path) <= last_healthy - NUM_HEALTHY]
        last = (early or good[:1])[-1]
        with self._reported_where_full():
            self._keep_only(good[: good.index(last) + 1])
        self.restore()

    def _regular(self, paths: list[Path]) -> list[Path]:
        """Those that a run has however often it was interrupted."""
        return [path for path in paths if _order(path) % self._every == 0]

    def _keep_only(self, kept: list[Path]) -> None:
        self._write_list(kept)
        names = {path.name for path in kept}
        for file in self.folder.glob("ckpt-*"):  # also halves of a save that was killed
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            elif file.name.partition(".")[0] not in names:
                file.unlink()
        self._manager = self._make_manager()

    def _read(self, path: Path) -> None:
        try:
            status = self._checkpoint.restore(str(path))
            status.assert_existing_objects_matched()
            status.assert_consumed()
            self._guard.from_json(self._memory.numpy().decode())
        except _MISFITS as error:
            found = brief(error)
            raise self._unusable(f"{path.name} is damaged or another model's ({found})") from None

    def _good(self) -> Iterator[Path]:
        """Checkpoints that can be read, latest first; what is passed over is printed."""
        paths = [Path(path) for path in reversed(self._manager.checkpoints)]
        if not any(self.folder.glob(f"*{MANIFEST}")):
            yield from paths  # killed before its first manifest
            return
        num_good = 0
        for path in paths:
            damage = _damage(path)
            if damage is None:
                num_good += 1
                yield path
            else:
                print(f"{path}: passed over, {damage}; trying the one before.", flush=True)
        if not num_good:
            raise self._unusable("all of them are damaged")

    def _unusable(self, found: str) -> UserError:
        remedy = "Put a copy in its place, or delete the folder to start over."
        return UserError(f"Cannot use checkpoint in {self.folder}", found, remedy)

    def save(self) -> None:
        """Writes a checkpoint and its manifest, unless a weight is not finite."""
        update = int(self._learner.update_count)
        finite = (tf.reduce_all(tf.math.is_finite(weight)) for weight in self._learner.weights)
        if not all(map(bool, finite)):
            raise DivergenceError("a weight is not finite", update)
        self._memory.assign(self._guard.to_json())
        with self._reported_where_full():
            path = Path(self._manager.save(checkpoint_number=update))
            write_json(_manifest(path), _sums(path))
            paths = [Path(path) for path in self._manager.checkpoints]
            oldest = min([*self._regular(paths)[-self._num_kept :], *paths[-2:]], key=_order)
            self._keep_only(paths[paths.index(oldest) :])

    @contextlib.contextmanager
    def _reported_where_full(self):
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            found = brief(error)
            remedy = "Free space, or allow it; the same command resumes from the last checkpoint."
            raise UserError(f"Cannot write a checkpoint in {self.folder}", found, remedy) from None


def has_learned(folder: Path) -> bool:
    """Whether a folder of checkpoints has one after the first update."""
    return any(_order(path.with_suffix("")) > 0 for path in folder.glob("*.index"))


def _order(checkpoint: Path) -> int:
    """The number of updates in its name."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _manifest(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}{MANIFEST}")


def _sums(checkpoint: Path) -> dict[str, str]:
    files = sorted(checkpoint.parent.glob(f"{checkpoint.name}.[id]*"))  # .index, .data-*
    return {file.name: sha256_of(file) for file in files}


def _damage(checkpoint: Path) -> str | None:
    """What is wrong with the files of a checkpoint; None where they are those of its manifest."""
    try:
        expected = read_json(_manifest(checkpoint))
    except UserError:
        return "it has no readable manifest"
    try:
        found = _sums(checkpoint)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    wrong = sorted(name for name in expected if found.get(name) != expected[name])
    if not expected or wrong:
        return f"not as its manifest says: {', '.join(wrong) or 'nothing in it'}"
    return None
