"""Time and memory of an update against Langevin steps, batch, width, image size, devices.

python -m benchmarks.scaling --rounds=3

Each point is a process of its own, so that its peak memory is its own.
"""

import json
import statistics
import subprocess
import sys
import time

from absl import flags

from benchmarks import turns
from mgconv.cli.shared.flags import config_for
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError

BASE = {"dataset": "photos", "scale": "cpu", "grids": (1, 4, 16, 32),
        "num_langevin_steps": 30}  # fmt: skip
POINTS = {
    "base": {},
    "30 -> 10 Langevin steps": {"num_langevin_steps": 10},
    "30 -> 100": {"num_langevin_steps": 100},
    "30 -> 300": {"num_langevin_steps": 300},
    "batch 64 -> 16": {"batch_size": 16},
    "batch 64 -> 128": {"batch_size": 128},
    "width 1/4 -> 1/8": {"width": 0.125},
    "width 1/4 -> 1/2": {"width": 0.5},
    "32 -> 16 pixels": {"grids": (1, 4, 16)},
    "32 -> 64 pixels": {"grids": (1, 4, 16, 64)},
    "two logical devices of the CPU": {"devices": "cpu:2"},
    "XLA": {"jit_compile": True},
    "bfloat16": {"mixed_precision": "bfloat16"},
}


def define_flags(values) -> None:
    """Flags of this program."""
    turns.define_flags(values)
    flags.DEFINE_string("point", None, "settings as JSON: measures them alone", flag_values=values)


def run(values) -> None:
    """Prints a table: seconds an update, peak memory, and both over those of the first row."""
    num = values["rounds"].value
    if values["point"].value:
        print(json.dumps(measure_point(json.loads(values["point"].value), num)))
        return
    found = {name: _apart(BASE | point, num) for name, point in POINTS.items()}
    base = found["base"]
    turns.report(
        values["out"].value,
        "scaling",
        f"An update of multi-grid: photos, {BASE}, recipe modern, width 1/4, batch 64",
        ["point", "seconds an update", "over base", "peak MiB", "over base"],
        [
            [
                name,
                turns.spread(point["seconds"]),
                f"{statistics.median(point['seconds']) / statistics.median(base['seconds']):.2f}",
                f"{point['peak']:.0f}",
                f"{point['peak'] / base['peak']:.2f}",
            ]
            for name, point in found.items()
        ],
        found=found,
    )


def _apart(settings: dict, num: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.scaling", f"--rounds={num}",
               f"--point={json.dumps(settings)}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [f"exit code {done.returncode}", *done.stderr.strip().splitlines()]
        raise UserError("A point failed", settings, said[-1])
    return json.loads(done.stdout.splitlines()[-1])


def measure_point(settings: dict, num: int) -> dict:
    """Seconds of each of `num` updates, and peak memory in MiB, of this process."""
    start_tensorflow(settings.get("devices"))
    from mgconv.training.build import build_learner
    from mgconv.training.devices import make_strategy

    config = config_for(**settings | {"grids": tuple(settings["grids"])})
    strategy = make_strategy(config.devices, config.method, config.batch_size)
    import tensorflow as tf

    shape = [config.batch_size, config.size, config.size, 3]
    images = tf.random.stateless_uniform(shape, [0, 0], -1, 1)
    colors = tf.reduce_mean(images, axis=[1, 2], keepdims=True).numpy()
    learner = build_learner(config, colors, images.numpy(), 1000, strategy)
    seconds = []
    for _ in range(num + 1):
        start = time.perf_counter()
        tf.nest.map_structure(float, learner.train_step(images))
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "peak": turns.peak_memory() / 2**20}


if __name__ == "__main__":
    main(run, define_flags, __doc__)
