"""What classifiers with latent variables share: Gaussians, all classes at once, whitened pixels."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mgconv.baselines.semi_supervised import (
    NUM_SHOWN,
    AveragedStatistics,
    SemiSupervisedLearner,
)
from mgconv.config import Config
from mgconv.datasets.few_labels import VALIDATION
from mgconv.io.images import to_float

NUM_COMPONENTS = 200  # principal components of the pixels; ours, Kingma et al. 2014 have 600
NUM_FITTED = 10_000  # images at most that they are fitted to
LEAST_SHARE = 1e-6  # of the largest variance: below are rounding errors
WARM_UP = 1000  # updates over which the weight of KL terms rises to 1
LOG_VARIANCES = -6.0, 6.0  # bounds of a latent variable's
ALPHA = 0.1  # weight of cross entropy, times all images over those with labels; Kingma et al. 2014
FLOOR = 0.1  # of the variance of observed values, which have 1 in all: else it vanishes


class Gaussian(NamedTuple):
    """Independent Gaussians along the last axis."""

    mean: tf.Tensor
    log_variance: tf.Tensor

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """One value of each, with gradient to mean and variance."""
        noise = tf.random.stateless_normal(tf.shape(self.mean), seed)
        return self.mean + tf.exp(0.5 * self.log_variance) * noise

    def log_density(self, x: tf.Tensor) -> tf.Tensor:
        """Of vectors [..., D], in nats, [...]."""
        squares = tf.square(x - self.mean) * tf.exp(-self.log_variance)
        return -0.5 * tf.reduce_sum(squares + self.log_variance + np.log(2 * np.pi), axis=-1)

    def kl(self, other: "Gaussian | None" = None) -> tf.Tensor:
        """KL divergence of the vectors from another Gaussian, else from N(0, 1), [...]."""
        mean, log_variance = other or (0.0, 0.0)
        distance = tf.square(self.mean - mean) + tf.exp(self.log_variance)
        terms = distance * tf.exp(-log_variance) + log_variance - self.log_variance - 1
        return 0.5 * tf.reduce_sum(terms, axis=-1)


class Mlp(keras.layers.Layer):
    """Fully connected layers of vectors that stand beside one another.

    Args:
        inputs: length of all the vectors together.
        hidden: lengths of the hidden layers.
        outputs: length of the result.
        activation: of Keras.
        seed: of the weights.
        normalized: whether statistics of the batch normalize hidden layers.
    """

    def __init__(self, inputs, hidden, outputs, activation, seed, normalized=False):
        super().__init__()
        self.activate = keras.activations.get(activation)
        lengths = (inputs, *hidden, outputs)
        self.dense, self.norms = [], []
        for index, (before, after) in enumerate(itertools.pairwise(lengths)):
            initial = keras.initializers.GlorotUniform(seed=seed + index)
            dense = keras.layers.Dense(after, kernel_initializer=initial)
            dense.build((None, before))
            setattr(self, f"dense_{index}", dense)  # a Checkpoint sees no lists
            self.dense.append(dense)
        for index, length in enumerate(hidden if normalized else ()):
            norm = AveragedStatistics()
            norm.build((None, length))
            setattr(self, f"norm_{index}", norm)
            self.norms.append(norm)
        self.built = True

    def call(self, *parts, training=False):
        """Vectors [..., D] each -> [..., outputs]; in training averages of statistics move."""
        x, norms = beside(*parts), self.norms or [None] * len(self.dense)
        for dense, norm in zip(self.dense[:-1], norms):
            x = dense(x)
            x = self.activate(norm(x, training=training, moves=training) if norm else x)
        return self.dense[-1](x)

    def gaussian(self, *parts, training=False) -> Gaussian:
        """Of a latent variable: half of the outputs are its mean."""
        mean, log_variance = tf.split(self(*parts, training=training), 2, axis=-1)
        return Gaussian(mean, tf.clip_by_value(log_variance, *LOG_VARIANCES))

    def observed(self, *parts, training=False) -> Gaussian:
        """Of observed values: the same with a variance of FLOOR at least."""
        mean, raw = tf.split(self(*parts, training=training), 2, axis=-1)
        return Gaussian(mean, tf.math.log(FLOOR + tf.nn.softplus(raw)))


def beside(*parts: tf.Tensor) -> tf.Tensor:
    """Vectors joined; those of images, [B, D], are repeated where others are [B, K, D]."""
    rank = max(part.shape.rank for part in parts)
    parts = tuple(p if p.shape.rank == rank else p[:, tf.newaxis] for p in parts)
    lead = functools.reduce(tf.broadcast_static_shape, (part.shape[:-1] for part in parts))
    return tf.concat([tf.broadcast_to(p, [*lead, p.shape[-1]]) for p in parts], axis=-1)


def every_class(num_images: int, num_classes: int) -> tf.Tensor:
    """Each class beside each image, one-hot, [B, K, K]."""
    return tf.tile(tf.eye(num_classes)[tf.newaxis], [num_images, 1, 1])


def bound_over_classes(
    per_class: tf.Tensor, logits: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The negative bound of each image, with its class known or summed over exactly.

    Args:
        per_class: the negative bound of log p(x, y) for every y, [B, K].
        logits: of q(y | x), [B, K].
        labels: int [B], HIDDEN where unknown.

    Returns:
        sum_y q(y) per_class - H(q) where labels are hidden, the label's where not, [B]; and q(y)
        where hidden, one-hot where not, [B, K].
    """
    hidden = (labels < 0)[:, tf.newaxis]
    known = tf.one_hot(labels, logits.shape[-1])
    log_q = tf.where(hidden, tf.nn.log_softmax(logits), 0.0)
    q = tf.where(hidden, tf.exp(log_q), known)
    return tf.reduce_sum(q * (per_class + log_q), axis=-1), q


