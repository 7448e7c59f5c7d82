"""The loop: interrupted is uninterrupted, divergence is caught, bad checkpoints are told."""

import contextlib
import itertools
import json
import signal
import sys
import time
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

from benchmarks.faults import saved
from mgconv.io import locks
from mgconv.io.files import sha256_of, write_json
from mgconv.io.locks import locked
from mgconv.training import loop as training
from mgconv.training.checkpoints import NUM_HEALTHY, Checkpoints
from mgconv.training.fit import learn
from mgconv.training.guard import DivergenceError, Guard
from mgconv.training.loop import NUM_TIMED, Cadence, num_rollbacks, train
from mgconv.training.records import read_events, read_metrics
from mgconv.training.run import Run

DATA = {"num_images": 12, "channels": 1, "class_names": ["toy"], "mean_pixel": 127.25}


class Toy(tf.Module):
    """A learner whose only weight adds up the batches; `sick` are updates that go wrong.

    They do so until a rollback has brought the salt to `cured`.
    """

    def __init__(self, sick=(), shape=(), cured=1):
        super().__init__()
        self.update_count = tf.Variable(0, dtype=tf.int64)
        self.seed, self.rate = tf.Variable([3, 0]), tf.Variable(1.0)
        self.weight = tf.Variable(tf.zeros(shape))
        self.sick, self.calls, self.cured = sick, 0, cured

    @property
    def weights(self):
        return [self.weight]

    @property
    def rates(self):
        return [self.rate]

    def train_step(self, batch):
        self.calls += 1
        self.weight.assign_add(tf.fill(self.weight.shape, float(batch)))
        self.update_count.assign_add(1)
        bad = int(self.update_count) in self.sick and num_rollbacks(self) < self.cured
        return {"gap/4": tf.constant(float("nan") if bad else 0.5), "sum": self.weight * 1}

    def preview(self, seed):
        return {"synthesized/4": tf.zeros([2, 4, 4, 1])}


def numbered(first):
    """Batch i is the number i + 1."""
    return itertools.count(first + 1)


def interrupted_at(update):
    def stream(first):
        yield from range(first + 1, update)
        raise KeyboardInterrupt

    return stream


@pytest.fixture
def open_run(tmp_path, tiny):
    """Opens the same folder as a new process would."""
    return lambda: Run(tmp_path / "run", tiny(), DATA)


class TwiceSick(Toy):
    """At update 45, and after that rollback at 25."""

    def train_step(self, batch):
        self.sick = [25] if num_rollbacks(self) else [45]
        return super().train_step(batch)


def go(learner, run, num_updates=8, batches=numbered, **options):
    options = {"cadence": Cadence(1, 2, 4)} | options
    return train(learner, batches, num_updates=num_updates, run=run, **options)


class FlatCheckpoints(Checkpoints):
    """Saves as older versions did: flat files, a manifest beside them, TensorFlow's list."""

    def save(self):
        self._memory.assign(self._guard.to_json())
        state = tf.train.Checkpoint(learner=self._learner, seconds=self.seconds, guard=self._memory)
        manager = tf.train.CheckpointManager(state, str(self.folder), max_to_keep=None)
        path = Path(manager.save(checkpoint_number=int(self._learner.update_count)))
        sums = {file.name: sha256_of(file) for file in path.parent.glob(f"{path.name}.*")}
        write_json(path.with_name(f"{path.name}.sha256.json"), sums)


