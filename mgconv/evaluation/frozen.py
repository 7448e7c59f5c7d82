"""Statistics of normalization layers, frozen on observed images before features are read."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from mgconv.datasets.table import load_split
from mgconv.io.images import to_float
from mgconv.layers import EPSILON, BatchStatistics
from mgconv.models import FeatureExtractor

NUM_FROZEN = 2000  # observed images that freeze the statistics


def freeze(features: Callable, layers: list[BatchStatistics], images: np.ndarray) -> None:
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


def freeze_by_own_images(
    model: FeatureExtractor, data_dir: str | None = None, cache_dir: str | None = None
) -> None:
    """Sets the statistics of a model that has some to those of its own training images.

    Args:
        model: as it was loaded.
        data_dir: where its data lie now; None: where they were.
        cache_dir: the same of decoded images.
    """
    if model.norms:
        given, own = {"data_dir": data_dir, "cache_dir": cache_dir}, model.config
        moved: dict[str, Any] = {name: place for name, place in given.items() if place}
        images = load_split(dataclasses.replace(own, **moved))
        freeze(model.grid_features, model.norms, images.some(NUM_FROZEN))


def standardize_inputs(features: Callable, activations: list, images: np.ndarray) -> None:
    """Every activation gets inputs of mean 0 and variance 1 a channel, from now on.

    A net without batch statistics can come to use the linear part of its activations alone. As for
    `freeze` the statistics of a layer are taken with all layers below it standardized.

    Args:
        features: calls the activations.
        activations: Keras layers, from the image up.
        images: uint8 [N, S, S, C], observed.
    """
    for activation in activations:
        mean, variance = _statistics(features, activation, images)
        activation.call = functools.partial(_standardized, activation.call, mean, variance)


def _standardized(plain, mean, variance, x):
    return plain((x - mean) * tf.math.rsqrt(variance + EPSILON))


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
