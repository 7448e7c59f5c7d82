"""Pixels 0..255 and [-1, 1]; pictures on disk. What trains and samples knows [-1, 1] alone."""

import io
import os

import numpy as np

from mgconv.config import PIXEL
from mgconv.errors import UserError
from mgconv.io.files import replace_file


def to_uint8(images) -> np.ndarray:
    """[-1, 1] -> 0..255, rounded, clipped; any shape. No stretching of contrast."""
    return np.clip(np.rint((np.asarray(images) + 1) / PIXEL), 0, 255).astype(np.uint8)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """0..255 -> float32 in [-1, 1]; any shape."""
    return np.asarray(pixels, np.float32) * np.float32(PIXEL) - np.float32(1)


RANGES = ((0, 1), (-1, 1), (0, 255))  # of images as programs keep them; the first that fits

SLACK = 0.01  # of a range, by which rounding may leave it

ROWS = 1000  # images that are converted at once


def to_pixels(images: np.ndarray, what: str) -> np.ndarray:
    """Images as other programs keep them, as uint8 [N, S, S, C]; what is changed is printed.

    Args:
        images: uint8, other numbers on 0..255, floats on [0, 1] or [-1, 1]; [N, C, S, S], too.
        what: the images' name.

    Raises:
        UserError: numbers of another range, or no square images of 1 or 3 channels.
    """
    shape = images.shape
    is_square = len(shape) == 4 and 0 not in shape
    is_last = is_square and shape[1] == shape[2] and shape[3] in (1, 3)
    is_first = is_square and shape[2] == shape[3] and shape[1] in (1, 3)
    if not (is_last or is_first) or images.dtype.kind not in "iuf":
        found = f"{images.dtype} {shape}"
        raise UserError(f"Cannot score {what}", found, "Give uint8 0..255, [N, S, S, 1 or 3].")
    if not is_last:
        print(f"{what}: {list(shape)} is read as [N, C, S, S]", flush=True)
        images = images.transpose(0, 2, 3, 1)
    return images if images.dtype == np.uint8 else _rescaled(images, what)


def _rescaled(images: np.ndarray, what: str) -> np.ndarray:
    first, last = float(images.min()), float(images.max())
    known = [
        (low, high)
        for low, high in (RANGES if images.dtype.kind == "f" else RANGES[-1:])
        if first >= low - SLACK * (high - low) and last <= high + SLACK * (high - low)
    ]
    seen = f"{images.dtype} {first:g}..{last:g}"
    if not known:  # or no numbers at all
        remedy = "Give uint8 0..255, or floats: numpy.clip(images, -1, 1) where -1 is black."
        raise UserError(f"Cannot score {what}", seen, remedy)
    low, high = known[0]
    print(f"{what}: {seen} is read as {low}..{high}", flush=True)
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), ROWS):
        part = (images[start : start + ROWS].astype(np.float64) - low) * (255 / (high - low))
        pixels[start : start + ROWS] = np.clip(np.rint(part), 0, 255)
    return pixels


def check_images(images: np.ndarray) -> None:
    """Raises a UserError unless they are uint8 [1 or more, S, S, 1 or 3]."""
    shape = list(np.shape(images))
    if getattr(images, "dtype", None) != np.uint8:
        found = getattr(images, "dtype", type(images).__name__)
        raise UserError("Images to score are of another type", found, "Give uint8 0..255.")
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3):
        raise UserError("Images to score are of another shape", shape, "Give [N, S, S, 1 or 3].")
    if 0 in shape:
        raise UserError("There is no image to score", shape, "Give one or more.")


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
    """Writes uint8 [H, W, 1 or 3], or one more with alpha, whole or not at all."""
    replace_file(path, encode_png(picture))


def encode_png(picture: np.ndarray) -> bytes:
    """uint8 [H, W, 1 or 3], or one more with alpha, as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()