@contextlib.contextmanager
def flat_files():
    """Runs in here save as older versions did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Checkpoints", FlatCheckpoints)
        yield


def logged(run):
    return [line["update"] for line in read_metrics(run.folder / "metrics.jsonl")]


# -- a real learner, bit for bit


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "multigrid", "recipe": "modern", "flip": True, "average_decay": 0.9},
        {"method": "pcd", "recipe": "released", "pool_size": 8},
    ],
    ids=["multigrid", "pcd"],
)
def test_an_interrupted_run_is_the_uninterrupted_one_bit_for_bit(
    settings, tmp_path, tiny, toy_images
):
    """So is one that was given a larger budget later: no rate and no average knows the budget."""
    images = toy_images(num=13)  # an epoch of three batches: the break is inside the second
    settings = settings | {"checkpoint_every": 2, "num_langevin_steps": 2}
    first, _ = learn(tiny(num_updates=4, **settings), images, tmp_path / "broken")
    resumed, _ = learn(tiny(num_updates=8, **settings), images, tmp_path / "broken")
    assert resumed is not first
    # a reset learner is a fresh one, see test_learner.py: another trace would only take time
    whole, _ = learn(tiny(num_updates=8, **settings), images, tmp_path / "whole", first)
    assert int(whole.update_count) == int(resumed.update_count) == 8
    expected, got = saved(tmp_path / "whole"), saved(tmp_path / "broken")
    assert len(expected) > 10
    assert expected.keys() == got.keys()
    assert [name for name in expected if not np.array_equal(expected[name], got[name])] == []
    lines = [
        [{k: v for k, v in line.items() if "seconds" not in k} for line in read_metrics(path)]
        for path in (tmp_path / name / "metrics.jsonl" for name in ("whole", "broken"))
    ]
    assert lines[0] == lines[1]
    assert [line["update"] for line in lines[0]] == list(range(1, 9))


# -- budget and resume


def test_a_run_stops_at_its_budget_with_a_checkpoint_a_line_and_a_picture(open_run):
    learner, run = Toy(), open_run()
    go(learner, run, 7, cadence=Cadence(3, 2, 4))
    assert learner.calls == 7
    assert logged(run) == [3, 6, 7]
    pictures = sorted(path.name for path in (run.folder / "samples").iterdir())
    assert pictures == ["000004.png", "000007.png"]
    fresh = Toy()
    assert Checkpoints(fresh, run.checkpoints).restore()
    assert (int(fresh.update_count), float(fresh.weight)) == (7, 28)


def test_without_a_checkpoint_there_is_nothing_to_restore(open_run):
    learner = Toy()
    assert not Checkpoints(learner, open_run().checkpoints).restore()
    assert int(learner.update_count) == 0


def test_an_interrupted_run_goes_on_from_its_last_checkpoint_and_logs_no_update_twice(open_run):
    with pytest.raises(KeyboardInterrupt):
        go(Toy(), open_run(), batches=interrupted_at(6))  # updates 1..5, a checkpoint at 4
    assert logged(open_run()) == [1, 2, 3, 4, 5]
    learner, run = Toy(), open_run()
    go(learner, run)
    assert learner.calls == 4
    assert float(learner.weight) == sum(range(1, 9))
    assert logged(run) == list(range(1, 9))
    sums = [line["sum"] for line in read_metrics(run.folder / "metrics.jsonl")]
    assert sums == list(itertools.accumulate(range(1, 9)))


def test_a_run_that_was_interrupted_before_its_first_checkpoint_starts_over(open_run):
    with pytest.raises(KeyboardInterrupt):
        go(Toy(), open_run(), batches=interrupted_at(2))
    run = open_run()
    go(Toy(), run, 3)
    assert logged(run) == [1, 2, 3]


def test_a_larger_budget_goes_on_and_a_reached_one_does_nothing(open_run):
    go(Toy(), open_run(), 4)
    larger = Toy()
    go(larger, open_run(), 6)
    assert (larger.calls, float(larger.weight)) == (2, 21)
    for budget in (6, 3):
        finished = Toy()
        before = sorted((open_run().folder / "checkpoints").iterdir())
        go(finished, open_run(), budget)
        assert (finished.calls, float(finished.weight)) == (0, 21)
        assert sorted((open_run().folder / "checkpoints").iterdir()) == before
        assert logged(open_run()) == list(range(1, 7))


@pytest.mark.parametrize(
    ("every", "kept"), [(30, [30, 60]), (20, [20, 40, 60]), (10, [30, 40, 50, 60])]
)
def test_so_many_checkpoints_are_kept_that_a_rollback_finds_one(every, kept, open_run):
    run = open_run()
    go(Toy(), run, 60, cadence=Cadence(10, every, 60))
    found = sorted(path.name for path in run.checkpoints.iterdir())
    assert found == [f"{update:06d}" for update in kept]


# -- seconds and minutes


def fake_clock(monkeypatch, seconds):
    """Each look at the clock finds it `seconds` later."""
    times = itertools.count(0, seconds)
    clock = types.SimpleNamespace(perf_counter=lambda: next(times))
    monkeypatch.setattr(training, "time", clock)


def test_the_seconds_of_all_sessions_are_added_up_but_for_traces(open_run, monkeypatch):
    """Half a second an update; the first update of each session is traced and not counted."""
    fake_clock(monkeypatch, 0.5)
    assert go(Toy(), open_run(), 4) == 1.5
    assert go(Toy(), open_run(), 8) == 3.0
    assert go(Toy(), open_run(), 8) == 3.0


def test_minutes_become_updates_once_after_twenty_timed_ones(open_run, monkeypatch):
    """A quarter of a minute at half a second an update is 30 updates, whatever comes later."""
    fake_clock(monkeypatch, 0.5)
    learner = Toy()
    go(learner, open_run(), minutes=0.25)
    assert learner.calls == 30
    assert open_run().seconds_per_update() == 0.5
    fake_clock(monkeypatch, 0.001)
    again = Toy()
    go(again, open_run(), minutes=0.25)
    assert again.calls == 0
    larger = Toy()
    go(larger, open_run(), minutes=0.5)
    assert larger.calls == 30
    assert open_run().seconds_per_update() == 0.5


def test_minutes_use_the_rate_that_the_folder_keeps(open_run):
    write_json(open_run().folder / "budget.json", {"seconds_per_update": 6.0})
    learner = Toy()
    go(learner, open_run(), num_updates=1000, minutes=1.0)
    assert learner.calls == 10


def test_minutes_too_few_for_the_measurement_stop_right_after_it(open_run, monkeypatch):
    fake_clock(monkeypatch, 60.0)
    learner = Toy()
    go(learner, open_run(), minutes=1.0)
    assert learner.calls == NUM_TIMED + 1
    again = Toy()
    go(again, open_run(), minutes=1.0)
    assert again.calls == 0


def test_a_measurement_that_was_interrupted_is_made_anew(open_run, monkeypatch):
    fake_clock(monkeypatch, 0.5)
    with pytest.raises(KeyboardInterrupt):
        go(Toy(), open_run(), minutes=0.25, batches=interrupted_at(8))
    assert open_run().seconds_per_update() is None
    learner, run = Toy(), open_run()
    go(learner, run, minutes=0.25)
    assert int(learner.update_count) == 30
    assert logged(run) == list(range(1, 31))


# -- divergence


STOP = Guard("stop")


def test_a_scalar_that_is_not_finite_stops_training_and_the_last_checkpoint_is_good(open_run):
    message = refused(lambda: go(Toy(sick=[6]), open_run(), guard=STOP), kind=DivergenceError)
    assert "gap/4 = nan, at update 6" in message
    assert "more --curvature_penalty" in message
    assert logged(open_run()) == [1, 2, 3, 4, 5]
    cured = Toy()
    go(cured, open_run())
    assert (cured.calls, float(cured.weight)) == (4, 36)


def events(run):
    return read_events(run.folder / "metrics.jsonl")


def ending(learner, run):
    """What an interrupted run must have in common with the uninterrupted one."""
    return [float(learner.weight), float(learner.rate), events(run), logged(run)]


def far(num_updates=60):
    """Checkpoints that rollbacks can choose between."""
    return {"num_updates": num_updates, "cadence": Cadence(1, 10, 100)}


def test_a_rollback_goes_to_a_checkpoint_that_healthy_updates_followed(open_run, capsys):
    """At update 45 the last one that 20 followed is 20; the batches are the same again."""
    learner, run = Toy(sick=[45]), open_run()
    go(learner, run, **far())
    assert NUM_HEALTHY == 20
    assert learner.calls == 45 + 40
    assert float(learner.weight) == 60 * 61 / 2
    assert (num_rollbacks(learner), float(learner.rate)) == (1, 0.5)
    [event] = events(run)
    told = "gap/4 = nan, at update 45. Rollback 1: back to update 20, half the learning rate"
    assert told in event
    assert event in capsys.readouterr().out
    assert logged(run) == list(range(1, 61))


class Saturated(Toy):
    """Its samples are nearly all saturated from update 42 on, until a rollback."""

    def train_step(self, batch):
        scalars = super().train_step(batch)
        bad = int(self.update_count) >= 42 and not num_rollbacks(self)
        return scalars | {"saturated/4": tf.constant(0.95 if bad else 0.1)}


def test_healthy_updates_are_counted_to_the_first_sick_one_not_to_the_alarm(open_run):
    """Ten in a row alarm at 51: 30 was followed by 20 updates till then, but by 11 healthy ones."""
    go(Saturated(), open_run(), **far())
    [event] = events(open_run())
    assert "10 updates in a row, at update 51. Rollback 1: back to update 20" in event


def test_checkpoints_of_another_cadence_leave_one_to_fall_back_on(open_run):
    run = open_run()
    go(Toy(), run, 40, cadence=Cadence(1, 20, 100))
    go(Toy(), run, 50, cadence=Cadence(1, 50, 100))
    truncate(run.checkpoints / "000050" / "state.index", 9)
    go(learner := Toy(), run, 52, cadence=Cadence(1, 50, 100))
    assert (learner.calls, float(learner.weight)) == (12, 52 * 53 / 2)


@pytest.mark.parametrize("memory", ["{", "[]", '{"gap/4": [1, 2]}', '{"gap/4": [1, "a", 0]}'])
def test_a_memory_of_the_guard_that_is_none_is_told(memory, open_run):
    run = open_run()
    go(Toy(), run, 4)
    strange = Guard()
    strange.to_json = lambda: memory
    (later := Toy()).update_count.assign(5)
    Checkpoints(later, run.checkpoints, strange).save()
    assert "is damaged or another model's" in refused(lambda: go(Toy(), run))


def test_progress_says_how_far_how_fast_and_how_healthy(open_run, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    go(Toy(), open_run())
    shown = capsys.readouterr().err.split("\r")[-1]
    assert "8/8" in shown
    assert "update/s" in shown
    assert "gap/4 0.5 warming up" in shown  # of 8 updates


def test_a_notebook_sees_the_bar_at_once_and_a_log_a_line_a_minute(monkeypatch):
    """A notebook's stderr is no terminal either."""
    import tqdm.auto
    import tqdm.notebook

    class InNotebook(tqdm.notebook.tqdm_notebook):
        def __init__(self, **how):
            self.how, self.disable = how, True

    class InLog(tqdm.std.tqdm):
        def __init__(self, **how):
            self.how, self.disable = how, True

    for bar, expected in ((InNotebook, None), (InLog, 60)):
        monkeypatch.setattr(tqdm.auto, "tqdm", bar)
        how = training._progress_bar(3, 10).how
        assert (how["initial"], how["total"], how.get("mininterval")) == (3, 10, expected)


