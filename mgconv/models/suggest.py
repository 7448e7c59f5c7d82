"""Settings for a person's own images, chosen from the images and the machine, each with its why."""

from typing import Any

import numpy as np

from mgconv.config import Config
from mgconv.datasets.decoding import picture_size
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.sources import Source
from mgconv.recipes import METHODS, OF_ENERGIES

NUM_LOOKED_AT = 50
GRIDS = {64: (1, 4, 16, 64), 32: (1, 4, 16, 32), 16: (1, 4, 16), 8: (1, 4, 8), 4: (1, 4)}
BATCHES = (100, 64, 32, 16, 8, 4, 2)


Suggested = dict[str, tuple[Any, str]]  # field of Config -> (value, why)


def num_gpus() -> int:
    """Of this machine, as TensorFlow was set up: none by --devices=cpu:2."""
    import tensorflow as tf

    return len(tf.config.get_visible_devices("GPU"))


def left_open(given: dict[str, Any], suggested: Suggested) -> dict[str, Any]:
    """The suggested settings that were left open and that the method reads; says which and why."""
    unread = set(given)
    if not METHODS[given.get("method", Config.method)].is_energy_based:
        unread |= OF_ENERGIES | {"batch_size"}  # a baseline has a batch of its own
    return announced({name: choice for name, choice in suggested.items() if name not in unread})


def announced(suggested: Suggested) -> dict[str, Any]:
    """The suggested values; says which they are and why."""
    for name, (value, why) in suggested.items():
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"--{name}={shown}: {why}", flush=True)
    return {name: value for name, (value, _) in suggested.items()}


def suggest_for(given: dict[str, Any], images: ImageSet) -> dict[str, Any]:
    """The batch size for a model of these images, or of the smallest class, where it is open."""
    a_class = np.unique(images.labels, return_counts=True)[1].min()  # of one model
    num = a_class if given.get("classes") == "each" else len(images)
    return left_open(given, suggest_batch(num, num_gpus()))


def suggest_nets(source: Source, num_gpus: int, crop: int | None = None) -> Suggested:
    """Grids and widths, for a `mgconv train` that was given none.

    A few images may be too small for these grids: they are skipped, with a line.

    Args:
        source: the images.
        num_gpus: of this machine.
        crop: as Config has it.
    """
    num_items = source.num_items or NUM_LOOKED_AT
    rows = np.unique(np.linspace(0, num_items - 1, NUM_LOOKED_AT).astype(int))
    contents = [next(source.read(row))[0] for row in rows]
    sizes = [_size(content) for content in contents]
    sides = sorted(min(*size, crop or min(size)) for size in sizes if size)
    side = sides[len(sides) // 10] if sides else 64
    size = max(s for s in GRIDS if s <= max(4, min(side, 64 if num_gpus else 32)))
    machine = "with a GPU" if num_gpus else "without a GPU, where a run has minutes"
    found = f"9 of 10 have sides of {side} pixels or more" if sides else "no size could be read"
    return {
        "grids": (GRIDS[size], f"{found}, {machine}"),
        "width": (1.0 if num_gpus else 0.25, f"of the paper's filters, {machine}"),
        "top_width": (1.0 if num_gpus else 2.0, "most of a picture's faults come from the top net"),
    }


def _size(content: bytes | np.ndarray) -> tuple[int, int] | None:
    """Sides of an image, encoded or not."""
    return picture_size(content) if isinstance(content, bytes) else content.shape[:2]


def suggest_batch(num_images: int, num_gpus: int) -> Suggested:
    """The batch size for a model of `num_images` images."""
    most = max(2, min(100 if num_gpus else 16, num_images))
    why = f"{num_images} images" + ("" if num_gpus else "; a CPU spends best on updates")
    return {"batch_size": (max(b for b in BATCHES if b <= most), why)}
