"""Keras's convolution, as one matrix product where its window covers nearly the whole map."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

Maps = Callable[[tf.Tensor], tf.Tensor]  # [B, h, w, C] -> [B, h', w', K]
Fold = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # of a kernel and a bias


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

    def fixed(self, fold: Fold = lambda kernel, bias: (kernel, bias)) -> Maps:
        """The layer with the weights as they stand, for a caller that runs it often.

        Args:
            fold: what becomes of kernel and bias first, once and not at every run.
        """
        weights = fold(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))
        kernel, bias = (tf.cast(weight, self.compute_dtype) for weight in weights)
        if self.taps is None:
            stride = self.strides[0]
            return lambda x: tf.nn.bias_add(
                tf.nn.conv2d(tf.cast(x, kernel.dtype), kernel, stride, "SAME"), bias
            )
        side, side_out = self.taps.shape[:2]
        channels, filters = kernel.shape[2:]
        taps = tf.cast(self.taps, kernel.dtype)
        matrix = tf.einsum("ipa,jqb,abck->ijcpqk", taps, taps, kernel)
        matrix = tf.reshape(matrix, [side**2 * channels, side_out**2 * filters])

        def product(x):
            flat = tf.reshape(tf.cast(x, kernel.dtype), [-1, matrix.shape[0]]) @ matrix
            return tf.nn.bias_add(tf.reshape(flat, [-1, side_out, side_out, filters]), bias)

        return product

    def call(self, x):
        """[B, h, w, C] -> [B, h', w', K]."""
        return self.fixed()(x)


def axis_taps(side: int, kernel: int, stride: int) -> np.ndarray:
    """Along one axis, 1 where input i meets output p by tap a of a "same" window: [i, p, a]."""
    side_out = -(-side // stride)
    before = max(0, (side_out - 1) * stride + kernel - side) // 2  # the odd pixel comes after
    tap = np.arange(side)[:, None] - stride * np.arange(side_out) + before
    return np.float32(tap[..., None] == np.arange(kernel))