def test_a_log_of_a_short_run_has_no_progress(open_run, capsys):
    go(Toy(), open_run())
    assert not capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path, tiny):
    (tmp_path / "file").write_text("mine")
    message = refused(lambda: go(Toy(), Run(tmp_path / "file" / "run", tiny(), DATA)))
    assert "Give a folder that can be" in message


def test_before_any_checkpoint_a_rollback_starts_over(open_run):
    learner = Toy(sick=[1])
    go(learner, open_run())
    assert (learner.calls, float(learner.weight), float(learner.rate)) == (9, 36, 0.5)


def test_rollbacks_add_up_and_are_counted_out(open_run):
    learner = Toy(sick=[45], cured=3)
    go(learner, open_run(), **far())
    assert (num_rollbacks(learner), float(learner.rate)) == (3, 0.125)
    assert len(events(open_run())) == 3


def test_a_rollback_passes_over_a_damaged_checkpoint_and_keeps_the_good_ones(open_run):
    run = open_run()
    go(Toy(), run, **far(44))
    checkpoints = Checkpoints(learner := Toy(), run.checkpoints, every=10)
    checkpoints.restore()
    truncate(run.checkpoints / "000020" / "state.index", 9)
    checkpoints.go_back(44)
    assert int(learner.update_count) == 10


