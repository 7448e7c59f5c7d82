"""Arrays that a person hands to a model: what is taken, and what is refused in one line."""

import numpy as np
import pytest
from conftest import refused

from mgconv.models.inputs import as_float, given_images, given_visible

PIXELS = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)


def test_uint8_is_read_as_gray_levels_and_floats_as_they_are():
    np.testing.assert_allclose(as_float(np.array([0, 255], np.uint8)), [-1, 1], atol=1e-6)
    halves = np.array([-1, 0.5], np.float64)
    assert as_float(halves).dtype == np.float32
    np.testing.assert_array_equal(as_float(halves), halves)


@pytest.mark.parametrize(
    ("images", "found"),
    [(PIXELS.astype(int), "int64"), (PIXELS[..., 0], "images[..., None]"), (PIXELS[0], "[4, 4, 1]"),
     (PIXELS[:, :3], "[2, 3, 4, 1]"), (PIXELS.repeat(2, -1), "[2, 4, 4, 2]"),
     ("photos", "<U6"), (None, "object")],
)  # fmt: skip
def test_what_is_no_array_of_square_images_is_refused(images, found):
    assert found in refused(given_images, images)


def test_images_of_another_size_than_the_models_are_refused():
    assert "[N, 8, 8, 1]" in refused(given_images, PIXELS, (8, 8, 1))
    assert given_images(PIXELS, (4, 4, 1)) is PIXELS


@pytest.mark.parametrize("value", [1.5, 255.0, -1.01, np.nan, np.inf])
def test_floats_outside_of_the_range_are_refused(value):
    assert "[-1, 1]" in refused(as_float, np.array([0, value]))


def test_hidden_pixels_may_hold_anything():
    images, visible = np.full([1, 4, 4, 3], np.nan), np.zeros([4, 4], bool)
    as_float(images, given_visible(visible, images))


def test_one_mask_serves_all_images():
    mask = np.random.default_rng(0).random([4, 4]) < 0.5
    for one in (mask, mask[..., None], np.stack([mask, mask])[..., None]):
        given = given_visible(one, PIXELS)
        assert given.shape == (2, 4, 4, 1)
        np.testing.assert_array_equal(given[1, ..., 0], mask)


def test_masks_of_another_type_or_shape_are_refused():
    mask = np.ones([4, 4])
    assert "mask > 0" in refused(given_visible, mask, PIXELS)
    for shape in ([4], [3, 4, 1], [2, 4, 4, 3], [3, 4, 4, 1]):
        assert "Give [2, 4, 4, 1]" in refused(given_visible, np.ones(shape, bool), PIXELS)
