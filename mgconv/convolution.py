"""Keras's convolution, as one matrix product where its window covers nearly the whole map."""

import keras
import numpy as np
import tensorflow as tf


class Convolution(keras.layers.Conv2D):
    """A "same" convolution of square maps: the same weights and the same values as Keras's.

    On a map that is hardly larger than the window, each output sees nearly every input. Spelled out
    as a matrix such a layer is some times faster than a convolution (all layers of the 4 x 4 grid).
    """

    def build(self, shape):
        super().build(shape)
        taps = axis_taps(shape[1], self.kernel_size[0], self.strides[0])
        filled = taps.any(axis=-1).mean() ** 2  # share of the matrix that is no zero
        self.taps = taps if filled > 0.5 else None

    def matrix(self) -> tf.Tensor | None:
        """[h w C, h' w' K] of the present weights; None where a convolution is faster."""
        if self.taps is None:
            return None
        side, side_out = self.taps.shape[:2]
        taps, kernel = (tf.cast(x, self.compute_dtype) for x in (self.taps, self.kernel))
        channels, filters = kernel.shape[2:]
        matrix = tf.einsum("ipa,jqb,abck->ijcpqk", taps, taps, kernel)
        return tf.reshape(matrix, [side**2 * channels, side_out**2 * filters])

    def call(self, x, matrix=None):
        """[B, h, w, C] -> [B, h', w', K]; a caller whose weights stand still gives the matrix."""
        if self.taps is None:
            return super().call(x)
        matrix = self.matrix() if matrix is None else matrix
        flat = tf.reshape(x, [-1, matrix.shape[0]]) @ matrix
        maps = tf.reshape(flat, [-1, *self.compute_output_shape(x.shape)[1:]])
        return tf.nn.bias_add(maps, tf.cast(self.bias, maps.dtype))


def axis_taps(side: int, kernel: int, stride: int) -> np.ndarray:
    """Along one axis, 1 where input i meets output p by tap a of a "same" window: [i, p, a]."""
    side_out = -(-side // stride)
    before = max(0, (side_out - 1) * stride + kernel - side) // 2  # the odd pixel comes after
    tap = np.arange(side)[:, None] - stride * np.arange(side_out) + before
    return np.float32(tap[..., None] == np.arange(kernel))