def test_a_rollback_goes_to_a_first_checkpoint_that_was_killed_ahead_of_its_manifest(open_run):
    run = open_run()
    with flat_files():
        go(Toy(), run, 1)
    for path in run.checkpoints.glob("*.sha256.json"):
        path.unlink()
    learner = Toy(sick=[3])
    go(learner, run, 8, cadence=Cadence(1, 100, 100))
    assert (int(learner.update_count), num_rollbacks(learner)) == (8, 1)


def test_events_of_undone_updates_are_kept(open_run):
    """The second rollback goes behind the first."""
    go(TwiceSick(cured=2), open_run(), **far())
    assert [event.split("Rollback ")[1][0] for event in events(open_run())] == ["1", "2"]


def test_one_rollback_more_than_allowed_ends_the_run(tmp_path, tiny):
    learner, run = Toy(sick=[5], cured=9), Run(tmp_path / "run", tiny(), DATA)
    message = refused(lambda: go(learner, run, guard=Guard(max_rollbacks=2)), kind=DivergenceError)
    assert "gap/4 = nan, at update 5" in message
    assert num_rollbacks(learner) == 2


@pytest.mark.parametrize("stop", [24, 31, 38, 45, 52])
def test_a_run_interrupted_around_a_rollback_is_the_uninterrupted_one(stop, tmp_path, tiny):
    ends = []
    for name, stops in (("whole", []), ("broken", [stop])):
        run = Run(tmp_path / name, tiny(), DATA)
        for batches in (*map(interrupted_at, stops), numbered):
            learner = Toy(sick=[45])
            with contextlib.suppress(KeyboardInterrupt):
                go(learner, run, batches=batches, **far())
        ends.append(ending(learner, run))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("ends", [(33, 38, 60), (21, 22, 23, 24, 60), (43, 44, 60)])
