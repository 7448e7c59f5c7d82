"""Convolution and normalization of the networks."""

import contextlib
import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mgconv.errors import UserError

Maps = Callable[[tf.Tensor], tf.Tensor]  # [B, h, w, C] -> [B, h', w', K]

Fold = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # of a kernel and a bias


if keras.backend.backend() != "tensorflow":
    raise UserError(
        "Keras was imported with another backend than TensorFlow", keras.backend.backend(),
        "Import mgconv before keras, or set KERAS_BACKEND=tensorflow.",
    )  # fmt: skip


@contextlib.contextmanager
def standard_keras() -> Iterator[None]:
    """Keras's own defaults while networks are built; ~/.keras/keras.json may have others.

    A layer keeps what held when it was built. As a decorator it holds for a whole function.
    """
    config = keras.config
    before = config.floatx(), config.image_data_format(), config.epsilon(), config.dtype_policy()
    config.set_floatx("float32")
    config.set_image_data_format("channels_last")
    config.set_epsilon(1e-7)
    config.set_dtype_policy("float32")
    try:
        yield
    finally:
        floatx, image_data_format, epsilon, policy = before
        config.set_floatx(floatx)
        config.set_image_data_format(image_data_format)
        config.set_epsilon(epsilon)
        config.set_dtype_policy(policy)


SMALL = 2**16  # elements of a matrix that costs nothing


class Convolution(keras.layers.Conv2D):
    """A "same" convolution of square maps: the same weights and the same values as Keras's.

    On a map that is no larger than the window, each output sees nearly every input. Spelled out as
    a matrix such a layer is some times faster than a convolution (all layers of the 4 x 4 grid). To
    make the matrix costs as much as hundreds of images, so it has to save half of the products.
    """

    def build(self, shape):
        super().build(shape)
        taps = axis_taps(shape[1], self.kernel_size[0], self.strides[0])
        side, side_out, window = taps.shape
        is_filled = taps.any(axis=-1).mean() ** 2 > 0.5  # the others are zeros of the matrix
        is_small = (side * side_out) ** 2 * shape[-1] * self.filters <= SMALL
        saves_half = 2 * side**2 <= window**2  # side**2 products for an output, window**2 without
        self.taps = taps if is_filled and (is_small or saves_half) else None

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
                convolution(tf.cast(x, kernel.dtype), kernel, stride), bias
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


def convolution(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """tf.nn.conv2d(x, kernel, stride, "SAME"), with a fast gradient to images of few channels.

    The gradient to three channels is some times slower than its FLOPs. Here it is a convolution
    that makes stride**2 * C channels, the pixels of a block, at once.
    """
    side, channels = x.shape[1], x.shape[3]
    if channels > 4 or stride == 1 or side % stride or kernel.shape[0] < stride:
        return tf.nn.conv2d(x, kernel, stride, "SAME")

    @tf.custom_gradient
    def convolve(x, kernel):
        def gradient(dy):
            blocks = _kernel_of_blocks(kernel, stride)
            dx = tf.nn.depth_to_space(tf.nn.conv2d(dy, blocks, 1, "SAME"), stride)
            return dx, tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=kernel.shape, out_backprop=dy,
                strides=[1, stride, stride, 1], padding="SAME",
            )  # fmt: skip

        return tf.nn.conv2d(x, kernel, stride, "SAME"), gradient

    return convolve(x, kernel)


