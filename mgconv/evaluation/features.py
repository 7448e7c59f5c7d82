"""Learned maps as features of images (paper: experiment 2, Radford et al.'s procedure)."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mgconv.datasets.batches import in_batches
from mgconv.io.files import save_array
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics

Maps = Callable[[tf.Tensor], list[tf.Tensor]]  # [B, S, S, C] -> maps [B, h, w, K]
POOLED = 4  # side to which every map is pooled; Radford et al. 2015


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
    plain = layer.call

    def record(x):
        nonlocal total, squares, count
        axes = list(range(x.shape.rank - 1))
        total += tf.reduce_sum(tf.cast(x, tf.float64), axes)
        squares += tf.reduce_sum(tf.square(tf.cast(x, tf.float64)), axes)
        count += int(np.prod(x.shape[:-1]))
        return plain(x)

    layer.call = record
    try:
        for batch in _batches(images, 100):
            features(batch)
    finally:
        layer.call = plain
    if not count:
        return None
    mean = total / count
    return tf.cast(mean, tf.float32), tf.cast(squares / count - mean**2, tf.float32)


def _batches(images: np.ndarray, size: int) -> Iterator[tf.Tensor]:
    for first in range(0, len(images), size):
        yield tf.constant(to_float(images[first : first + size]))


def pooled(maps: list[tf.Tensor]) -> tf.Tensor:
    """All maps max-pooled to 4 x 4, flattened, concatenated, [B, D]; smaller maps as they are."""
    flat = []
    for x in maps:
        side = max(1, -(-x.shape[1] // POOLED))
        x = tf.nn.max_pool2d(x, side, side, "SAME")
        flat.append(tf.reshape(x, [x.shape[0], -1]))
    return tf.concat(flat, axis=1)


def extract(
    features: Maps, images: np.ndarray, about: str = "features", batch_size: int = 100
) -> np.ndarray:
    """Pooled features of any number of images in bounded memory, float32 [N, D].

    Args:
        features: frozen, so that an image's maps depend on it alone.
        images: uint8 [N, S, S, C], may be memory-mapped.
        about: what the progress bar says.
        batch_size: images at once.
    """

    @tf.function(autograph=False)
    def run(batch):
        return pooled(features(batch))

    size = min(batch_size, len(images))  # one shape, one trace

    def rows(batch):
        missing = size - len(batch)
        padded = np.pad(to_float(batch), [(0, missing), (0, 0), (0, 0), (0, 0)])
        return [run(tf.constant(padded)).numpy()[: len(batch)]]

    return in_batches(rows, images, about, size)[0]


def cached(make: Callable[[], np.ndarray], key: dict, folder: Path) -> np.ndarray:
    """What `make` gives, kept in `folder` under all that decides it, memory-mapped.

    Args:
        make: the features.
        key: JSON values: weights, data, procedure.
        folder: of the files.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    path = Path(folder) / f"features-{digest}.npy"
    if not path.exists():
        save_array(path, make())
    return np.load(path, mmap_mode="r", allow_pickle=False)