def test_a_rollback_does_not_go_to_what_was_saved_at_a_stop(ends, tmp_path, tiny):
    """Ends in between stand for signals: they save, too."""
    found = []
    for name, stops in (("whole", [60]), ("stopped", ends)):
        run = Run(tmp_path / name, tiny(), DATA)
        for end in stops:
            go(learner := Toy(sick=[45]), run, **far(end))
        found.append(ending(learner, run))
    assert found[0] == found[1]


@pytest.mark.parametrize("sick", [49, 50, 51])
def test_scalars_that_are_read_late_do_not_change_where_a_rollback_goes(sick, tmp_path, tiny):
    found = []
    for name, stops in (("whole", []), ("broken", [45])):
        run = Run(tmp_path / name, tiny(), DATA)
        for batches in (*map(interrupted_at, stops), numbered):
            with contextlib.suppress(KeyboardInterrupt):
                cadence = Cadence(10, 10, 100)
                go(learner := Toy(sick=[sick]), run, 60, batches=batches, cadence=cadence)
        found.append(ending(learner, run))
    assert found[0] == found[1]


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001", "sha256.json"])
def test_a_flat_checkpoint_that_lost_a_file_does_not_stop_later_ones(part, open_run):
    run = open_run()
    with flat_files():
        go(Toy(), run, **far(30))
    (run.checkpoints / f"ckpt-20.{part}").unlink()
    go(learner := Toy(), run, **far(35))
    assert (learner.calls, float(learner.weight)) == (5, 35 * 36 / 2)


@pytest.mark.parametrize("part", ["state.index", "state.data-00000-of-00001", "manifest.json"])
def test_a_checkpoint_that_lost_a_file_does_not_stop_later_ones(part, open_run):
    run = open_run()
    go(Toy(), run, **far(30))
    (run.checkpoints / "000020" / part).unlink()
    go(learner := Toy(), run, **far(35))
    assert (learner.calls, float(learner.weight)) == (5, 35 * 36 / 2)


def test_a_clock_that_was_set_back_loses_no_checkpoint(open_run, monkeypatch):
    """TensorFlow's manager, that wrote the flat ones, forgets what is younger than its own time."""
    real, run = time.time, open_run()
    monkeypatch.setattr(time, "time", lambda: real() + 1e6)
    with flat_files():
        go(Toy(), run, 2)
    go(Toy(), run, 4)
    monkeypatch.setattr(time, "time", real)
    go(learner := Toy(), run, 6)
    assert (learner.calls, float(learner.weight)) == (2, 21)


def test_a_rollback_takes_the_seconds_along(open_run, monkeypatch):
    """Half a second an update, the first of each timeline left out: 44, of which 25 were undone."""
    fake_clock(monkeypatch, 0.5)
    assert go(Toy(sick=[45]), open_run(), **far()) == 0.5 * (43 + 39)


def test_what_is_ignored_still_has_to_be_finite(open_run):
    message = refused(lambda: go(Toy(sick=[6]), open_run(), guard=Guard("ignore")))
    assert "gap/4 = nan" in message


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_weight_that_is_not_finite_is_not_saved(value, open_run):
    learner = Toy()

    def stream(first):
        yield from (1.0, 2.0, 3.0)
        learner.weight.assign(value)
        yield 4.0

    learner.train_step = types.MethodType(_silent_step, learner)
    message = refused(
        lambda: go(learner, open_run(), batches=stream, guard=STOP), kind=DivergenceError
    )
    assert "a weight is not finite, at update 4" in message
    fresh = Toy()
    Checkpoints(fresh, open_run().checkpoints).restore()
    assert (int(fresh.update_count), float(fresh.weight)) == (2, 3)


def _silent_step(learner, batch):
    """An update whose scalars do not show what the weight is."""
    learner.weight.assign_add(batch)
    learner.update_count.assign_add(1)
    return {"gap/4": tf.constant(0.5)}


def test_divergence_of_a_real_run_is_told(tmp_path, tiny, toy_images):
    config = tiny(
        recipe="modern_gains", learning_rate=1e30, optimizer="sgd", num_updates=50,
        method="single_grid", max_rollbacks=1,
    )  # fmt: skip
    message = refused(lambda: learn(config, toy_images(), tmp_path / "run"), kind=DivergenceError)
    assert "Training diverged" in message
    assert (
        "Rollback 1: back to update 0" in events(types.SimpleNamespace(folder=tmp_path / "run"))[0]
    )


