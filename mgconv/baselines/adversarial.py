"""What learners of two nets against each other share: their sizes and cross entropy."""

import math

import tensorflow as tf

from mgconv.errors import UserError


def stage_filters(what: str, size: int, first: int, width: float) -> list[int]:
    """Filters of the strided layers from `size` down to 4 x 4, doubled at each.

    Args:
        what: what cannot be done at another size; begins the error.
        size: pixels a side.
        first: of the finest layer, before `width`.
        width: factor of all filters.

    Raises:
        UserError: `size` is not 4 times a power of 2, from 8 up.
    """
    if size < 8 or not math.log2(size / 4).is_integer():
        raise UserError(what, f"{size} pixels", "Give 8, 16, 32, ...")
    return [max(1, round(width * first * 2**index)) for index in range(int(math.log2(size / 4)))]


def cross_entropy(logits: tf.Tensor, target: float) -> tf.Tensor:
    """Mean over a batch of logits, [B], that should say `target`."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(logits.shape, target), logits)
    return tf.reduce_mean(losses)
