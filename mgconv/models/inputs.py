"""Arrays that a person hands to a model, checked before anything is computed of them."""

from typing import Any

import numpy as np

from mgconv.errors import UserError
from mgconv.io.images import to_float

RANGE = "Give uint8 of 0..255, or floats of [-1, 1] where -1 is black."


def given_images(images: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Images as they were given, once they have been seen to be some.

    Args:
        images: uint8 [N, S, S, C], or floats.
        shape: (S, S, C) of a model; None: any square, of 1 or 3 channels.

    Raises:
        UserError: another shape, or other numbers.
    """
    images = np.asarray(images)
    found = list(images.shape)
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise UserError("Images of another type", images.dtype, RANGE)
    if images.ndim != 4:
        hint = " A channel of gray is added by images[..., None]." if images.ndim == 3 else ""
        raise UserError("Images of another shape", found, f"Give [N, S, S, C].{hint}")
    fits = found[1] == found[2] and found[3] in (1, 3) and found[1] > 0
    if not (fits if shape is None else tuple(found[1:]) == tuple(shape)):
        wanted = "S, S, 1 or 3" if shape is None else ", ".join(map(str, shape))
        raise UserError("Images of another shape", found, f"Give [N, {wanted}].")
    return images


def as_float(images: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """Given images as float32 in [-1, 1]; what stands at hidden pixels does not matter.

    Raises:
        UserError: floats outside of [-1, 1], or no numbers.
    """
    if images.dtype == np.uint8:
        return to_float(images)
    images = np.asarray(images, np.float32)
    known = images if visible is None else np.where(visible, images, 0)
    if not np.all(np.abs(known) <= 1):
        raise UserError("Images of another range", f"{known.min():g}..{known.max():g}", RANGE)
    return images


def given_visible(visible: Any, images: np.ndarray) -> np.ndarray:
    """A mask of images [N, S, S, C] as bool [N, S, S, 1], True where a pixel is known.

    Args:
        visible: bool [N, S, S, 1]; or one for all images, [S, S] or [S, S, 1].
        images: that it masks.

    Raises:
        UserError: another shape or type.
    """
    visible, shape = np.asarray(visible), (*images.shape[:3], 1)
    if visible.dtype != bool:
        remedy = "Give booleans, True where a pixel is known: mask > 0."
        raise UserError("A mask of another type", visible.dtype, remedy)
    if visible.shape == shape[1:3]:
        visible = visible[..., None]
    if visible.shape not in (shape, shape[1:]):
        wanted = f"{list(shape)} or {list(shape[1:])}"
        raise UserError("A mask of another shape", list(visible.shape), f"Give {wanted}.")
    return np.broadcast_to(visible, shape)