def test_rollbacks_save_a_real_run_that_learns_too_fast(tmp_path, tiny, toy_images):
    """Each halves the rate, and some rate on the way down is healthy.

    With gains, that is: the default recipe has none, and is healthy at this rate.
    """
    for recipe, goes_back in (("modern_gains", True), ("modern", False)):
        config = tiny(recipe=recipe, learning_rate=50.0, num_updates=60, max_rollbacks=30)
        learner, _ = learn(config, toy_images(), tmp_path / recipe)
        assert int(learner.update_count) == 60
        assert (num_rollbacks(learner) > 0) == goes_back


# -- bad checkpoints


class Layout(NamedTuple):
    """Places in the folder of checkpoints, of the one after update 4."""

    name: str
    index: str
    weights: str
    manifest: str


FOLDERS = Layout(
    "000004", "000004/state.index", "000004/state.data-00000-of-00001", "000004/manifest.json"
)
FLAT = Layout("ckpt-4", "ckpt-4.index", "ckpt-4.data-00000-of-00001", "ckpt-4.sha256.json")


@pytest.fixture(params=[FOLDERS, FLAT], ids=["folders", "flat"])
def layout(request):
    """How the checkpoints of the finished run lie; one that resumes writes folders."""
    return request.param


@pytest.fixture
def checkpointed(open_run, layout):
    """A folder with a finished run."""
    run = open_run()
    with flat_files() if layout is FLAT else contextlib.nullcontext():
        go(Toy(), run, 4)
    return run


def truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


DAMAGES = {
    "weights cut short": lambda folder, of: truncate(folder / of.weights, 10),
    "weights emptied": lambda folder, of: truncate(folder / of.weights, 0),
    "weights gone": lambda folder, of: (folder / of.weights).unlink(),
    "index cut short": lambda folder, of: truncate(folder / of.index, 50),
    "index emptied": lambda folder, of: truncate(folder / of.index, 0),
    "index gone": lambda folder, of: (folder / of.index).unlink(),
}
LIST_DAMAGES = {
    "emptied": lambda path: truncate(path, 0),
    "cut short": lambda path: truncate(path, 15),
    "cut between lines": lambda path: truncate(path, path.read_bytes().index(b"\n", 40)),
    "names others": lambda path: path.write_text(path.read_text().replace("ckpt-", "ckqt-")),
    "no list": lambda path: path.write_bytes(b"\x80\x81 {{{"),
}
flat_alone = pytest.mark.parametrize("layout", [FLAT], ids=["flat"], indirect=True)


@flat_alone
@pytest.mark.parametrize("name", LIST_DAMAGES)
def test_a_damaged_list_of_flat_checkpoints_is_not_needed_where_there_are_manifests(
    name, checkpointed, open_run
):
    LIST_DAMAGES[name](checkpointed.checkpoints / "checkpoint")
    learner = Toy()
    go(learner, open_run())
    assert (learner.calls, float(learner.weight)) == (4, 36)
    assert logged(checkpointed) == list(range(1, 9))


@flat_alone
@pytest.mark.parametrize("name", LIST_DAMAGES)
def test_without_manifests_it_is_told_and_nothing_is_forgotten(name, checkpointed, open_run):
    LIST_DAMAGES[name](checkpointed.checkpoints / "checkpoint")
    for path in checkpointed.checkpoints.glob("*.sha256.json"):
        path.unlink()
    before = sorted(checkpointed.checkpoints.iterdir())
    message = refused(lambda: go(Toy(), open_run()))
    assert str(checkpointed.checkpoints) in message
    assert "elete" not in message
    assert logged(checkpointed) == [1, 2, 3, 4]
    assert sorted(checkpointed.checkpoints.iterdir()) == before
    assert {"ckpt-2.index", "ckpt-4.index"} <= {path.name for path in before}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    name, layout, checkpointed, open_run, capsys
):
    DAMAGES[name](checkpointed.checkpoints, layout)
    learner = Toy()
    go(learner, open_run())
    told = f"{layout.name}: passed over, not as its manifest says"
    assert told in capsys.readouterr().out
    assert (learner.calls, float(learner.weight)) == (6, 36)  # from update 2 on, the same end
    assert logged(checkpointed) == list(range(1, 9))


def test_a_changed_byte_is_noticed(layout, checkpointed, open_run, capsys):
    """TensorFlow reads such a file without a word."""
    path = checkpointed.checkpoints / layout.weights
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    go(Toy(), open_run())
    assert f"{layout.name}: passed over" in capsys.readouterr().out


def test_where_all_are_damaged_it_is_told(checkpointed, open_run):
    for path in checkpointed.checkpoints.rglob("*.data*"):
        truncate(path, 3)
    before = sorted(checkpointed.checkpoints.rglob("*"))
    message = refused(lambda: go(Toy(), open_run()))
    assert "all of them are damaged" in message
    assert "elete" not in message
    assert sorted(checkpointed.checkpoints.rglob("*")) == before