def class_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Entropy of the mean of q(y): log K where classes are as frequent, 0 where all are one."""
    mean = tf.reduce_mean(tf.nn.softmax(logits), axis=0)
    return -tf.reduce_sum(tf.math.xlogy(mean, mean))


def warm(update: tf.Tensor) -> tf.Tensor:
    """Weight of KL terms at an update."""
    return tf.minimum(1.0, tf.cast(update + 1, tf.float32) / WARM_UP)


class Whitening(keras.layers.Layer):
    """Principal components of pixels, each with variance 1.

    Args:
        num_values: pixels and channels of an image.
    """

    def __init__(self, num_values: int):
        super().__init__()
        self.length = min(NUM_COMPONENTS, num_values)
        still = {"initializer": "zeros", "trainable": False}
        self.mean = self.add_weight(name="mean", shape=[num_values], **still)
        self.into = self.add_weight(name="into", shape=[num_values, self.length], **still)
        self.back = self.add_weight(name="back", shape=[self.length, num_values], **still)
        self.built = True

    def fit(self, images: np.ndarray) -> None:
        """Finds them by uint8 images [N, S, S, C]; what they do not have stays 0."""
        from sklearn.decomposition import PCA

        flat = to_float(images).reshape(len(images), -1)
        num = min(self.length, len(flat) - 1)
        found = PCA(num, svd_solver="randomized", random_state=0).fit(flat)
        axes, variances = found.components_, found.explained_variance_[:, np.newaxis]
        spreads = np.sqrt(np.maximum(variances, LEAST_SHARE * variances[0]))
        padding = [(0, self.length - num), (0, 0)]
        self.mean.assign(found.mean_)
        self.into.assign(np.pad(axes / spreads, padding).T)
        self.back.assign(np.pad(axes * spreads, padding))

    def call(self, images):
        """[B, S, S, C] -> [B, D]."""
        flat = tf.reshape(images, [tf.shape(images)[0], self.mean.shape[0]])
        return (flat - self.mean) @ tf.convert_to_tensor(self.into)

    def images(self, x: tf.Tensor, shape: tuple) -> tf.Tensor:
        """Images [B, S, S, C] in [-1, 1] of components [B, D], what is not in them left out."""
        flat = x @ tf.convert_to_tensor(self.back) + self.mean
        return tf.clip_by_value(tf.reshape(flat, [-1, *shape]), -1.0, 1.0)


class LatentClassifier(keras.Model):
    """What nets of whitened pixels and classes begin with.

    Args:
        image_shape: (S, S, C).
        num_classes: K.
        alpha: weight of cross entropy.
    """

    def __init__(self, image_shape: tuple, num_classes: int, alpha: float):
        super().__init__(name="classifier")
        self.image_shape, self.num_classes, self.alpha = image_shape, num_classes, alpha
        self.whiten = Whitening(math.prod(image_shape))

    def classes_in_turn(self) -> tf.Tensor:
        """One-hot classes of the images that a preview shows, [NUM_SHOWN, K]."""
        return tf.one_hot(tf.range(NUM_SHOWN) % self.num_classes, self.num_classes)


def labeled_weight(config: Config, data: dict) -> float:
    """ALPHA, times all images over those whose labels are learned from."""
    return ALPHA * data["num_images"] / ((1 - VALIDATION) * config.labels)


def learner_of(
    make_net: Callable[[tuple, int, float, int], Any], config: Config, data: dict, start, rate
) -> SemiSupervisedLearner:
    """A learner of whitened pixels.

    Args:
        make_net: from the image's shape, number of classes, weight of cross entropy, seed.
        config: of the run.
        data: facts of the run's data.
        start: has the images that the whitening is fitted to; None: it is to be restored.
        rate: Adam's.
    """
    shape = (config.batch_size, config.size, config.size, data["channels"])
    num_classes = len(data.get("labels", [0]))
    net = make_net(shape[1:], num_classes, labeled_weight(config, data), config.seed)
    if start is not None:
        net.whiten.fit(start.images.some(NUM_FITTED))
    return SemiSupervisedLearner(net, config, shape, rate)
