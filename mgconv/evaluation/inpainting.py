"""Filling hidden pixels and measuring how well (paper: experiment 3, table 4)."""

from typing import NamedTuple

import numpy as np

from mgconv.errors import UserError
from mgconv.io.images import to_float, to_uint8

TOLERANCE = 1e-6  # of the diffusion control: how far a pixel may be from its neighbors' mean
MOST_ROUNDS = 1000  # of its conjugate gradients; all but two of 64 x 64 pixels take 120
AT_ONCE = 16  # images that it fills together: their arrays stay in a processor's cache


def hide(pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """What a system gets to see, float32 [N, S, S, C]: hidden pixels are overwritten by 0."""
    return np.where(visible, to_float(pixels), np.float32(0))


def composite(filled: np.ndarray, pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """uint8 images: visible pixels are the input's exactly, hidden ones the system's."""
    return np.where(visible, pixels, to_uint8(filled))


class MeanColor:
    """Control: every hidden pixel gets the mean of its image's visible ones."""

    is_random = False

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
        """As Model.inpaint; the seed has no influence."""
        known = np.where(visible, masked, 0).sum(axis=(1, 2), keepdims=True)
        mean = known / visible.sum(axis=(1, 2), keepdims=True)
        return np.where(visible, masked, mean).astype(np.float32)


class Diffusion:
    """Control: every hidden pixel is the mean of its four neighbors, where diffusion comes to rest.

    Beyond the border of the image a pixel is its own neighbor.
    """

    is_random = False

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
        """As Model.inpaint; the seed has no influence."""
        x = MeanColor().inpaint(masked, visible, seed)
        for first in range(0, len(x), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            x[some] = np.where(visible[some], x[some], _diffused(x[some], ~visible[some]))
        return x


def _diffused(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Solves the discrete Laplace equation at the hidden pixels, by conjugate gradients.

    Args:
        x: [N, S, S, C], where to begin.
        hidden: bool [N, S, S, 1].
    """
    x = x.astype(np.float64)
    residual = -_above_neighbors(x, hidden)
    direction, square = residual, _sum(residual**2)
    for _ in range(MOST_ROUNDS):
        if np.abs(residual).max() <= 4 * TOLERANCE:
            break
        image = _above_neighbors(direction, hidden)
        step = square / np.maximum(_sum(direction * image), 1e-300)  # 0 / 0 where it is solved
        x, residual = x + step * direction, residual - step * image
        before, square = square, _sum(residual**2)
        direction = residual + square / np.maximum(before, 1e-300) * direction
    return x


def _sum(x):
    return x.sum(axis=(1, 2), keepdims=True)


def _above_neighbors(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Four times each hidden pixel less its four neighbors; 0 at visible ones."""
    wide = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    beside = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
    return np.where(hidden, 4 * x - beside, 0)


class Biharmonic:
    """Control: the smoothest surface through the visible pixels, by scikit-image (optional)."""

    is_random = False

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
        """As Model.inpaint; the seed has no influence."""
        from skimage.restoration import inpaint_biharmonic

        known = MeanColor().inpaint(masked, visible, seed)
        filled = [
            inpaint_biharmonic(image, ~shown[..., 0], channel_axis=-1)
            for image, shown in zip(known, visible)
        ]
        return np.where(visible, masked, np.clip(filled, -1, 1)).astype(np.float32)


class Inpainting(NamedTuple):
    """Measures of N images, each [N]."""

    error: np.ndarray  # mean absolute difference of hidden pixels, on [0, 1]
    psnr: np.ndarray  # of hidden pixels, on [0, 1], peak 1
    whole_psnr: np.ndarray  # of all pixels, the same
    whole_ssim: np.ndarray

    @property
    def psnr_of_the_page(self) -> np.ndarray:
        """Derived: on [-1, 1] with peak 1, which by arithmetic seems to be the project page's."""
        return self.psnr - 20 * np.log10(2)


def measure(filled: np.ndarray, pixels: np.ndarray, visible: np.ndarray) -> Inpainting:
    """Compares filled images with the originals, both uint8 [N, S, S, C].

    Args:
        filled: with the visible pixels of the originals.
        pixels: the originals.
        visible: bool [N, S, S, 1].
    """
    import tensorflow as tf

    difference = (filled.astype(np.float64) - pixels) / 255
    hidden = np.broadcast_to(~visible, difference.shape)
    count = hidden.sum(axis=(1, 2, 3))
    squares = (difference**2).sum(axis=(1, 2, 3), where=hidden) / count
    everywhere = (difference**2).mean(axis=(1, 2, 3))
    window = min(11, pixels.shape[1])
    ssim = tf.image.ssim(tf.constant(filled), tf.constant(pixels), 255, filter_size=window)
    return Inpainting(
        np.abs(difference).sum(axis=(1, 2, 3), where=hidden) / count,
        _psnr(squares),
        _psnr(everywhere),
        ssim.numpy().astype(np.float64),
    )


def _psnr(squared_error: np.ndarray) -> np.ndarray:
    return -10 * np.log10(np.maximum(squared_error, (0.5 / 255) ** 2 / 3))  # rounding's at least


def hidden_by(mask: np.ndarray) -> np.ndarray:
    """What a mask hides, bool [H, W, 1]: what is white; where it has one color, what is opaque.

    Of two values, whatever they are, the larger one hides; of more, those of 128 or more.

    Args:
        mask: uint8 [H, W, 2], brightness and alpha.
    """
    bright, alpha = mask[..., :1], mask[..., 1:]
    drawn = bright[_larger(alpha)]
    if len(drawn) and drawn.min() == drawn.max() and alpha.min() < alpha.max():
        return _larger(alpha)
    return _larger(_on_black(mask))


def _larger(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    has_two = low < high and np.isin(values, (low, high)).all()
    return values > low if has_two else values >= 128


def check_mask(visible: np.ndarray, shape: tuple[int, ...], mask: np.ndarray | None = None) -> None:
    """Raises a UserError unless bool [N, S, S, 1] fits images and hides a part of each.

    Args:
        visible: bool.
        shape: of the images.
        mask: that it was read from, brightness and alpha; the error says what it holds.
    """
    if visible.shape != (*shape[:3], 1):
        found = f"{visible.shape[1:3]}, the image {shape[1:3]}"
        raise UserError("The mask has another size", found, "Give one of the image's size.")
    share = visible.mean(axis=(1, 2, 3))
    if (share == 0).any() or (share == 1).any():
        found = "everything" if (share == 0).any() else "nothing"
        if mask is not None:
            names = zip(("brightness", "alpha"), np.moveaxis(mask, -1, 0))
            found += "".join(f", {name} {part.min()}..{part.max()}" for name, part in names)
        raise UserError("The mask hides", found, "White hides, black shows; give both.")


def inpaint_picture(system, pixels: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
    """A picture of any size with its hidden part filled by a system of a small size.

    The smallest square that holds the hidden part with a margin as wide again is brought to the
    system's size; what was filled there is enlarged and put back where pixels are hidden.

    Args:
        system: with `inpaint` and `config.size`.
        pixels: uint8 [H, W, C], or one channel more: its alpha, which is kept. The system sees
            clear parts on black, as in training.
        visible: bool [H, W, 1].
        seed: of the chains.
    """
    import tensorflow as tf

    rows, columns = _square_around(~visible[..., 0])
    part, known = _on_black(pixels)[rows, columns], visible[rows, columns]
    size = system.config.size
    small = np.asarray(tf.image.resize(part.astype(np.float32), [size, size], "area"))
    shown = np.asarray(tf.image.resize(known.astype(np.float32), [size, size], "area")) > 0.999
    if shown.all() or not shown.any():
        found = "less than a pixel" if shown.all() else "everything there"
        raise UserError(f"At {size} x {size} the mask hides", found, "Give a larger hidden part.")
    small = np.rint(small).astype(np.uint8)
    filled = system.inpaint(hide(small, shown)[np.newaxis], shown[np.newaxis], seed)
    large = tf.image.resize(filled, part.shape[:2], "bicubic")[0].numpy()
    done = pixels.copy()
    colors = done[rows, columns, : part.shape[-1]]  # under any alpha
    colors[:] = composite(large, colors, known)
    return done


def _on_black(pixels: np.ndarray) -> np.ndarray:
    """Colors [H, W, 1 or 3] of uint8 [H, W, 1 to 4], any alpha applied."""
    if pixels.shape[-1] in (1, 3):
        return pixels
    lit = pixels[..., :-1].astype(np.uint16) * pixels[..., -1:]
    return ((lit + 127) // 255).astype(np.uint8)


def _square_around(hidden: np.ndarray) -> tuple[slice, slice]:
    """Slices of the square that holds what is hidden, [H, W], with as much around it as fits.

    Where the picture is too low or narrow for it, they are of a rectangle.
    """
    spans = [np.flatnonzero(hidden.any(axis=axis)) for axis in (1, 0)]
    wanted = 2 * max(span[-1] - span[0] + 1 for span in spans)
    slices = []
    for span, length in zip(spans, hidden.shape):
        side, middle = min(wanted, length), (span[0] + span[-1] + 1) // 2
        first = int(np.clip(middle - side // 2, 0, length - side))
        slices.append(slice(first, first + side))
    rows, columns = slices
    return rows, columns
