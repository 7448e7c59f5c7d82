"""By which statistics the maps of a net are normalized."""

import keras
import tensorflow as tf

EPSILON = 1e-5  # author code 2018-01


class BatchStatistics(keras.layers.Layer):
    """Normalizes each channel by the mean and variance of the batch at hand, always.

    The authors' batch normalization runs in training mode everywhere, also inside the chain, and
    keeps no averages; Keras's layer would rewrite its averages at every Langevin step. For features
    `frozen` is set to a mean and a variance, [C] each: a map then depends on its own image alone.
    """

    frozen: tuple[tf.Tensor, tf.Tensor] | None = None

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")

    def observe(self, x):
        """Normalized maps of observed images, and the statistics of synthesized ones: their own."""
        return self(x), None

    def affine(self, statistics):
        """(scale, shift) of each channel, [C], for a mean and a variance."""
        mean, variance = statistics
        scale = tf.convert_to_tensor(self.gamma) * tf.math.rsqrt(variance + EPSILON)
        return scale, tf.convert_to_tensor(self.beta) - mean * scale

    def call(self, x):
        if self.frozen is not None:
            scale, shift = self.affine(self.frozen)
            return x * scale + shift
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]


class ObservedStatistics(BatchStatistics):
    """Normalizes synthesized images by the statistics of the observed ones.

    Departure: by statistics of their own, images of half the contrast look like observed ones to f.
    """

    def observe(self, x):
        x = tf.cast(x, tf.float32)
        statistics = tf.nn.moments(x, [0, 1, 2])
        scale, shift = self.affine(statistics)
        return x * scale + shift, statistics


class NoStatistics(keras.layers.Identity):
    """No normalization."""

    def observe(self, x):
        return x, None


NORMALIZATIONS = {"batch": BatchStatistics, "observed": ObservedStatistics, "none": NoStatistics}
