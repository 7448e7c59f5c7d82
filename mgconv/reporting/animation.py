"""The chain as a moving picture."""

import io

import numpy as np

from mgconv.evaluation.diagnosis import chain_paths
from mgconv.io.images import to_uint8
from mgconv.reporting.pictures import Model, labeled_strips, models

MOST_BYTES = 1_500_000
MOST_CHAINS = 32  # of a model; fewer where the file would be larger
MOST_STEPS = 12  # of a grid that are shown
COLUMNS, SIDE = 8, 64  # images a row; least pixels a side of each
STEP, GRID, END = 120, 700, 2500  # milliseconds: a Langevin step, the end of a grid, the end


def animate(system: Model, seed: int, start: np.ndarray | None = None) -> bytes:
    """Chains through the grids, frame by frame, as a GIF of at most `MOST_BYTES`.

    Args:
        system: a model, or a model a class, of which each has as many chains.
        seed: of the chains.
        start: [1, s, s, C] where all chains start; None: colors of training images.
    """
    num = min(MOST_CHAINS, system.config.batch_size)
    while True:
        gif = encode_gif(*frames(system, num, seed, start))
        if len(gif) <= MOST_BYTES or num == 1:
            return gif
        num = num // 2


def frames(
    system: Model, num: int, seed: int, start: np.ndarray | None = None
) -> tuple[list[np.ndarray], list[int]]:
    """The pictures of `num` chains a model, uint8 [H, W, 3], and how long each is shown."""
    parts = []
    for model in models(system):
        x0 = model.colors(num, seed) if start is None else start.repeat(num, axis=0)
        parts.append([x0[np.newaxis], *chain_paths(model, x0, seed)])
    pictures: list[np.ndarray] = []
    milliseconds: list[int] = []
    for grid in zip(*parts):
        path = np.concatenate(grid, axis=1)  # of all models, [steps, N, s, s, C]
        steps = np.linspace(0, len(path) - 1, min(len(path), 1 + MOST_STEPS)).astype(int)
        for step in steps[1:] if pictures else steps:
            pictures.append(_picture(path[step], step))
            milliseconds.append(STEP)
        milliseconds[-1] = GRID
    milliseconds[-1] = END
    return pictures, milliseconds


def encode_gif(pictures: list[np.ndarray], milliseconds: list[int]) -> bytes:
    """Pictures uint8 [H, W, 3] of one size as a GIF that begins again at its end."""
    from PIL import Image

    images = [
        Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE) for picture in pictures
    ]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0
    )
    return buffer.getvalue()


def _picture(images: np.ndarray, step: int) -> np.ndarray:
    """Images [N, s, s, C] of one Langevin step, each at the same size whatever s is."""
    size = images.shape[1]
    name = f"{size} x {size}" + (f", Langevin step {step}" if step else "")
    return labeled_strips({name: to_uint8(images)}, min(COLUMNS, len(images)), SIDE)
