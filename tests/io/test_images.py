"""Pixels and pictures: exact conversions, decoding, writing whole or not at all."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import random_pixels, refused
from PIL import Image

from mgconv.errors import UserError
from mgconv.io.files import replace_file
from mgconv.io.images import encode_png, enlarge, save_png, tile, to_float, to_uint8

# -- 0..255 and [-1, 1]


def test_every_gray_level_survives_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(to_float(levels)), levels)


def test_black_is_minus_1_and_white_is_1():
    np.testing.assert_allclose(to_float(np.array([0, 255], np.uint8)), [-1, 1], atol=1e-6)
    assert np.abs(to_float(np.array([0, 255], np.uint8))).max() <= 1
    assert to_float(np.zeros([2, 2], np.uint8)).dtype == np.float32


def test_pixels_are_rounded_to_the_nearest_level_and_clipped():
    levels = np.array([-5.0, 0.4, 0.6, 99.6, 254.6, 300.0])
    got = to_uint8(levels / 127.5 - 1)
    np.testing.assert_array_equal(got, [0, 0, 1, 100, 255, 255])
    assert got.dtype == np.uint8


# -- pictures


def test_enlarging_makes_each_pixel_a_block():
    images = random_pixels(2, 2)[None]
    large = enlarge(images, 6)
    assert large.shape == (1, 6, 6, 3)
    np.testing.assert_array_equal(large[0, ::3, ::3], images[0])
    np.testing.assert_array_equal(large[0, 2::3, 2::3], images[0])
    assert enlarge(images, 5).shape == (1, 6, 6, 3)  # a little above
    np.testing.assert_array_equal(enlarge(images, 1), images)


def test_a_tile_shows_images_row_by_row_on_white():
    images = np.stack([np.full([2, 2, 1], level, np.uint8) for level in (10, 20, 30)])
    expected = [
        [10, 10, 255, 20, 20],
        [10, 10, 255, 20, 20],
        [255, 255, 255, 255, 255],
        [30, 30, 255, 255, 255],
        [30, 30, 255, 255, 255],
    ]
    np.testing.assert_array_equal(tile(images, columns=2)[..., 0], expected)
    assert tile(images, columns=3, gap=0).shape == (2, 6, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_picture_reads_back_exactly(channels, tmp_path):
    pixels = random_pixels(5, 7, channels)
    save_png(tmp_path / "new" / "picture.png", pixels)
    with Image.open(tmp_path / "new" / "picture.png") as picture:
        read = np.asarray(picture).reshape(pixels.shape)
    np.testing.assert_array_equal(read, pixels)
    assert encode_png(pixels).startswith(b"\x89PNG")


# -- writing


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    replace_file(path, "first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [f.name for f in path.parent.iterdir()] == ["file"]  # no draft is left


def fails(number, at):
    """A method of Path that fails as a full or a read-only disk does."""
    original = getattr(Path, at)

    def fail(self, *arguments, **options):
        if at == "write_bytes":
            original(self, b"half")
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("at", ["write_bytes", "replace"])
@pytest.mark.parametrize(("number", "told"), [(28, "No space left"), (30, "Read-only")])
def test_a_disk_that_takes_no_more_is_told_and_the_old_file_stays(
    number, told, at, tmp_path, monkeypatch
):
    path = tmp_path / "file"
    replace_file(path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, at, fails(number, at))
        message = refused(replace_file, path, "new")
    assert told in message
    assert str(path) in message
    assert path.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("a user's own")
    with pytest.raises(UserError, match="Cannot write"):
        replace_file(tmp_path / "file" / "config.json", "new")
    assert (tmp_path / "file").read_text() == "a user's own"


# -- what users give


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
