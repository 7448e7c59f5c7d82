"""A whole update against its bare chains and gradients, and what a run does besides.

python -m benchmarks.update --recipe=modern --width=0.25
"""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from benchmarks import turns
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.table import load_split
from mgconv.errors import UserError

FIELDS = ("dataset", "recipe", "nets", "grids", "width", "batch_size", "num_langevin_steps")


def define_flags(values) -> None:
    """Flags of this program; the default is what `experiments.train` does with photos."""
    define_config_flags(values, FIELDS)
    turns.define_flags(values)
    flags.DEFINE_integer("num_flat", 1000, "tiny updates between two looks at memory", 10,
                         flag_values=values)  # fmt: skip


def run(values) -> None:
    """Prints a table: seconds, and shares of an update."""
    settings = {"dataset": "photos", "scale": "cpu"} | given_settings(values)
    config = config_for(**settings)
    start_tensorflow(config.devices)
    with tempfile.TemporaryDirectory() as folder:
        tasks = _tasks(config, Path(folder))
        seconds = turns.measure(tasks, values["rounds"].value)
        first = _first_update(settings, Path(folder) / "first")
    update = statistics.median(seconds["update"])
    every = {"log": config.log_every, "checkpoint": config.checkpoint_every}
    rows = []
    for name, times in seconds.items():
        share = statistics.median(times) / every.get(name, 1) / update
        rows.append([name, turns.spread(times), f"{share:.1%}"])
    over = turns.ratios(seconds["update"], seconds["bare chains and gradients"])
    rows.append(["update over bare", turns.spread(over), "-"])
    rows.append(["start of the program to its first update", f"{first:.1f}", "-"])
    growth = _growth(values["num_flat"].value)
    rows.append(
        [f"memory after {values['num_flat'].value} more updates", f"{growth:+.1f} MiB", "-"]
    )
    turns.report(
        values["out"].value,
        "update",
        f"An update: {config.dataset}, recipe {config.recipe}, width {config.width:g}, batch "
        f"{config.batch_size}; logs every {config.log_every}, checkpoints every "
        f"{config.checkpoint_every} updates",
        ["what", "seconds", "share of an update"],
        rows,
        seconds=seconds,
    )  # fmt: skip


def _tasks(config, folder: Path) -> dict:
    import tensorflow as tf

    from mgconv.datasets.batches import batches
    from mgconv.training.build import build_learner
    from mgconv.training.checkpoints import Checkpoints
    from mgconv.training.fit import describe
    from mgconv.training.run import Run

    images = load_split(config)
    stream = iter(batches(images, config.batch_size, 0, 0))
    batch = next(stream)
    learner = build_learner(config, images.colors, batch.numpy(), len(images))
    run = Run(folder / "run", config, describe(images))
    run.begin()
    checkpoints = Checkpoints(learner, run.checkpoints)
    bare, updates = _bare(learner, batch), itertools.count(1)
    scalars = {name: float(value) for name, value in learner.train_step(batch).items()}
    return {
        "update": lambda: tf.nest.map_structure(float, learner.train_step(batch)),
        "bare chains and gradients": lambda: [x.numpy() for x in bare()],
        "waiting for data": lambda: next(stream),
        "log": lambda: run.log(next(updates), scalars),
        "checkpoint": checkpoints.save,
    }


def _bare(learner, images):
    """Chains of all grids and the gradients of their gaps; no optimizer, average or measure."""
    import tensorflow as tf

    from mgconv.grids import downsample, upsample
    from mgconv.langevin import langevin

    @tf.function(autograph=False)
    def bare():
        x, norms = downsample(images, 1), []
        for grid in learner.grids:
            observed = downsample(images, grid.size)
            start = upsample(x, grid.size)
            weights = [weight.value for weight in grid.net.trainable_variables]
            x, _ = langevin(grid.net.fixed(), start, grid.training_dynamics, tf.constant([0, 1]))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                gap = tf.reduce_mean(grid.net.f(observed)) - tf.reduce_mean(grid.net.f(x))
            norms += [tf.reduce_sum(g) for g in tape.gradient(gap, weights)]
        return norms

    return bare


def _first_update(settings: dict, out: Path) -> float:
    """Seconds from the start of a program that makes one update to its line of metrics."""
    given = [f"--{k}={','.join(map(str, v)) if k == 'grids' else v}" for k, v in settings.items()]
    command = [sys.executable, "-m", "experiments.train", *given, "--num_updates=1000",
               "--log_every=1", f"--out={out}"]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    process.kill()
    process.wait()
    if not metrics.exists():
        raise UserError("No first update", " ".join(command), "Run that command.")
    return seconds


def _growth(num: int) -> float:
    """MiB of resident memory that come with so many updates of a tiny model, after a warm-up."""
    from mgconv.training.build import build_learner

    config = config_for(dataset="digits", scale="quick", width=0.05, num_langevin_steps=3)
    images = load_split(config)
    batch = images.pixels[: config.batch_size] / 127.5 - 1
    learner = build_learner(config, images.colors, batch.astype("float32"), len(images))
    for index in range(num + 100):
        learner.train_step(learner.reference.value())
        if index == 99:
            before = _resident()
    return _resident() - before


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main(run, define_flags, __doc__)
