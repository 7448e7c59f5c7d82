"""From the bytes of an image file to uint8 pixels at the working size."""

import io
import os
from pathlib import Path

import numpy as np

from mgconv.errors import UserError

MAX_PIXELS = 100_000_000  # a larger image is a mistake or an attack

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")


class BadImageError(ValueError):
    """An image that cannot be used; its text is the reason under which it is counted."""


def decode(content: bytes, size: int, channels: int, crop: int | None = None) -> np.ndarray:
    """The centre square of an encoded image at `size`, uint8 [size, size, channels].

    Turned as its EXIF says; transparent parts on black; the first picture of an animation; 16 bits
    scaled to 8. Exact block means where `size` divides the square's side, else antialiased bicubic.

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

    Raises:
        UserError: no such file, or no image in it.
    """
    try:
        return _picture(Path(path).read_bytes(), channels)
    except (OSError, BadImageError) as error:
        raise UserError(f"Cannot read {path}", error, "Give a PNG or JPEG.") from None


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of an encoded image by its header, None where it is none."""
    try:
        with _open(content) as image:
            return image.size
    except Exception:  # Pillow's decoders raise nearly anything on a broken file
        return None


def _open(content: bytes):
    """A Pillow image, not decoded yet; of no other format: Pillow gives EPS to Ghostscript."""
    from PIL import Image

    return Image.open(io.BytesIO(content), formats=FORMATS)


def _picture(content: bytes, channels: int) -> np.ndarray:
    from PIL import Image, ImageOps

    too_large = f"larger than {MAX_PIXELS // 1_000_000} megapixels"
    try:
        with _open(content) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImageError(too_large)
            picture = _to_mode(ImageOps.exif_transpose(image), "RGB" if channels == 3 else "L")
    except BadImageError:
        raise
    except Image.DecompressionBombError:  # Pillow's own bound, at which it does not open a file
        raise BadImageError(too_large) from None
    except Exception:  # Pillow's decoders raise nearly anything on a broken file
        raise BadImageError("broken or no image") from None
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def _to_mode(image, mode: str):
    """A Pillow image as 8-bit RGB or L."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 bits a pixel, or a float
        values = np.asarray(image, np.float64)
        top = 65535 if image.mode.startswith("I;16") or values.max() > 255 else 255
        image = Image.fromarray(np.rint(values.clip(0, top) * (255 / top)).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return image.convert(mode)


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
