"""Seeded masks of hidden pixels (paper: inpainting experiment): square, doodle, pepper-and-salt.

Every function returns `visible`, bool [N, size, size, 1], True where a pixel is known; in each
image at least one pixel is hidden and at least one visible.
"""

import numpy as np

DOODLE_HIDDEN = 0.25  # project page, Experiment 3
PEPPER_HIDDEN = 0.60  # project page, Experiment 3


def square(num: int, size: int, seed: int) -> np.ndarray:
    """Hides a square of half the side at a random place of each image (32 x 32 of 64 x 64)."""
    side = size // 2
    top, left = np.random.default_rng(seed).integers(0, size - side + 1, [2, num, 1])
    position = np.arange(size)
    rows = (position >= top) & (position < top + side)
    columns = (position >= left) & (position < left + side)
    return ~(rows[:, :, None] & columns[:, None, :])[..., None]


def pepper(num: int, size: int, seed: int, hidden: float = PEPPER_HIDDEN) -> np.ndarray:
    """Hides a random set of single pixels, the same number in each image."""
    rank = np.argsort(np.random.default_rng(seed).random([num, size * size]), axis=1)
    return _hide_first(rank, size, hidden)


def doodle(num: int, size: int, seed: int, hidden: float = DOODLE_HIDDEN) -> np.ndarray:
    """Hides thick random strokes, cut where they have covered exactly the wanted share."""
    rng = np.random.default_rng(seed)
    return _hide_first([_stroke_order(rng, size, hidden) for _ in range(num)], size, hidden)


def _hide_first(orders, size: int, hidden: float) -> np.ndarray:
    """Hides the first pixels of each order, as many as the share says."""
    num_hidden = int(np.clip(round(hidden * size * size), 1, size * size - 1))
    visible = np.ones([len(orders), size * size], dtype=bool)
    for image, order in zip(visible, orders):
        image[order[:num_hidden]] = False
    return visible.reshape(-1, size, size, 1)


def _stroke_order(rng: np.random.Generator, size: int, hidden: float) -> np.ndarray:
    """Pixels in the order in which strokes first cover them, at least the wanted share."""
    y, x = np.mgrid[:size, :size]
    radius = max(0.6, size / 24)
    covered = np.zeros([size, size], dtype=bool)
    order: list[int] = []
    while len(order) < max(1, round(hidden * size * size)):
        place, angle = rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi)
        for _ in range(size):  # one stroke, a walk that turns slowly
            new = (np.hypot(y - place[0], x - place[1]) <= radius) & ~covered
            order.extend(np.flatnonzero(new))
            covered |= new
            angle += rng.normal(0, 0.3)
            place = place + radius * np.array([np.sin(angle), np.cos(angle)])
    return np.array(order)
