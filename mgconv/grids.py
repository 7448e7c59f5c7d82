"""Down- and up-scaling between grids (paper: multi-grid sampling): block means, replication."""

import tensorflow as tf


def _blocks(images: tf.Tensor, size: int) -> tf.Tensor:
    """[B, S, S, C] as [B, size, k, size, k, C], k = S / size."""
    factor = images.shape[1] // size
    return tf.reshape(images, [-1, size, factor, size, factor, images.shape[3]])


def downsample(images: tf.Tensor, size: int) -> tf.Tensor:
    """Block means: [B, S, S, C] -> [B, size, size, C]; `size` divides S."""
    if size == images.shape[1]:
        return images
    return tf.reduce_mean(_blocks(images, size), axis=[2, 4])


def upsample(images: tf.Tensor, size: int) -> tf.Tensor:
    """Each pixel replicated into a block: [B, s, s, C] -> [B, size, size, C]; s divides `size`."""
    factor = size // images.shape[1]
    return tf.repeat(tf.repeat(images, factor, axis=1), factor, axis=2)


def masked_downsample(images: tf.Tensor, visible: tf.Tensor, size: int) -> tuple[tf.Tensor, ...]:
    """Means of the visible pixels of each block.

    Args:
        images: [B, S, S, C]; what stands at hidden pixels has no influence.
        visible: bool [B, S, S, 1], True where a pixel is known.
        size: pixels a side of the result; divides S.

    Returns:
        means: [B, size, size, C], 0 where a whole block is hidden.
        share: [B, size, size, 1], the visible share of each block, exactly 1 for a whole one.
    """
    known = tf.where(visible, images, 0.0)
    total = tf.reduce_sum(_blocks(known, size), axis=[2, 4])
    count = tf.reduce_sum(_blocks(tf.cast(visible, tf.float32), size), axis=[2, 4])
    return tf.math.divide_no_nan(total, count), count / (images.shape[1] // size) ** 2
