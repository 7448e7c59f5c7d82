"""Deep directed generative models (Kim, Bengio 2016): an energy, and a generator of its samples.

E(x) = |x|^2 / sigma^2 - b.x - sum_i softplus(w_i . phi(x) + b_i), phi of convolutions without
normalization. It falls at observed images and rises at generated ones; the generator descends
E(G(z)) - H, where H is the entropy of its normalized layers.

Departure: nets have DCGAN's convolutions, sigma is fixed, and the squares of energies have a small
penalty, so that they do not run away.
"""

import math

import keras
import tensorflow as tf

from mgconv.baselines.gan_nets import critic

NUM_EXPERTS = 128  # Kim, Bengio 2016
SIGMA = 1.0  # of the energy's first term, on [-1, 1]; ours
ENTROPY = 0.05  # weight of H; ours, between 0.01 and 0.1
PENALTY = 1e-4  # weight of the squares of energies; ours


class Experts(keras.layers.Layer):
    """-E of images and their features phi, [B, S, S, C] and [B, D] -> [B, 1]."""

    def __init__(self, initializer: keras.initializers.Initializer):
        super().__init__()
        self.experts = keras.layers.Dense(NUM_EXPERTS, kernel_initializer=initializer)

    def build(self, images_shape, features_shape):
        """Weights w_i, b_i, and b."""
        self.experts.build(features_shape)
        self.linear = self.add_weight(name="linear", shape=images_shape[1:], initializer="zeros")

    def call(self, images, features):
        """The value that rises where the energy falls."""
        prior = tf.reduce_sum(self.linear * images - tf.square(images) / SIGMA**2, [1, 2, 3])
        opinions = tf.reduce_sum(tf.nn.softplus(self.experts(features)), axis=1)
        return (prior + opinions)[:, tf.newaxis]


def energy(size: int, channels: int, filters: list[int], make_norm, seed: int) -> keras.Model:
    """A model of every layer's map, and -E, [B, 1]."""

    def read(images, features, initial):
        return Experts(initial)(images, features)

    return critic(size, channels, filters, make_norm, seed, read)


def entropy(generator: keras.Model) -> tf.Tensor:
    """Sum over its normalized maps of log(2 pi e gamma^2) / 2, in nats."""
    norms = [x for x in generator.layers if isinstance(x, keras.layers.BatchNormalization)]
    gammas = tf.concat([tf.convert_to_tensor(norm.gamma) for norm in norms], axis=0)
    return tf.reduce_sum(0.5 * tf.math.log(2 * math.pi * math.e * tf.square(gammas) + 1e-12))
