"""Pixels 0..255 and [-1, 1]; pictures on disk. What learns and samples knows [-1, 1] alone."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mgconv.config import PIXEL, UserError

MAX_PIXELS = 100_000_000  # a larger image is a mistake or an attack
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")


def to_uint8(images) -> np.ndarray:
    """[-1, 1] -> 0..255, rounded, clipped; any shape. No stretching of contrast."""
    return np.clip(np.rint((np.asarray(images) + 1) / PIXEL), 0, 255).astype(np.uint8)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """0..255 -> float32 in [-1, 1]; any shape."""
    return np.asarray(pixels, np.float32) * np.float32(PIXEL) - np.float32(1)


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """Each pixel as a block, so that [N, s, s, C] can be seen at `size` or a little above."""
    factor = -(-size // images.shape[1])
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def tile(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """uint8 [N, s, s, C] as one picture [H, W, C], row by row, on white."""
    num, size, _, channels = images.shape
    rows = -(-num // columns)
    cell = size + gap
    canvas = np.full([rows * cell - gap, columns * cell - gap, channels], 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * cell, index % columns * cell
        canvas[top : top + size, left : left + size] = image
    return canvas


def save_png(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes uint8 [H, W, 1 or 3] whole or not at all."""
    replace_file(path, encode_png(picture))


def encode_png(picture: np.ndarray) -> bytes:
    """uint8 [H, W, 1 or 3] as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()


def replace_file(path: str | os.PathLike, content: bytes | str) -> None:
    """Puts `content` in place of the file at `path`, atomically.

    Raises:
        UserError: the disk is full or the folder cannot be written; the old file is intact.
    """
    content = content.encode() if isinstance(content, str) else content
    with replacing(path) as draft:
        draft.write_bytes(content)


def save_array(path: str | os.PathLike, array: np.ndarray) -> None:
    """Writes a .npy whole or not at all, without a copy of it in memory."""
    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A place for a draft that is put in place of `path` when all went well, and else removed.

    Raises:
        UserError: the disk is full or the folder cannot be written; the old file is intact.
    """
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        found, remedy = error.strerror or error, "Free space or choose another folder."
        raise UserError(f"Cannot write {path}", found, remedy) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


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