def test_a_checkpoint_without_its_manifest_is_passed_over(layout, checkpointed, open_run, capsys):
    """A flat one is a save that was killed."""
    (checkpointed.checkpoints / layout.manifest).unlink()
    learner = Toy()
    go(learner, open_run())
    assert f"{layout.name}: passed over, it has no readable manifest" in capsys.readouterr().out
    assert learner.calls == 6


@flat_alone
def test_a_run_of_a_version_without_manifests_goes_on(checkpointed, open_run, capsys):
    for path in checkpointed.checkpoints.glob("*.sha256.json"):
        path.unlink()
    learner = Toy()
    go(learner, open_run())
    assert learner.calls == 4
    assert "passed over" not in capsys.readouterr().out


@flat_alone
def test_a_run_of_a_version_without_manifests_whose_last_index_is_gone_goes_on_before_it(
    checkpointed, open_run, capsys
):
    for path in (*checkpointed.checkpoints.glob("*.json"), checkpointed.checkpoints / FLAT.index):
        path.unlink()
    learner = Toy()
    go(learner, open_run())
    assert "ckpt-4: passed over, it has no index" in capsys.readouterr().out
    assert (learner.calls, float(learner.weight)) == (6, 36)


@flat_alone
@pytest.mark.parametrize("with_manifests", [True, False])
def test_flat_checkpoints_are_removed_like_others_when_they_are_old(
    with_manifests, checkpointed, open_run
):
    """So that a rollback finds one until then."""
    for path in [] if with_manifests else checkpointed.checkpoints.glob("*.json"):
        path.unlink()
    go(Toy(), open_run(), 6)
    names = {path.name for path in checkpointed.checkpoints.iterdir()}
    assert {"ckpt-0.index", "ckpt-2.index", "ckpt-4.index", "checkpoint", "000006"} <= names
    go(learner := Toy(sick=[21]), open_run(), 60)
    assert (int(learner.update_count), num_rollbacks(learner)) == (60, 1)
    assert "back to update 0" in events(checkpointed)[0]
    found = sorted(path.name for path in checkpointed.checkpoints.iterdir())
    assert found == [f"{update:06d}" for update in range(30, 61, 2)]


def test_a_checkpoint_is_a_folder_with_a_manifest_of_its_files(open_run):
    run = open_run()
    go(Toy(), run, 4)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["000000", "000002", "000004"]
    for folder in run.checkpoints.iterdir():
        files = {path.name: sha256_of(path) for path in folder.iterdir()}
        del files["manifest.json"]
        assert set(files) == {"state.index", "state.data-00000-of-00001"}
        assert json.loads((folder / "manifest.json").read_text()) == files


@pytest.mark.parametrize("name", [".000005.99.draft", ".000002.99.gone", "ckpt-5_temp"])
def test_what_a_killed_save_left_is_tidied_up_and_never_read(name, checkpointed, open_run):
    (checkpointed.checkpoints / name).mkdir()
    (checkpointed.checkpoints / name / "state.index").write_bytes(b"x")
    go(learner := Toy(), open_run())
    assert learner.calls == 4
    assert not (checkpointed.checkpoints / name).exists()


def test_a_damaged_checkpoint_is_replaced_by_the_next_save_of_its_update(checkpointed, open_run):
    go(Toy(), open_run(), 6)
    truncate(checkpointed.checkpoints / "000006" / "state.index", 9)
    go(learner := Toy(), open_run(), 6)
    assert learner.calls == 2
    go(learner := Toy(), open_run(), 6)
    assert (learner.calls, float(learner.weight)) == (0, 21)
    assert not list(checkpointed.checkpoints.glob(".*"))


@flat_alone
def test_a_damaged_flat_checkpoint_gives_way_to_the_next_save_of_its_update(
    checkpointed, open_run, capsys
):
    truncate(checkpointed.checkpoints / FLAT.index, 9)
    go(Toy(), open_run(), 4)
    assert "ckpt-4: passed over" in capsys.readouterr().out
    go(learner := Toy(), open_run(), 4)
    assert "passed over" not in capsys.readouterr().out
    assert (learner.calls, float(learner.weight)) == (0, 10)
    assert not list(checkpointed.checkpoints.glob("ckpt-4.*"))


def test_a_folder_has_one_learner_at_a_time(open_run):
    run = open_run()
    with locked(run.folder):
        assert "Another process is training in" in refused(lambda: go(Toy(), open_run()))
    go(Toy(), open_run())


