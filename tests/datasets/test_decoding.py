"""From bytes of image files to pixels: exact block means, EXIF, transparency, what is refused."""

import io
import warnings

import numpy as np
import pytest
from conftest import random_pixels
from PIL import Image, PngImagePlugin

from mgconv.datasets import decoding
from mgconv.datasets.decoding import (
    BadImageError,
    decode,
    is_image,
    picture_size,
    read_picture,
    resize,
)


def encoded(pixels, kind="PNG", mode=None):
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    (picture.convert(mode) if mode else picture).save(buffer, kind)
    return buffer.getvalue()


# -- what users give


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# -- decoding


@pytest.mark.parametrize("channels", [1, 3])
def test_decoding_takes_block_means_of_the_centre_square(channels):
    pixels = random_pixels(8, 12, channels)
    square = pixels[:, 2:10].astype(float)
    expected = np.rint(square.reshape(4, 2, 4, 2, channels).mean((1, 3)))
    np.testing.assert_array_equal(decode(encoded(pixels), 4, channels), expected)
    upright = pixels.transpose(1, 0, 2)
    np.testing.assert_array_equal(
        decode(encoded(upright), 4, channels), expected.transpose(1, 0, 2)
    )


def test_decoding_at_the_images_own_size_changes_no_pixel():
    pixels = random_pixels(6, 6)
    np.testing.assert_array_equal(decode(encoded(pixels), 6, 3), pixels)


def test_sizes_that_do_not_divide_are_resampled():
    constant = np.full([7, 9, 3], 77, np.uint8)
    np.testing.assert_array_equal(resize(constant, 4), np.full([4, 4, 3], 77))
    ramp = np.repeat(np.arange(7, dtype=np.uint8)[None, :, None] * 30, 7, axis=0)
    small = resize(ramp, 4)[..., 0].astype(int)
    assert (np.diff(small, axis=1) > 0).all()
    np.testing.assert_allclose(small.mean(), ramp.mean(), atol=2)


def test_gray_and_color_are_turned_into_each_other():
    gray = random_pixels(4, 4, 1)
    np.testing.assert_array_equal(decode(encoded(gray), 4, 3), np.repeat(gray, 3, axis=-1))
    color = np.repeat(gray, 3, axis=-1)
    np.testing.assert_array_equal(decode(encoded(color), 4, 1), gray)


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "CMYK", "LA"])
def test_other_kinds_of_pixels_become_three_channels(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert decode(encoded(random_pixels(4, 4), kind, mode), 4, 3).shape == (4, 4, 3)


@pytest.mark.parametrize("size", [(3, 9), (9, 3), (3, 3)])
def test_an_image_smaller_than_asked_is_refused(size):
    with pytest.raises(ValueError, match=r"smaller than 4 x 4"):
        decode(encoded(random_pixels(*size)), 4, 3)


BROKEN = {
    "nothing": b"",
    "text": b"<html>not found</html>",
    "zeros": bytes(100),
    "half a PNG": encoded(random_pixels(64, 64))[:5000],
    "half a JPEG": encoded(random_pixels(64, 64), "JPEG")[:1500],
    "a damaged PNG": encoded(random_pixels(64, 64))[:100]
    + bytes(50)
    + encoded(random_pixels(64, 64))[150:],
    "only a head": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_image_is_a_value_error(content):
    with pytest.raises(ValueError, match="no image"):
        decode(content, 4, 3)


def test_no_interpreter_is_asked_for_an_image(monkeypatch):
    """Pillow gives PostScript to Ghostscript, whatever the file is called."""
    from PIL import EpsImagePlugin

    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    asked = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *of, **how: asked.append(of))
    with pytest.raises(BadImageError):
        decode(eps, 8, 3)
    assert picture_size(eps) is None
    assert not asked


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 63)
    with pytest.raises(ValueError, match="larger than 0 megapixels"):
        decode(encoded(random_pixels(8, 8)), 4, 3)


