"""Settings for a person's own images."""

import io

import numpy as np
import pytest
from PIL import Image

from mgconv.config import make_config
from mgconv.datasets.sources import in_memory
from mgconv.models.suggest import GRIDS, suggest_batch, suggest_nets


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
    ("sides", "num_gpus", "crop", "size"),
    [((200, 100), 0, None, 32), ((200, 100), 1, None, 64), ((200, 40), 1, None, 32),
     ((20,), 0, None, 16), ((9, 50), 2, None, 8), ((5,), 0, None, 4), ((2,), 0, None, 4),
     ((200, 100), 1, 40, 32)],
)  # fmt: skip
def test_grids_fit_the_smallest_image_and_the_machine(sides, num_gpus, crop, size):
    assert suggest_nets(source(*sides), num_gpus, crop)["grids"][0] == GRIDS[size]


def test_a_thumbnail_among_photographs_does_not_make_all_of_them_small():
    many = source(20, *[300] * 45)
    assert suggest_nets(many, 0)["grids"][0] == GRIDS[32]
    later = source(*[300] * 100, *[20] * 60)  # also where the first 50 do not tell
    assert suggest_nets(later, 0)["grids"][0] == GRIDS[16]


def test_without_a_readable_size_that_is_told():
    grids, why = suggest_nets(source(num=3), 0)["grids"]
    assert grids == GRIDS[32]
    assert why.startswith("no size could be read")


@pytest.mark.parametrize(
    ("num", "num_gpus", "batch"), [(5000, 0, 16), (5000, 1, 100), (40, 0, 16), (3, 0, 2), (1, 1, 2)]
)
def test_a_batch_is_no_larger_than_the_data(num, num_gpus, batch):
    assert suggest_batch(num, num_gpus)["batch_size"][0] == batch


@pytest.mark.parametrize("num_gpus", [0, 4])
def test_what_is_suggested_is_legal_and_told_in_one_line_each(num_gpus):
    suggested = suggest_nets(source(64, num=500), num_gpus) | suggest_batch(500, num_gpus)
    make_config(**{name: value for name, (value, _) in suggested.items()})
    assert all(why and "\n" not in why for _, why in suggested.values())
