"""From the bytes of an image file to uint8 pixels at the working size."""

import contextlib
import functools
import io
import os
from pathlib import Path

import numpy as np

from mgconv.datasets.formats import FORMATS, quiet, repairs
from mgconv.errors import UserError

MAX_PIXELS = 100_000_000  # a larger image is a mistake or an attack

FLOAT_TOPS = {2: 1, 260: 255}  # values that reach so far are meant to have this top; resampling
#                                leaves some a little above it. Whatever reaches farther: 65535


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    """Those of FORMATS that the installed Pillow reads; older ones lack AVIF."""
    from PIL import Image, features

    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    optional = {"WEBP", "AVIF"}
    return tuple(x for x in known if x not in optional or features.check(x.lower()))


def is_image(head: bytes) -> bool:
    """Whether a file that begins with these bytes is of a readable format, by Pillow's tests."""
    from PIL import Image

    def accepts(name):
        with contextlib.suppress(IndexError):  # a head of one byte
            return Image.OPEN[name][1](head) is True
        return False

    return any(map(accepts, _readable_formats()))


def _opened(content: bytes):
    """A Pillow image, not decoded yet."""
    from PIL import Image

    return Image.open(io.BytesIO(content), formats=_readable_formats())


MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # Pillow's names, by the number of channels


class BadImageError(ValueError):
    """An image that cannot be used; its text is the reason under which it is counted."""


def decode(content: bytes, size: int, channels: int, crop: int | None = None) -> np.ndarray:
    """The centre square of an encoded image at `size`, uint8 [size, size, channels].

    Turned as its EXIF says; transparent parts on black; the first picture of an animation; 16 bits,
    and floats of 0..1 or 0..65535, scaled to 8 bits. Texts and profiles may be of any size; the end
    of a file may be missing where all pixels are there. Exact block means where `size` divides the
    square's side, else antialiased bicubic.

    Args:
        content: a file as it is.
        size: pixels a side of the result.
        channels: 1 or 3.
        crop: side of the square; None takes the largest that fits.

    Raises:
        BadImageError: it is no image, broken, or smaller than `size` or `crop`.
    """
    picture = _picture(content, channels)
    return resize(picture, size, crop)


def read_picture(path: str | os.PathLike, channels: int) -> np.ndarray:
    """A picture at its own size, uint8 [H, W, channels].

    Args:
        path: of the file.
        channels: 1 or 3, transparent parts on black; with one more, the last is its alpha, and
            colors are as they lie under it.

    Raises:
        UserError: no such file, or no image in it.
    """
    try:
        with quiet():
            return _picture(Path(path).read_bytes(), channels)
    except (OSError, BadImageError) as error:
        raise UserError(f"Cannot read {path}", error, "Give a PNG or JPEG.") from None


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of an encoded image by its header, None where it is none."""
    try:
        with quiet(), _opened(content) as image:
            return image.size
    except Exception:  # Pillow's decoders raise nearly anything on a broken file
        return None


def _picture(content: bytes, channels: int) -> np.ndarray:
    from PIL import Image

    try:
        return _pixels(content, channels)
    except BadImageError:
        raise
    except Image.DecompressionBombError:  # Pillow's own bound, at which it does not open a file
        raise BadImageError(_too_large()) from None
    except Exception:  # Pillow's decoders raise nearly anything on a broken file
        return _repaired(content, channels)


def _repaired(content: bytes, channels: int) -> np.ndarray:
    """The pixels of a file that Pillow refuses, where all of them are there."""
    try:
        versions = [_pixels(version, channels) for version in repairs(content)]
    except Exception:
        versions = []
    if not versions or any((other != versions[0]).any() for other in versions[1:]):
        raise BadImageError("broken or no image") from None
    return versions[0]


def _too_large() -> str:
    return f"larger than {MAX_PIXELS // 1_000_000} megapixels"


def _pixels(content: bytes, channels: int) -> np.ndarray:
    with _opened(content) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BadImageError(_too_large())
        image.load()
        picture = _to_mode(_upright(image), MODES[channels])
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def _upright(image):
    """A Pillow image as its EXIF turns it; as it is where that is damaged."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # what a damaged EXIF makes Pillow say; the pixels are there
        return image


def _to_mode(image, mode: str):
    """A Pillow image as 8-bit RGB or L, on black; or as RGBA or LA, with its alpha."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 bits a pixel, or a float
        values = np.asarray(image, np.float64)
        top = _top(image.mode, values)
        if values.min() < -0.1 * top:  # resampling alone leaves some a little below
            raise BadImageError("of values below 0")
        image = Image.fromarray(np.rint(values.clip(0, top) * (255 / top)).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        if not mode.endswith("A"):
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            image = Image.alpha_composite(black, image)
    return image.convert(mode)


def _top(mode: str, values: np.ndarray) -> int:
    """The value that stands for white: of numbers with a point, what the image's own reach to."""
    if not np.isfinite(values).all():
        raise BadImageError("of values that are no numbers")
    if mode != "F" and values.max() == 1:
        return 1  # of 65,535 it would be black: it is a mask
    if mode.startswith("I;16"):
        return 65535
    if mode == "F":
        return next((top for most, top in FLOAT_TOPS.items() if values.max() <= most), 65535)
    return 65535 if values.max() > 255 else 255


def resize(pixels: np.ndarray, size: int, crop: int | None = None) -> np.ndarray:
    """The centre square of uint8 [H, W, C] at `size`; see `decode`."""
    from PIL import Image

    height, width, channels = pixels.shape
    side = crop or min(height, width)
    if side > min(height, width):
        raise BadImageError(f"smaller than the crop of {crop} x {crop}")
    if side < size:
        raise BadImageError(f"smaller than {size} x {size}")
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    if side % size == 0:
        factor = side // size
        blocks = square.reshape(size, factor, size, factor, channels)
        return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    picture = Image.fromarray(square[..., 0] if channels == 1 else square)
    picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(size, size, channels)
