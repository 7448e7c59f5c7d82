"""Learned maps as features of images (paper: experiment 2, Radford et al.'s procedure)."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mgconv.datasets.batches import Allocate, in_batches, in_memory
from mgconv.io.files import replacing
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics

Maps = Callable[[tf.Tensor], list[tf.Tensor]]  # [B, S, S, C] -> maps [B, h, w, K]
Rows = Callable[[tf.Tensor], tf.Tensor]  # [B, S, S, C] -> features [B, D]
POOLED = 4  # side to which every map is pooled; Radford et al. 2015
NUM_FROZEN = 2000  # observed images that freeze the statistics


def freeze(features: Maps, layers: list[BatchStatistics], images: np.ndarray) -> None:
    """Sets the statistics of normalization layers to those of observed images, in order of depth.

    A layer's statistics are taken with all layers below it frozen, over all images at once, so
    that they do not depend on how the images are cut into batches.

    Args:
        features: calls the layers.
        layers: from the image up; one that is not called ends unfrozen.
        images: uint8 [N, S, S, C].
    """
    for layer in layers:
        layer.frozen = None
    for layer in layers:
        layer.frozen = _statistics(features, layer, images)


def _statistics(features, layer, images):
    total = squares = 0.0
    count = 0

    def look(x, _):
        nonlocal total, squares, count
        axes = list(range(x.shape.rank - 1))
        total += tf.reduce_sum(tf.cast(x, tf.float64), axes)
        squares += tf.reduce_sum(tf.square(tf.cast(x, tf.float64)), axes)
        count += int(np.prod(x.shape[:-1]))

    with watched(layer, look):
        for batch in in_tensors(images):
            features(batch)
    if not count:
        return None
    mean = total / count
    return tf.cast(mean, tf.float32), tf.cast(squares / count - mean**2, tf.float32)


@contextlib.contextmanager
def watched(layer, look: Callable[[tf.Tensor, tf.Tensor], None]) -> Iterator[None]:
    """Shows `look` the input and the output of every call of a layer."""
    plain = layer.call

    def call(x):
        y = plain(x)
        look(x, y)
        return y

    layer.call = call
    try:
        yield
    finally:
        layer.call = plain


def in_tensors(images: np.ndarray, size: int = 100) -> Iterator[tf.Tensor]:
    """Batches in [-1, 1] of uint8 [N, S, S, C]."""
    for first in range(0, len(images), size):
        yield tf.constant(to_float(images[first : first + size]))


def pooled(maps: list[tf.Tensor], pool: str = "max") -> tf.Tensor:
    """All maps pooled to 4 x 4, flattened, concatenated, [B, D]; smaller maps as they are.

    Args:
        maps: [B, h, w, K] each.
        pool: "max" or "mean" of each block.
    """
    take = tf.nn.max_pool2d if pool == "max" else tf.nn.avg_pool2d
    flat = []
    for x in maps:
        side = max(1, -(-x.shape[1] // POOLED))
        x = take(x, side, side, "SAME")
        flat.append(tf.reshape(x, [x.shape[0], -1]))
    return tf.concat(flat, axis=1)


def extract(
    rows: Rows,
    images: np.ndarray,
    about: str = "features",
    batch_size: int = 100,
    allocate: Allocate = in_memory,
) -> np.ndarray:
    """Features of any number of images in bounded memory, float32 [N, D].

    Args:
        rows: of frozen nets, so that an image's features depend on it alone.
        images: uint8 [N, S, S, C], may be memory-mapped.
        about: what the progress bar says.
        batch_size: images at once.
        allocate: where the features go, from their shape.
    """
    run = tf.function(rows, autograph=False)
    size = min(batch_size, len(images))  # one shape, one trace

    def padded(batch):
        missing = size - len(batch)
        whole = np.pad(to_float(batch), [(0, missing), (0, 0), (0, 0), (0, 0)])
        return [run(tf.constant(whole)).numpy()[: len(batch)]]

    return in_batches(padded, images, about, size, allocate)[0]


def cached(rows: Callable[[], Rows], images: np.ndarray, key: dict, folder: Path) -> np.ndarray:
    """Features of images, kept in `folder` under all that decides them, memory-mapped.

    Args:
        rows: makes what `extract` takes; called only where they are not there.
        images: uint8 [N, S, S, C].
        key: JSON values: weights, data, procedure.
        folder: of the files.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    path = Path(folder) / f"features-{digest}.npy"
    if not path.exists():
        extract_to(path, rows(), images)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def extract_to(path: Path, rows: Rows, images: np.ndarray) -> None:
    """The features of images as a .npy, written whole or not at all; memory is bounded."""
    with replacing(path) as draft:
        mapped = functools.partial(np.lib.format.open_memmap, draft, "w+", np.float32)
        extract(rows, images, allocate=mapped)