def test_a_run_whose_folder_another_process_took_stops(open_run, monkeypatch):
    """As after a sleep of this machine."""
    monkeypatch.setattr(locks, "CLAIM", 0.3)

    def taken(first):
        for index, batch in enumerate(numbered(first), first + 1):
            if index == 3:
                (open_run().folder / ".claim").unlink()
                time.sleep(0.5)
            yield batch

    run = open_run()
    with pytest.raises(KeyboardInterrupt):
        train(Toy(), taken, num_updates=9, run=run)
    assert len((run.folder / "metrics.jsonl").read_text().splitlines()) < 9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on_where_it_was(number, open_run):
    def signaled(first):
        for index, batch in enumerate(numbered(first), first + 1):
            if index == 5:
                signal.raise_signal(number)
            yield batch

    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(KeyboardInterrupt, match="Stopped at update 5, all of it saved"):
        go(Toy(), open_run(), batches=signaled)
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers
    learner = Toy()
    go(learner, open_run())
    assert (learner.calls, float(learner.weight)) == (3, 36)


def test_a_signal_during_the_last_pictures_stops_what_comes_after(open_run):
    """An experiment would go on with its next system."""

    class Signaled(Toy):
        def preview(self, seed):
            signal.raise_signal(signal.SIGTERM)
            return super().preview(seed)

    with pytest.raises(KeyboardInterrupt, match="Stopped at update 8, all of it saved"):
        go(Signaled(), open_run(), cadence=Cadence(1, 2, 100))
    learner = Toy()
    go(learner, open_run())
    assert (learner.calls, float(learner.weight)) == (0, 36)


def test_a_first_save_that_was_killed_is_no_damage(open_run):
    """Of the flat ones TensorFlow wrote the index, then registered it in the file `checkpoint`."""
    run = open_run()
    with pytest.raises(KeyboardInterrupt), flat_files():
        go(Toy(), run, batches=interrupted_at(1))
    for name in ("checkpoint", "ckpt-0.sha256.json"):
        (run.checkpoints / name).unlink()
    learner = Toy()
    go(learner, open_run(), 4)
    assert learner.calls == 4
    assert logged(run) == [1, 2, 3, 4]


FOREIGN = {
    "another name of the weight": lambda: _renamed(Toy()),
    "another shape": lambda: Toy(shape=(3,)),
    "a weight more": lambda: _with_more(Toy()),
}


def _renamed(learner):
    learner.kernel = learner.weight
    del learner.weight
    return learner


def _with_more(learner):
    learner.bias = tf.Variable(0.0)
    return learner


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_checkpoint_is_told(make, checkpointed, open_run):
    assert "Cannot use checkpoint" in refused(lambda: go(make(), open_run()))
    assert logged(checkpointed) == [1, 2, 3, 4]


def test_a_checkpoint_of_more_than_the_learner_has_is_told(open_run):
    go(_with_more(Toy()), open_run(), 4)
    assert "Cannot use checkpoint" in refused(lambda: go(Toy(), open_run()))


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(checkpointed, open_run, monkeypatch):
    def full(*_, **__):
        said = "{{function_node __wrapped__SaveV2}} No space left on device [Op:SaveV2]\n; more"
        raise tf.errors.ResourceExhaustedError(None, None, said)

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", full)
        message = refused(lambda: go(Toy(), open_run()))
        assert ": No space left on device. Free space" in message
    assert not list(checkpointed.checkpoints.glob(".*"))  # a draft would take space
    learner = Toy()
    go(learner, open_run())
    assert (learner.calls, float(learner.weight)) == (4, 36)


@pytest.mark.parametrize(("num", "traces"), [(0, 0), (2, 1), (20, 1)])  # 20: more than there are
def test_a_profile_is_written_where_asked_for(num, traces, open_run):
    run = open_run()
    go(Toy(), run, num_profiled=num)
    assert len(list(run.folder.rglob("*.xplane.pb"))) == traces


def test_a_profile_is_written_once_whatever_happens_inside(open_run):
    run = open_run()
    go(Toy(sick=[6]), run, num_profiled=4)
    assert len(list(run.folder.rglob("*.xplane.pb"))) == 1


def test_the_logged_rate_is_that_of_all_updates_since_the_line_before(open_run, monkeypatch):
    fake_clock(monkeypatch, 0.5)
    go(Toy(), open_run(), cadence=Cadence(4, 100, 100))
    lines = read_metrics(open_run().folder / "metrics.jsonl")
    assert [line["seconds_per_update"] for line in lines] == [0.5, 0.5]
