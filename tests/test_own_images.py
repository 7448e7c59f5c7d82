"""Settings for a person's own images."""

import io

import numpy as np
import pytest
from PIL import Image

from experiments.own_images import GRIDS, suggest
from mgconv.config import make_config
from mgconv.sources import in_memory


def source(*sides, num=None):
    """Encoded images of these sides, each twice as wide as high."""
    contents = []
    for side in sides:
        buffer = io.BytesIO()
        Image.fromarray(np.zeros([side, 2 * side, 3], np.uint8)).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    contents += [b"broken"] * ((num or len(sides)) - len(sides))
    return in_memory([(content, 0) for content in contents], ["toy"], {})


@pytest.mark.parametrize(
    ("sides", "num_gpus", "size"),
    [((200, 100), 0, 32), ((200, 100), 1, 64), ((200, 40), 1, 32), ((20,), 0, 16), ((9, 50), 2, 8),
     ((5,), 0, 4), ((2,), 0, 4), ((), 0, 32)],
)  # fmt: skip
def test_grids_fit_the_smallest_image_and_the_machine(sides, num_gpus, size):
    assert suggest(source(*sides), num_gpus)["grids"][0] == GRIDS[size]


@pytest.mark.parametrize(
    ("num", "num_gpus", "batch"), [(5000, 0, 32), (5000, 1, 100), (40, 0, 32), (3, 0, 2), (1, 1, 2)]
)
def test_a_batch_is_no_larger_than_the_data(num, num_gpus, batch):
    assert suggest(source(64, num=num), num_gpus)["batch_size"][0] == batch


@pytest.mark.parametrize("num_gpus", [0, 4])
def test_what_is_suggested_is_legal_and_told_in_one_line_each(num_gpus):
    suggested = suggest(source(64, num=500), num_gpus)
    make_config(**{name: value for name, (value, _) in suggested.items()})
    assert all(why and "\n" not in why for _, why in suggested.values())
