"""What a person does on the page of `mgconv demo`: open a picture, fill it, walk along chains."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mgconv.datasets.decoding import picture_size, read_picture
from mgconv.errors import UserError
from mgconv.evaluation.inpainting import inpaint_picture
from mgconv.langevin import derived_seed
from mgconv.models import MultigridModel, PerClassModel
from mgconv.reporting.animation import frames
from mgconv.reporting.pictures import Model

MOST_PIXELS = 50_000_000  # of a picture that is opened
MOST_SIDE = 768  # pixels a side that a larger picture is reduced to
LEAST_SIDE = 384  # pixels a side that a smaller one is shown at, each of its pixels a block
MOST_FILLINGS = 8
MOST_CHAINS = 16


def model_of(system: Model, label: int | None) -> MultigridModel:
    """The model of a class, or the only one."""
    if isinstance(system, PerClassModel):
        return system.of_class(system.labels[0] if label is None else label)
    return system


def opened(path: str, channels: int) -> np.ndarray:
    """A person's picture, uint8 [H, W, channels], of `MOST_SIDE` pixels a side at most.

    Raises:
        UserError: it is no picture, broken, or of more than `MOST_PIXELS`.
    """
    from PIL import Image

    name = Path(path).name  # the folder is the server's own
    width, height = picture_size(Path(path).read_bytes()) or (0, 0)
    if width * height > MOST_PIXELS:
        remedy = f"Give one of {MOST_PIXELS // 1_000_000} megapixels or less."
        raise UserError(f"{name} is too large", f"{width} x {height} pixels", remedy)
    try:
        picture = read_picture(path, channels)
    except UserError:
        raise UserError(
            f"Cannot read {name}", "broken or no picture", "Give a PNG or JPEG."
        ) from None
    image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
    image.thumbnail((MOST_SIDE, MOST_SIDE))
    return np.asarray(image).reshape(image.height, image.width, channels)


def drawn(model: MultigridModel, seed: int) -> np.ndarray:
    """A sample of the model as a picture, uint8 [S, S, C]."""
    from mgconv.io.images import to_uint8

    return to_uint8(model.synthesize(1, seed))[0]


def painted(layers: Sequence[np.ndarray], picture: np.ndarray) -> np.ndarray:
    """The pixels of a picture [H, W, C] that strokes cover by half or more, bool [H, W, 1].

    Args:
        layers: uint8 [h, w, 4] each, in the shape of the picture at any size; the last is alpha.
        picture: that they were painted over.

    Raises:
        UserError: they cover nothing, or everything.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    hidden = np.zeros([height, width, 1], bool)
    for layer in layers:
        alpha = Image.fromarray(np.ascontiguousarray(layer[..., 3]))
        covered = alpha.resize([width, height], Image.Resampling.BOX)
        hidden |= np.asarray(covered)[..., np.newaxis] >= 128
    if not hidden.any() or hidden.all():
        found = "everything" if hidden.any() else "nothing"
        raise UserError("The strokes cover", found, "Paint over a part of the picture.")
    return hidden


def fillings(
    model: MultigridModel, picture: np.ndarray, hidden: np.ndarray, num: int, seed: int
) -> Iterator[np.ndarray]:
    """A picture with its hidden part filled, `num` times, as `mgconv inpaint` does.

    Args:
        model: of one class.
        picture: uint8 [H, W, C].
        hidden: bool [H, W, 1].
        num: of the fillings, `MOST_FILLINGS` at most.
        seed: of all of them.

    Raises:
        UserError: less than a pixel of the model's size is hidden, or all around it.
    """
    for index in range(min(num, MOST_FILLINGS)):
        yield inpaint_picture(model, picture, ~hidden, derived_seed(seed, index))


def walk(model: MultigridModel, num: int, seed: int) -> list[np.ndarray]:
    """Pictures of chains from colors through the grids, a Langevin step each, uint8 [H, W, 3]."""
    most = min(MOST_CHAINS, model.config.batch_size)
    return frames(model, min(num, most), seed)[0]


def shown(picture: np.ndarray) -> np.ndarray:
    """A picture [H, W, C] as a page shows it, uint8 [h, w, 3]; a small one in blocks."""
    factor = max(1, LEAST_SIDE // max(picture.shape[:2]))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.broadcast_to(large, [*large.shape[:2], 3])