def test_gray_and_palette_files_become_color():
    gray = Image.fromarray(np.full([4, 4], 77, np.uint8))
    assert (decode(saved(gray), 4, 3) == 77).all()
    palette = Image.new("RGB", (4, 4), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.abs(decode(saved(palette), 4, 3).astype(int) - [10, 200, 30]).max() <= 2


def test_cmyk_files_become_rgb():
    cmyk = Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK")
    pixels = decode(saved(cmyk, "JPEG", quality=100), 16, 3)
    assert np.abs(pixels.astype(int) - [200, 30, 60]).max() <= 6


def test_transparent_parts_lie_on_black():
    image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    image.paste((100, 150, 200, 255), (0, 0, 4, 2))
    pixels = decode(saved(image), 4, 3)
    assert (pixels[:2] == [100, 150, 200]).all()
    assert (pixels[2:] == 0).all()


def test_sixteen_bits_are_scaled_to_eight():
    values = np.full([4, 4], 51 * 257, np.uint16)
    values[0, 0] = 65535
    pixels = decode(saved(Image.fromarray(values)), 4, 1)
    assert pixels[0, 0] == 255
    assert pixels[1, 1] == 51


def test_a_dark_image_of_sixteen_bits_stays_dark():
    assert decode(saved(Image.fromarray(np.full([4, 4], 255, np.uint16))), 4, 1).max() == 1


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_mask_of_zeros_and_ones_is_black_and_white_in_any_depth(dtype):
    content = saved(Image.fromarray(np.eye(4, dtype=dtype)), "TIFF")
    np.testing.assert_array_equal(decode(content, 4, 1)[..., 0], np.eye(4) * 255)


def test_exif_turns_are_followed():
    image = Image.new("RGB", (8, 8), "black")
    image.paste((255, 255, 255), (0, 0, 8, 4))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the right half is white
    pixels = decode(saved(image, "JPEG", exif=exif, quality=100), 8, 3)
    assert pixels[:, 6:].mean() > 240
    assert pixels[:, :2].mean() < 15


def test_an_animation_gives_its_first_picture():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(content, 4, 3)[0, 0] == [255, 0, 0]).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_cut_short_is_a_bad_image(kind):
    pixels = np.random.default_rng(0).integers(0, 256, [32, 32, 3], np.uint8)
    content = saved(Image.fromarray(pixels), kind)
    with pytest.raises(BadImageError, match="broken"):
        decode(content[: len(content) // 2], 32, 3)


def test_an_image_smaller_than_the_crop_is_a_bad_image():
    with pytest.raises(BadImageError, match="smaller than the crop of 8 x 8"):
        resize(np.zeros([6, 9, 3], np.uint8), 4, crop=8)
    with pytest.raises(BadImageError, match="smaller than 4 x 4"):
        decode(saved(Image.new("RGB", (1, 1))), 4, 3)


def test_the_crop_is_the_center():
    pixels = np.zeros([218, 178, 3], np.uint8)
    pixels[39:179, 19:159] = 200  # CelebA's centre square of 140
    assert (resize(pixels, 70, crop=140) == 200).all()
    assert resize(pixels, 89).min() == 0


# -- values


@pytest.mark.parametrize(("top", "white"), [(1, 255), (255, 255), (65535, 255)])
def test_floats_are_scaled_by_what_they_reach_to(top, white):
    values = np.linspace(0, top, 64, dtype=np.float32).reshape(8, 8)
    pixels = decode(saved(Image.fromarray(values), "TIFF"), 8, 1)[..., 0]
    np.testing.assert_array_equal(pixels, np.rint(values * (white / top)))


def test_floats_a_little_outside_their_range_are_clipped():
    values = np.array([[-0.03, 0.5], [1.04, 1]], np.float32)
    pixels = decode(saved(Image.fromarray(values), "TIFF"), 2, 1)[..., 0]
    assert pixels.tolist() == [[0, 128], [255, 255]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, "no numbers"), (np.inf, "no numbers"), (-1, "of values below 0")],
)
def test_floats_that_are_no_picture_are_told(value, reason):
    values = np.full([4, 4], 0.5, np.float32)
    values[1, 1] = value
    with pytest.raises(BadImageError, match=reason):
        decode(saved(Image.fromarray(values), "TIFF"), 4, 1)


# -- pixels that are there


def large_text(compressed):
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * (2_000_000 if compressed else 70_000_000), zip=compressed)
    return {"pnginfo": info}


@pytest.mark.parametrize(
    "options", [large_text(True), large_text(False), {"icc_profile": bytes(3_000_000)}],
    ids=["a compressed text", "a text", "a profile"],
)  # fmt: skip
def test_a_png_with_much_beside_its_pixels_is_read(options):
    pixels = random_pixels(8, 8)
    content = saved(Image.fromarray(pixels), **options)
    np.testing.assert_array_equal(decode(content, 8, 3), pixels)
    broken = content.replace(b"IDAT", b"IDAX")
    with pytest.raises(BadImageError, match="broken"):
        decode(broken, 8, 3)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 95}, {"exif": b"Exif\0\0MM\0*" + bytes(20)}]
)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_gives_all_its_pixels(missing, options):
    content = saved(Image.fromarray(random_pixels(32, 40)), "JPEG", **options)
    np.testing.assert_array_equal(decode(content[:-missing], 32, 3), decode(content, 32, 3))


@pytest.mark.parametrize("missing", [4, 8, 12, 16])
def test_a_png_without_its_end_gives_all_its_pixels(missing):
    pixels = random_pixels(16, 16)
    np.testing.assert_array_equal(decode(encoded(pixels)[:-missing], 16, 3), pixels)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_that_lacks_pixels_is_broken(options):
    content = saved(Image.fromarray(random_pixels(64, 64)), "JPEG", **options)
    for missing in (12, 100, len(content) // 4, len(content) // 2):
        with pytest.raises(BadImageError, match="broken"):
            decode(content[:-missing], 32, 3)


def test_a_damaged_exif_costs_no_pixel():
    pixels = random_pixels(8, 8)
    exif = b"MM\0*\0\0\0\x08\xff\xff" + random_pixels(1, 40).tobytes()
    np.testing.assert_array_equal(decode(saved(Image.fromarray(pixels), exif=exif), 8, 3), pixels)


# -- what an image is


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "MPO"])
def test_an_image_is_told_by_how_it_begins(kind):
    image = Image.fromarray(random_pixels(8, 8))
    content = saved(image, kind, **({"save_all": True} if kind == "MPO" else {}))
    assert is_image(content[:16])
    assert decode(content, 8, 3).shape == (8, 8, 3)


@pytest.mark.parametrize(
    "head", [b"", b"P", b"a text", bytes(16), b"%!PS-Adobe-3.0 E", b"\0\0\0\x18ftypheic0000"]
)
def test_all_else_is_no_image(head):
    assert not is_image(head)


def test_an_image_larger_than_pillow_likes_is_read_without_a_word(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    (tmp_path / "1.png").write_bytes(encoded(random_pixels(8, 8)))
    assert read_picture(tmp_path / "1.png", 3).shape == (8, 8, 3)
    assert picture_size(encoded(random_pixels(8, 8))) == (8, 8)
    assert not recwarn
    with warnings.catch_warnings(record=True) as told:  # the bound is there, and is not ours
        warnings.simplefilter("always")
        Image.open(tmp_path / "1.png")
    assert "bomb" in str(told[0].message)
