"""Context Encoder (Pathak et al. 2016): an encoder-decoder that fills hidden pixels.

Reconstruction of the hidden pixels, and an adversary on the whole image. Departure: trained on
squares at random places, so that it can be asked about any mask; a plane beside the image tells the
net which pixels are hidden, and hidden inputs hold the mean color of the visible ones.
"""

import keras
import numpy as np
import tensorflow as tf

from mgconv.baselines.adversarial import cross_entropy, stage_filters
from mgconv.baselines.gan_nets import critic, initializers
from mgconv.baselines.nets import NetsLearner
from mgconv.config import Config
from mgconv.grids import masked_downsample
from mgconv.layers import EPSILON, BatchStatistics

FILTERS = 64  # Pathak et al.'s code
RECONSTRUCTION, ADVERSARY = 0.999, 0.001  # weights of the losses, Pathak et al. 2016


class ContextEncoderLearner(NetsLearner):
    """Encoder-decoder and adversary, trained in turn; a Learner.

    Args:
        shape: (B, S, S, C) of a batch.
        width: factor of all filters.
        seed: of the weights.

    Raises:
        UserError: S is not 4 times a power of 2, from 8 up.
    """

    def __init__(self, shape: tuple, width: float, seed: int):
        _, size, _, channels = shape
        filters = stage_filters("A Context Encoder cannot fill", size, FILTERS, width)
        filler = _filler(size, channels, filters, seed)
        adversary = critic(size, channels, filters, BatchStatistics, seed + 1)
        # Pathak et al.'s code; the adversary's rate is the filler's
        super().__init__(
            (filler, adversary),
            lambda: keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8),
            seed,
        )
        self.filler, self.critic = filler, adversary
        self.shape = shape
        self.shown = tf.Variable(tf.zeros(shape))  # the last batch, for previews
        self.shown_visible = tf.Variable(tf.zeros([*shape[:3], 1], tf.bool))

    @tf.function(autograph=False)
    def train_step(self, images: tf.Tensor, visible: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update of the adversary, one of the filler."""
        hidden = tf.cast(~visible, tf.float32)
        with tf.GradientTape() as tape:
            filled = self._fill(images, visible, training=True)  # once: it moves running averages
            critic_loss = self._update_critic(images, tf.stop_gradient(filled))
            squares = tf.reduce_sum(tf.square(filled - images) * hidden)
            error = squares / (tf.reduce_sum(hidden) * self.shape[-1])
            loss = RECONSTRUCTION * error
            loss += ADVERSARY * cross_entropy(self._criticize(filled), 1.0)
        self._apply(self.filler, tape, loss)
        self.shown.assign(images)
        self.shown_visible.assign(visible)
        self.update_count.assign_add(1)
        size = self.shape[1]
        return {f"critic_loss/{size}": critic_loss, f"squared_error/{size}": error}

    def _update_critic(self, images, filled):
        with tf.GradientTape() as tape:
            on_real, on_filled = self._criticize(images), self._criticize(filled)
            loss = cross_entropy(on_real, 1.0) + cross_entropy(on_filled, 0.0)
        self._apply(self.critic, tape, loss)
        return loss

    def _criticize(self, images):
        return self.critic(images)[-1][:, 0]

    def _fill(self, images, visible, training):
        means, _ = masked_downsample(images, visible, 1)
        known = tf.where(visible, images, means)
        plane = tf.cast(visible, tf.float32)
        made = self.filler(tf.concat([known, plane], axis=-1), training=training)
        return tf.where(visible, images, made)

    @tf.function(autograph=False)
    def fill(self, images: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        """Images [B, S, S, C] with their hidden pixels filled, each by itself."""
        return self._fill(images, visible, training=False)

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The last batch, filled, for a person to look at."""
        return {f"filled/{self.shape[1]}": self.fill(self.shown, self.shown_visible)}


def _filler(size, channels, filters, seed):
    """Strided convolutions down to 4 x 4, a bottleneck, transposed ones up again."""
    layers, initial = keras.layers, initializers(seed)
    x = inputs = keras.Input([size, size, channels + 1])
    for index, number in enumerate(filters):
        x = layers.Conv2D(number, 4, 2, "same", kernel_initializer=next(initial))(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)(x) if index else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(2 * filters[-1], 4, kernel_initializer=next(initial))(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2DTranspose(filters[-1], 4, kernel_initializer=next(initial))(x)
    for number in (*filters[-2::-1], channels):
        x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)(x)
        x = layers.Activation("relu")(x)
        x = layers.Conv2DTranspose(number, 4, 2, "same", kernel_initializer=next(initial))(x)
    return keras.Model(inputs, layers.Activation("tanh")(x), name="filler")


def make(config: Config, data: dict, *_) -> ContextEncoderLearner:
    """The learner of a run, unlearned."""
    shape = (config.batch_size, config.size, config.size, data["channels"])
    return ContextEncoderLearner(shape, config.width, config.seed)


class ContextEncoderModel:
    """A trained Context Encoder: it fills, and does nothing else.

    Args:
        learner: with its weights.
        config: of the run.
        data: facts of the run's data.
    """

    is_random, labels = False, ()

    def __init__(self, learner: ContextEncoderLearner, config: Config, data: dict):
        self.learner, self.config, self.class_names = learner, config, data["class_names"]

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
        """As Model.inpaint; it has no randomness, so the seed has no influence."""
        size, filled = self.learner.shape[0], np.empty_like(masked)
        for first in range(0, len(masked), size):
            batch = [x[first : first + size] for x in (masked, visible)]
            padded = [np.resize(x, [size, *x.shape[1:]]) for x in batch]
            ends = self.learner.fill(*map(tf.constant, padded)).numpy()
            filled[first : first + size] = ends[: len(batch[0])]
        return filled
