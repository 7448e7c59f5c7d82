"""What classifiers that learn from few labels and many images share: learner, trained model."""

from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from mgconv.baselines.nets import NetsLearner
from mgconv.config import Config
from mgconv.errors import UserError
from mgconv.langevin import fold_in
from mgconv.layers import EPSILON, BatchStatistics

FALLS_FROM = 0.6  # share of the updates after which the rate falls to 0 in equal steps; ours
NUM_SHOWN = 16  # images of a preview
AVERAGE = 0.95  # decay of the averages of statistics; ours: runs of a few hundred updates

Scalars = dict[str, tf.Tensor]


class PartlyLabeledNet(Protocol):
    """A classifier and what it learns from images without labels; a keras.Model."""

    def logits(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Of each class, [B, K]: as in training with a seed, else of each image by itself."""

    def losses(
        self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, update: tf.Tensor
    ) -> tuple[Scalars, Scalars]:
        """Losses of a batch, whose sum it descends, and other scalars for the log.

        The first images have labels; those of the others are HIDDEN.
        """

    def shown(self, images: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images for a person to look at."""


class SemiSupervisedLearner(NetsLearner):
    """Descends the losses of one net by Adam; a Learner.

    Args:
        net: a PartlyLabeledNet.
        config: of the run.
        shape: (B, S, S, C) of a batch.
        rate: Adam's; falls to 0 at the end of the budget.
    """

    def __init__(self, net: Any, config: Config, shape: tuple, rate: float):
        falling = FallingRate(rate)
        super().__init__((net,), lambda: keras.optimizers.Adam(falling), config.seed)
        self.rate, self.budget = falling.rate, falling.budget
        self.net, self.shape, self._unlabeled = net, shape, config.unlabeled
        self.last = tf.Variable(tf.zeros([min(NUM_SHOWN, shape[0]), *shape[1:]]))

    @property
    def rates(self) -> list:
        """The variable that its schedule begins from."""
        return [self.rate]

    def plan(self, num_updates: int) -> None:
        """Makes the rate reach 0 after so many updates.

        Raises:
            UserError: it has begun to fall towards the end of another budget.
        """
        planned, done = float(self.budget), int(self.update_count)
        if planned not in (0, num_updates) and done > FALLS_FROM * planned:
            found = f"{planned:.0f} updates, {num_updates} are asked for"
            remedy = "Choose another --out."
            raise UserError("The learning rate has fallen with a budget of", found, remedy)
        self.budget.assign(num_updates)

    @tf.function(autograph=False)
    def train_step(self, images: tf.Tensor, labels: tf.Tensor) -> Scalars:
        """One update of all weights."""
        seed = fold_in(self.seed, self.update_count)
        with tf.GradientTape() as tape:
            if self._unlabeled:
                losses, watched = self.net.losses(images, labels, seed, self.update_count)
            else:
                logits = self.net.logits(images, seed)
                losses, watched = {"cross_entropy": cross_entropy(logits, labels)}, {}
            loss = tf.add_n(list(losses.values()))
        self._apply(self.net, tape, loss)
        self.last.assign(tf.concat([images, self.last], axis=0)[: self.last.shape[0]])
        self.update_count.assign_add(1)
        size = self.shape[1]
        return {f"{name}/{size}": value for name, value in (losses | watched).items()}

    @tf.function(autograph=False)
    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Of each class, [B, K]."""
        return tf.nn.softmax(self.net.logits(images))

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The last images and what the net makes of them."""
        size, shown = self.shape[1], {"observed": self.last.read_value()}
        shown |= self.net.shown(self.last, seed)
        return {f"{name}/{size}": images for name, images in shown.items()}


class FallingRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that falls to 0 over the last part of a budget of updates; 0 is one not known yet."""

    def __init__(self, rate: float):
        self.rate = tf.Variable(rate, trainable=False)
        self.budget = tf.Variable(0.0, trainable=False)

    def __call__(self, step):
        done = tf.math.divide_no_nan(tf.cast(step, tf.float32), self.budget)
        return self.rate * tf.clip_by_value((1 - done) / (1 - FALLS_FROM), 0.0, 1.0)


class AveragedStatistics(BatchStatistics):
    """Batch normalization of the last axis, that is told whether its averages move."""

    def build(self, shape):
        super().build(shape)
        still = {"shape": shape[-1:], "trainable": False}
        self.mean = self.add_weight(name="mean", initializer="zeros", **still)
        self.variance = self.add_weight(name="variance", initializer="ones", **still)

    def call(self, x, training=False, moves=False):
        """Normalized by the batch's statistics in training, else by their averages."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if not training:
            mean, variance = (tf.convert_to_tensor(v) for v in (self.mean, self.variance))
            return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)
        maps = x if x.shape.rank == 4 else tf.reshape(x, [-1, 1, 1, x.shape[-1]])
        maps, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            maps, gamma, beta, epsilon=EPSILON
        )
        if moves:
            for average, value in ((self.mean, mean), (self.variance, variance)):
                average.assign(AVERAGE * average + (1 - AVERAGE) * tf.stop_gradient(value))
        return tf.reshape(maps, tf.shape(x))


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean over the images whose labels are known, of [B, K] and [B]."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    known = tf.cast(labels >= 0, tf.float32)
    return tf.reduce_sum(known * losses) / tf.reduce_sum(known)


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """Of each image's classes, in nats, [B]."""
    return -tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=1)


class ClassifierModel:
    """A trained classifier.

    Args:
        learner: with its weights.
        config: of the run.
        data: facts of the run's data; `labels` are its classes.
    """

    is_random = False

    def __init__(self, learner: SemiSupervisedLearner, config: Config, data: dict):
        self.learner, self.config, self.class_names = learner, config, data["class_names"]
        self.labels = list(data["labels"])

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of its classes, float32 [N, K], of images [N, S, S, C] in [-1, 1]."""
        size, parts = self.learner.shape[0], [np.empty([0, len(self.labels)], np.float32)]
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            padded = np.resize(batch, [size, *batch.shape[1:]])
            parts.append(self.learner.probabilities(tf.constant(padded)).numpy()[: len(batch)])
        return np.concatenate(parts)
