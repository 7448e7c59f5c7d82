"""How seconds and memory of an update grow: with batch, width, size, steps, images and devices.

python -m benchmarks.scaling --rounds=5

Each point is a process of its own, so that its peak memory is its own. It takes its batches from as
many synthetic images as it says, memory-mapped as those of a run: what it has read of their file
counts as its memory, although the system takes it back by need. One thing changes at a time.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import turns
from mgconv.cli.shared.flags import config_for
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError

BASE: dict[str, Any] = {
    "scale": "quick", "grids": (1, 4, 16, 32), "num_images": 1000, "devices": "cpu:1",
}  # fmt: skip
SIZES = {8: (1, 4, 8), 16: (1, 4, 16), 32: (1, 4, 16, 32), 64: (1, 4, 16, 64)}
AXES: dict[str, dict[float, dict[str, Any]]] = {  # what grows: value -> settings besides BASE's
    "batch": {n: {"batch_size": n} for n in (4, 16, 64, 256)},
    "width": {w: {"width": w} for w in (0.125, 0.25, 0.5, 1.0)},
    "pixels a side": {side: {"grids": grids} for side, grids in SIZES.items()},
    "Langevin steps": {n: {"num_langevin_steps": n} for n in (5, 10, 30, 90)},
    "training images": {n: {"num_images": n} for n in (1000, 10_000, 100_000, 1_000_000)},
    "logical devices of the CPU": {n: {"devices": f"cpu:{n}"} for n in (1, 2)},
}
BLOCK = 1000  # synthetic images that differ; more repeat them


def define_flags(values) -> None:
    """Flags of this program."""
    turns.define_flags(values)
    flags.DEFINE_list("axes", list(AXES), "what grows", flag_values=values)
    flags.DEFINE_string("point", None, "settings as JSON: measures them alone", flag_values=values)


def run(values) -> None:
    """Prints a table and draws a picture: seconds an update, and peak memory."""
    num = values["rounds"].value
    if values["point"].value:
        print(json.dumps(measure_point(json.loads(values["point"].value), num)))
        return
    known: dict[str, dict] = {}
    found = {
        axis: {value: _apart(BASE | point, num, known) for value, point in AXES[axis].items()}
        for axis in values["axes"].value
    }
    turns.report(
        values["out"].value,
        "scaling",
        "An update of multi-grid, recipe modern, 32 x 32, width 1/4, batch 16, 5 Langevin steps, "
        "1,000 images, one device; what is named grows alone",
        ["what grows", "to", "seconds an update", "peak MiB"],
        [
            [axis, f"{value:g}", turns.spread(point["seconds"]), f"{point['peak']:.0f}"]
            for axis, points in found.items()
            for value, point in points.items()
        ],
        found=found,
    )
    _draw(found, Path(values["out"].value) / "scaling.png")


def _apart(settings: dict, num: int, known: dict[str, dict]) -> dict:
    """What a process of its own measures; once, however many axes have the point."""
    point = json.dumps(_settings(settings), sort_keys=True)
    if point not in known:
        command = [sys.executable, "-m", "benchmarks.scaling", f"--rounds={num}"]
        done = subprocess.run([*command, f"--point={point}"], capture_output=True, text=True)
        if done.returncode:
            said = [f"exit code {done.returncode}", *done.stderr.strip().splitlines()]
            raise UserError("A point failed", settings, said[-1])
        known[point] = json.loads(done.stdout.splitlines()[-1])
    return known[point]


def _settings(settings: dict) -> dict:
    """All that decides a point, so that two axes know that they share it."""
    config = config_for(**{k: v for k, v in settings.items() if k != "num_images"})
    names = ("scale", "grids", "devices", "width", "batch_size", "num_langevin_steps")
    return {name: getattr(config, name) for name in names} | {"num_images": settings["num_images"]}


def measure_point(settings: dict, num: int) -> dict:
    """Seconds of each of `num` updates, and peak memory in MiB, of this process."""
    start_tensorflow(settings["devices"])
    from mgconv.datasets.batches import batches
    from mgconv.training.build import build_learner
    from mgconv.training.devices import make_strategy
    from mgconv.training.fit import reference_images

    num_images = settings.pop("num_images")
    config = config_for(**settings | {"grids": tuple(settings["grids"])})
    strategy = make_strategy(config.devices, config.method, config.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        images = synthetic(Path(folder) / "pixels", num_images, config.size)
        reference = reference_images(images, config)
        learner = build_learner(config, images.colors, reference, num_images, strategy)
        stream = iter(batches(images, config.batch_size, 0, 0))
        seconds = []
        for _ in range(num + 1):  # the first one traces
            start = time.perf_counter()
            scalars = learner.train_step(next(stream))
            _ = [float(value) for value in scalars.values()]
            seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:], "peak": turns.peak_memory() / 2**20}


def synthetic(path: Path, num: int, size: int):
    """So many images of noise as an ImageSet on disk, uint8 [num, size, size, 3]."""
    import numpy as np

    from mgconv.datasets.image_set import ImageSet

    block = np.random.default_rng(0).integers(0, 256, [BLOCK, size, size, 3], np.uint8)
    with path.open("wb") as file:
        for first in range(0, num, BLOCK):
            block[: num - first].tofile(file)
    pixels = np.memmap(path, np.uint8, "r", shape=(num, size, size, 3))
    return ImageSet(pixels, np.zeros(num, np.int64), ("all",))


def _draw(found: dict[str, dict[float, dict]], path: Path) -> None:
    """Seconds above, memory below, an axis a column; both ways a factor is a length."""
    from mgconv.io.images import save_png
    from mgconv.reporting.pictures import to_picture

    def plot(axes):
        above, below = axes[: len(found)], axes[len(found) :]
        for (axis, points), seconds, memory in zip(found.items(), above, below):
            middle = [statistics.median(point["seconds"]) for point in points.values()]
            low, high = ([f(p["seconds"]) for p in points.values()] for f in (min, max))
            seconds.fill_between(list(points), low, high, alpha=0.25)
            seconds.plot(list(points), middle, ".-")
            memory.plot(list(points), [p["peak"] for p in points.values()], ".-")
            memory.set_xlabel(axis)
        for axis in axes:
            axis.set(xscale="log", yscale="log")
        for axis, points in zip((*above, *below), 2 * [*found.values()]):
            axis.set_xticks(list(points), [f"{value:g}" for value in points])
            axis.set_xticks([], minor=True)
        for row, name in ((above, "seconds an update"), (below, "peak MiB")):
            row[0].set_ylabel(name)
            low, high = zip(*(axis.get_ylim() for axis in row))
            for axis in row:
                axis.set_ylim(min(low), max(high))

    save_png(path, to_picture(plot, 2, len(found)))


if __name__ == "__main__":
    main(run, define_flags, __doc__)
