"""Settings for a person's own images, chosen from the images and the machine, each with its why."""

import itertools
from typing import Any

from mgconv.images import picture_size
from mgconv.sources import Source

NUM_LOOKED_AT = 50
GRIDS = {64: (1, 4, 16, 64), 32: (1, 4, 16, 32), 16: (1, 4, 16), 8: (1, 4, 8), 4: (1, 4)}
BATCHES = (100, 64, 32, 16, 8, 4, 2)


def suggest(source: Source, num_gpus: int) -> dict[str, tuple[Any, str]]:
    """Field of Config -> (value, why), for what `experiments.train` was not told.

    Args:
        source: the images.
        num_gpus: of this machine.
    """
    first = itertools.islice(source.read(0), NUM_LOOKED_AT)
    sides = [min(size) for content, _ in first if (size := picture_size(content))]
    side, largest = min(sides, default=64), 64 if num_gpus else 32
    size = max(s for s in GRIDS if s <= max(4, min(side, largest)))
    machine = "with a GPU" if num_gpus else "without a GPU minutes teach so many"
    most = 100 if num_gpus else 32
    batch = max(b for b in BATCHES if b <= max(2, min(most, source.num_items or most)))
    return {
        "grids": (GRIDS[size], f"sides of {side} pixels and more, {machine}"),
        "width": (1.0 if num_gpus else 0.25, f"of the paper's filters, {machine}"),
        "batch_size": (batch, f"{source.num_items} images"),
    }