def _kernel_of_blocks(kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """What makes the gradient to blocks of pixels of that to a map: [t, t, K, stride^2 C]."""
    window, _, channels, filters = kernel.shape
    before = (window - stride) // 2  # of "same" padding
    reach = max(-(-before // stride), -(-(window - stride - before) // stride))  # in blocks
    taps = 2 * reach + 1
    pad = [stride * reach - before, stride * (reach + 1) + before - window]
    kernel = tf.pad(kernel, [pad, pad, [0, 0], [0, 0]])
    kernel = tf.reshape(kernel, [taps, stride, taps, stride, channels, filters])
    kernel = tf.reverse(tf.transpose(kernel, [0, 2, 5, 1, 3, 4]), [0, 1])
    return tf.reshape(kernel, [taps, taps, filters, stride**2 * channels])


def axis_taps(side: int, kernel: int, stride: int) -> np.ndarray:
    """Along one axis, 1 where input i meets output p by tap a of a "same" window: [i, p, a]."""
    side_out = -(-side // stride)
    before = max(0, (side_out - 1) * stride + kernel - side) // 2  # the odd pixel comes after
    tap = np.arange(side)[:, None] - stride * np.arange(side_out) + before
    return (tap[..., None] == np.arange(kernel)).astype(np.float32)


EPSILON = 1e-5  # author code 2018-01

GAIN = 1.7  # of normalized kernels: about what SiLU takes from the spread of its input


class NoNormalization(keras.layers.Layer):
    """None; what the others begin from."""

    sees_batch = False  # whether a map depends on other images of the batch

    def fold(self, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The kernel [h, w, C, K] and bias [K] with which a convolution runs."""
        return kernel, bias

    def call(self, x):
        """[B, h, w, K] -> the same, before the activation."""
        return x


class BatchStatistics(NoNormalization):
    """Normalizes each channel by the mean and variance of the current batch, always.

    The authors' batch normalization runs in training mode everywhere, also inside the chain, and
    keeps no averages; Keras's layer would rewrite its averages at every Langevin step. For features
    `frozen` is set to a mean and a variance, [C] each: a map then depends on its own image alone.
    """

    frozen: tuple[tf.Tensor, tf.Tensor] | None = None
    sees_batch = True

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")

    def call(self, x):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if self.frozen is None:
            return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]
        mean, variance = self.frozen
        scale = gamma * tf.math.rsqrt(variance + EPSILON)
        return x * scale + (beta - mean * scale)


class StandardizedKernels(NoNormalization):
    """Kernels of mean 0 and norm `GAIN`, without gains (weight standardization, Qiao et al. 2019).

    Departure: statistics of a batch hide from f that synthesized images lack contrast, and make a
    chain depend on its neighbors; this costs a chain nothing, and learns as fast at large rates.
    Learned gains let the scale of U run away; without them no convolution can become steeper.
    """

    def fold(self, kernel, bias):
        kernel -= tf.reduce_mean(kernel, [0, 1, 2])
        return tf.math.l2_normalize(kernel, [0, 1, 2]) * self.gain(), bias

    def gain(self) -> tf.Tensor | float:
        """Norm of each filter, [K], or of all."""
        return GAIN


class NormalizedKernels(StandardizedKernels):
    """The same with a learned gain a filter (scaled weight standardization, Brock et al. 2021)."""

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")

    def gain(self):
        """`GAIN` times what is learned."""
        return GAIN * tf.convert_to_tensor(self.gamma)


class SpectralKernels(NoNormalization):
    """Kernels over their largest singular value as [h w C, K] (Miyato et al. 2018).

    Departure: found exactly, not by a power iteration whose vector would be state of the net.
    """

    def fold(self, kernel, bias):
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        right = top_eigenvector(tf.matmul(matrix, matrix, transpose_a=True))
        return kernel / tf.norm(tf.linalg.matvec(matrix, right)), bias


class GroupStatistics(keras.layers.GroupNormalization):
    """Normalizes 32 groups of channels, or as many as divide them, of each image (Wu, He 2018)."""

    fold, sees_batch = NoNormalization.fold, False

    def __init__(self):
        super().__init__(epsilon=EPSILON)

    def build(self, shape):
        self.groups = math.gcd(self.groups, shape[-1])
        super().build(shape)


def top_eigenvector(symmetric: tf.Tensor) -> tf.Tensor:
    """That of the largest eigenvalue, [..., n, n] -> [..., n]; no gradient flows into it."""
    # eigh stops at what is not finite, which is for the guard to find
    finite = tf.where(tf.math.is_finite(symmetric), symmetric, 0.0)
    return tf.stop_gradient(tf.linalg.eigh(finite)[1][..., -1])


NORMALIZATIONS = {
    "batch": BatchStatistics, "standardized": StandardizedKernels, "kernels": NormalizedKernels,
    "spectral": SpectralKernels, "group": GroupStatistics, "none": NoNormalization,
}  # fmt: skip
