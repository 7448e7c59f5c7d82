"""The loop around any learner: budget, log, checkpoint, resume, going back after divergence."""

import collections
import contextlib
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from mgconv.io.locks import locked
from mgconv.io.process import Stop, stop_requested
from mgconv.training.checkpoints import Checkpoints
from mgconv.training.guard import DivergenceError, Guard
from mgconv.training.run import Run

NUM_UNTRACED = 3  # updates before a profile
NUM_TIMED = 20  # updates after the first by which --minutes becomes a number of updates
MAX_UPDATES = 2**53  # that floats count
RATE_FACTOR = 0.5  # of the learning rate at each rollback


class Learner(Protocol):
    """What the loop needs of any learner; tf.train.Checkpoint must be able to track it, too."""

    update_count: tf.Variable
    seed: tf.Variable  # int32 [2]: of the run, and the number of rollbacks as its salt

    @property
    def rates(self) -> list:
        """Variables of all learning rates."""

    @property
    def weights(self) -> list:
        """All weights that are trained."""

    @property
    def parameters(self) -> dict[str, int]:
        """How many there are, by net."""

    def train_step(self, images: tf.Tensor, known: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """One update of a batch and what is known of it; scalars for the log."""

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a person looks at: images [B, s, s, C], and values [B] for histograms."""


@runtime_checkable
class PlanningLearner(Learner, Protocol):
    """One whose learning rate depends on the budget."""

    def plan(self, num_updates: int) -> None:
        """Takes note of the budget, as soon as it is known; a UserError where that is too late."""


class ReusableLearner(Learner, Protocol):
    """One that can become the learner of other data without being traced anew."""

    def reset(self, seed: int, colors: np.ndarray, reference: np.ndarray) -> None:
        """Forgets what it has learned."""


@dataclass(frozen=True)
class Cadence:
    """Updates between two of a kind."""

    log: int = 10
    checkpoint: int = 200
    preview: int = 200


def train(
    learner: Learner,
    batches: Callable[[int], Iterable],
    *,
    num_updates: int,
    run: Run,
    minutes: float | None = None,
    cadence: Cadence = Cadence(),
    num_profiled: int = 0,
    guard: Guard | None = None,
    restored: Callable[[], None] = lambda: None,
) -> float:
    """Trains until `num_updates`, from where the run's last checkpoint stands.

    Args:
        learner: changed in place.
        batches: from the number of updates done to the batches that follow.
        num_updates: how many in all.
        run: the folder for checkpoints, metrics, pictures.
        minutes: instead of num_updates: as many as fit, by the rate of the run's first 20.
        cadence: of lines of metrics, checkpoints, pictures.
        num_profiled: updates traced for TensorBoard's profiler, after a few others.
        guard: watches every update and says what follows divergence.
        restored: called where the run stands at its last checkpoint.

    Returns:
        Seconds spent in updates, all sessions of the run together, also in those that a rollback
        undid; tracing and pictures left out.

    Raises:
        DivergenceError: and no rollback is left; the last checkpoint is whole and finite.
        UserError: a checkpoint cannot be read or written; another process trains in the folder.
        Stopped: SIGTERM or SIGINT came, or another process took the folder, as after a sleep of
            this machine; where all was saved, it says so.
    """
    guard = guard or Guard()
    held = locked(run.folder, lost=lambda: stop.set())
    with held, contextlib.closing(run), stop_requested() as stop:
        run.begin()
        checkpoints = Checkpoints(learner, run.checkpoints, guard, cadence.checkpoint)
        if not checkpoints.restore():
            checkpoints.save()  # so that there is always one to go back to
        restored()
        profile = _Profile(run.folder, num_profiled)
        session = _Session(learner, batches, run, cadence, guard, checkpoints, stop, profile)
        while True:
            try:
                with contextlib.closing(profile):
                    session.learn(minutes, num_updates)
                if stop.is_set():  # also while the last pictures were drawn
                    update = int(learner.update_count)
                    raise stop.now(f"Stopped at update {update}, all of it saved")
                return float(checkpoints.seconds)
            except DivergenceError as error:
                _roll_back(learner, checkpoints, run, guard, error)


def num_rollbacks(learner: Learner) -> int:
    """How often a run went back."""
    return int(learner.seed[1])


def _roll_back(learner, checkpoints, run, guard, error):
    """Goes back, for other noise and half the learning rate; raises the error where it may not."""
    count = num_rollbacks(learner) + 1
    found = str(error).split(". ")[0]
    if guard.on_divergence != "rollback" or count > guard.max_rollbacks:
        run.event(error.update, f"{found}. Stopped.")
        raise error
    spent = checkpoints.seconds.numpy()
    checkpoints.go_back(error.last_healthy)
    checkpoints.seconds.assign(spent)
    for rate in learner.rates:
        rate.assign(RATE_FACTOR ** (count - num_rollbacks(learner)) * rate)
    learner.seed.assign([learner.seed[0], count])
    back = int(learner.update_count)
    text = f"{found}. Rollback {count}: back to update {back}, half the learning rate, other noise."
    run.rewind(back)
    run.event(back, text)


@dataclass
class _Session:
    """One process's part of a run."""

    learner: Learner
    batches: Callable[[int], Iterable]
    run: Run
    cadence: Cadence
    guard: Guard
    checkpoints: Checkpoints
    stop: Stop
    profile: "_Profile"
    logged: tuple[int, float] = (0, 0.0)  # update and seconds of the last line of metrics

    def learn(self, minutes: float | None, num_updates: int) -> None:
        """From where the learner stands to the end of the budget."""
        first = int(self.learner.update_count)
        self.run.rewind(first)
        total = _num_updates(self.run, minutes, num_updates)
        if first >= total:
            return
        self._plan(total)
        print(f"{self.run.folder}: pictures in samples/ every {self.cadence.preview} updates")
        start, timed = float(self.checkpoints.seconds), first + 1 + NUM_TIMED
        self.logged = first + 1, start  # the first update is traced, and not counted
        unread: collections.deque = collections.deque()
        with _progress_bar(first, total) as progress:
            for update, batch in zip(itertools.count(first + 1), self.batches(first)):
                self.profile.go_on(update - first)
                begun = time.perf_counter()
                parts = (
                    batch if isinstance(batch, tuple) else (batch,)
                )  # images, what is known of them
                unread.append((update, self.learner.train_step(*parts)))
                last, stopping = update >= total, self.stop.is_set()
                due = last or stopping or update <= timed or self._is_due(update)
                while len(unread) > (not due):  # else one late: the device need not wait for us
                    scalars = self._read(*unread.popleft())
                elapsed = time.perf_counter() - begun
                if update > first + 1:  # the first one is traced
                    self.checkpoints.seconds.assign_add(elapsed)
                if minutes and update == timed:
                    seconds = float(self.checkpoints.seconds) - start
                    self.run.seconds_per_update(seconds / NUM_TIMED)
                    total = progress.total = _num_updates(self.run, minutes, num_updates)
                    self._plan(total)
                    last = update >= total
                self._keep(update, scalars, last, stopping)
                shown = f"{_brief(scalars)} {self.guard.health}"
                progress.set_postfix_str(shown, refresh=False)
                progress.update()
                if last or stopping:
                    break

    def _plan(self, total):
        if isinstance(self.learner, PlanningLearner) and total < math.inf:
            self.learner.plan(int(total))

    def _is_due(self, update):
        cadence = self.cadence
        return any(update % x == 0 for x in (cadence.log, cadence.checkpoint, cadence.preview))

    def _read(self, update, scalars):
        """Scalars of an update as numbers, that the guard has seen."""
        scalars = {name: float(value) for name, value in scalars.items()}
        self.guard.look(update, scalars)
        return scalars

    def _keep(self, update, scalars, last, stopping):
        """Metrics, pictures and checkpoints that are due."""
        if last or update % self.cadence.log == 0:
            (before, then), seconds = self.logged, float(self.checkpoints.seconds)
            self.logged = update, seconds
            rate = (seconds - then) / max(1, update - before)
            self.run.log(update, scalars | {"seconds": seconds, "seconds_per_update": rate})
        if last or update % self.cadence.preview == 0:
            self.run.preview(update, self.learner.preview(tf.constant([0, update])))
        if last or stopping or update % self.cadence.checkpoint == 0:
            self.checkpoints.save()


class _Profile:
    """A trace of `num` updates for TensorBoard, once a process, after NUM_UNTRACED others."""

    def __init__(self, folder: Path, num: int):
        self._folder, self._num, self._runs = folder, num, False

    def go_on(self, update: int) -> None:
        """Ahead of each update, counted from 1: starts or ends the trace where it is due."""
        if self._num and update == NUM_UNTRACED + 1:
            tf.profiler.experimental.start(str(self._folder / "tensorboard"))
            self._runs = True
        elif update > NUM_UNTRACED + self._num:
            self.close()

    def close(self) -> None:
        """Writes what was traced, and traces no more."""
        if self._runs:
            tf.profiler.experimental.stop()
            self._runs, self._num = False, 0


def _num_updates(run: Run, minutes: float | None, num_updates: int) -> float:
    """The budget in updates; infinite until the rate is known."""
    if minutes is None:
        return num_updates
    rate = run.seconds_per_update()
    return max(1, round(min(MAX_UPDATES, 60 * minutes / rate))) if rate else math.inf


def _progress_bar(first, total):
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm_notebook

    known = None if total == math.inf else total
    how: dict[str, Any] = {"ncols": _columns()}
    if issubclass(tqdm, tqdm_notebook):  # it has a width of its own
        how = {}
    elif not sys.stderr.isatty():  # a log gets a line a minute
        how |= {"mininterval": 60, "maxinterval": 60, "delay": 60}
    return tqdm(initial=first, total=known, unit="update", **how)


def _columns() -> int | None:
    """Width of a progress bar: of the terminal, or 80 where that says 0; tqdm's own in a log."""
    if not sys.stderr.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:  # it only says that it is one, as a notebook's stream does
        return 80


def _brief(scalars):
    return " ".join(f"{k} {v:.2g}" for k, v in scalars.items() if k.startswith("gap"))
