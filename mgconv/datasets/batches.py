"""Endless shuffled batches in [-1, 1]; any function of images batch by batch."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.io.images import to_float
from mgconv.masks import square


def batches(
    images: ImageSet,
    batch_size: int,
    seed: int,
    first_update: int,
    flip: bool = False,
    labels: list[int] | None = None,
    masked: bool = False,
):
    """Endless batches float32 [B, S, S, C] from update `first_update` on, as a tf.data.Dataset.

    Batch i is a function of (seed, i): a permutation of the images each epoch, the last partial
    batch left out. So a resumed run reads what the uninterrupted one would have read. With `labels`
    given, a batch is (images, places of their labels in that list, int64 [B]); `masked`, it is
    (images, visible), bool [B, S, S, 1]: a square of half the side is hidden at a random place.

    Raises:
        UserError: a batch is larger than the data.
    """
    import tensorflow as tf

    if len(images) < 2:
        raise UserError("Too few images to train on", len(images), "Give 2 or more.")
    if batch_size > len(images):
        remedy = f"Give at most --batch_size={len(images)}."
        raise UserError("A batch is larger than the data", f"{batch_size} > {len(images)}", remedy)
    per_epoch = len(images) // batch_size

    def batch(index):
        epoch, place = divmod(int(index), per_epoch)
        rows = np.sort(_permutation(len(images), seed, epoch)[place * batch_size :][:batch_size])
        pixels = images.pixels[rows]
        if flip:
            mirrored = np.random.default_rng([seed, epoch, 1]).random(len(images))[rows] < 0.5
            pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
        places = np.searchsorted(labels or [], images.labels[rows])
        visible = square(batch_size, size, (seed, int(index))) if masked else np.ones(1, bool)
        return to_float(pixels), places, visible

    size = images.pixels.shape[1]

    def load(index):
        kinds = (tf.float32, tf.int64, tf.bool)
        loaded, places, visible = tf.numpy_function(batch, [index], kinds)
        loaded = tf.ensure_shape(loaded, [batch_size, *images.pixels.shape[1:]])
        if masked:
            return loaded, tf.ensure_shape(visible, [batch_size, size, size, 1])
        return loaded if labels is None else (loaded, tf.ensure_shape(places, [batch_size]))

    indices = tf.data.Dataset.range(first_update, np.iinfo(np.int64).max)
    return indices.map(load).prefetch(2)


@functools.lru_cache(maxsize=4)
def _permutation(num_images: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(num_images)


Allocate = Callable[[tuple[int, int]], np.ndarray]  # shape -> float32


def in_memory(shape: tuple[int, int]) -> np.ndarray:
    """An array for rows that fit into memory."""
    return np.empty(shape, np.float32)


def in_batches(
    function: Callable[[np.ndarray], Sequence[np.ndarray]],
    images: np.ndarray,
    about: str,
    batch_size: int,
    allocate: Allocate = in_memory,
) -> list[np.ndarray]:
    """Rows that a function gives of any number of images, in bounded memory, with a progress bar.

    Args:
        function: of images [b, ...] to arrays [b, D], [b, K], ...; the last b may be smaller.
        images: [N, ...], in memory or memory-mapped.
        about: what the progress bar says.
        batch_size: images in memory at once.
        allocate: an array, in memory or mapped to a file, from its shape.

    Returns:
        Float32 arrays [N, D], [N, K], ...
    """
    from tqdm.auto import tqdm

    whole: list[np.ndarray] = []
    with tqdm(total=len(images), desc=about, unit=" images", disable=None) as bar:
        for start in range(0, len(images), batch_size):
            batch = np.asarray(images[start : start + batch_size])
            parts = function(batch)
            whole = whole or [allocate((len(images), x.shape[1])) for x in parts]
            for all_rows, rows in zip(whole, parts):
                all_rows[start : start + len(batch)] = rows
            bar.update(len(batch))
    return whole
