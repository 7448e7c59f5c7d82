"""Adversarial baselines of tables 1 and 2: DCGAN, two kinds of WGAN, and DDGM's energy (ddgm.py).

A generator makes images of latent vectors; a critic tells them from observed ones. The number of
filters is the publication's, times `width` as in our nets.

Departure: where a model a class is asked for, one conditional net is trained, which gets the
class one-hot beside the latent vector and as planes beside the image; none was conditional as
published. An update is one of the critic. WGAN's extra critic updates at the start, 100 for each of
the generator's first 25, are left out: minutes would hold nothing else. All have 100 latent values
and initial weights from N(0, 0.02); Gulrajani et al. have 128 and He's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mgconv.baselines import ddgm
from mgconv.baselines.adversarial import cross_entropy, stage_filters
from mgconv.baselines.gan_nets import critic, generator, layer_norm
from mgconv.baselines.nets import NetsLearner
from mgconv.config import Config
from mgconv.datasets.image_set import Labels, asked_labels
from mgconv.errors import UserError
from mgconv.langevin import fold_in
from mgconv.layers import BatchStatistics

LATENT = 100  # Radford et al. 2015


@dataclass(frozen=True)
class GanSpec:
    """How one kind of GAN is trained."""

    make_optimizer: Callable[[], keras.optimizers.Optimizer]
    filters: int = 64  # of the critic's first layer, doubled at each coarser one
    uniform: bool = False  # latent values on [-1, 1]; or standard normal
    wasserstein: bool = True  # or cross entropy
    critic_updates: int = 1  # for one of the generator
    clip: float | None = None  # bound of the critic's weights
    penalty: float | None = None  # factor of the critic's gradient penalty
    make_critic: Callable[..., keras.Model] = critic
    make_norm: Callable[[], keras.layers.Layer] = BatchStatistics  # of the critic
    value_penalty: float | None = None  # factor of the squares of the critic's values
    entropy: float | None = None  # weight of the generator's entropy


GANS = {
    "dcgan": GanSpec(  # Radford et al. 2015 and their code
        lambda: keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8), filters=128, uniform=True,
        wasserstein=False,
    ),
    "wgan": GanSpec(  # Arjovsky et al. 2017, algorithm 1, and their code's RMSprop, which adds
        # 1e-8 to the root; Keras's adds inside it
        lambda: keras.optimizers.RMSprop(5e-5, rho=0.99, epsilon=1e-16), critic_updates=5, clip=0.01
    ),
    "wgan_gp": GanSpec(  # Gulrajani et al. 2017, algorithm 1
        lambda: keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9, epsilon=1e-8),
        critic_updates=5, penalty=10.0, make_norm=layer_norm,
    ),
    "ddgm": GanSpec(  # Kim, Bengio 2016; optimizer and filters are DCGAN's
        lambda: keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8), filters=128,
        make_critic=ddgm.energy, make_norm=keras.layers.Identity,
        value_penalty=ddgm.PENALTY, entropy=ddgm.ENTROPY,
    ),
}  # fmt: skip


class GanLearner(NetsLearner):
    """A generator and a critic, trained in turn; a Learner as `loop.train` takes it.

    Args:
        spec: a row of GANS.
        shape: (B, S, S, C) of a batch.
        num_classes: above 1, both nets get the class, and batches are (images, labels).
        width: factor of all filters.
        seed: of weights and latent vectors.

    Raises:
        UserError: S is not 4 times a power of 2, from 8 up.
    """

    def __init__(self, spec: GanSpec, shape: tuple, num_classes: int, width: float, seed: int):
        _, size, _, channels = shape
        filters = stage_filters("A GAN cannot make images of", size, spec.filters, width)
        planes = num_classes if num_classes > 1 else 0
        maker = generator(LATENT + planes, filters, channels, seed)
        critic_net = spec.make_critic(size, channels + planes, filters, spec.make_norm, seed + 1)
        super().__init__((maker, critic_net), spec.make_optimizer, seed)
        self.generator, self.critic = maker, critic_net
        self.spec, self.shape = spec, shape
        self.num_classes, self.num_planes = num_classes, planes
        self.generator_loss = tf.Variable(0.0)  # of its last turn

    @tf.function(autograph=False)
    def train_step(self, images, labels=None) -> dict[str, tf.Tensor]:
        """One update of the critic and, every `critic_updates`, one of the generator."""
        seed = fold_in(self.seed, self.update_count)
        critic_loss = self._update_critic(images, labels, fold_in(seed, 0))
        self.update_count.assign_add(1)
        tf.cond(
            self.update_count % self.spec.critic_updates == 0,
            lambda: self._update_generator(labels, fold_in(seed, 1)),
            lambda: self.generator_loss.value(),
        )
        size = self.shape[1]
        return {
            f"critic_loss/{size}": critic_loss,
            f"generator_loss/{size}": self.generator_loss.value(),
        }

    def _update_critic(self, images, labels, seed):
        made = self.generate(self._latent(seed, labels), training=True)
        with tf.GradientTape() as tape:
            on_real, on_fake = self.criticize(images, labels), self.criticize(made, labels)
            if self.spec.wasserstein:
                loss = tf.reduce_mean(on_fake) - tf.reduce_mean(on_real)
            else:
                loss = cross_entropy(on_real, 1.0) + cross_entropy(on_fake, 0.0)
            if self.spec.penalty:
                loss += self.spec.penalty * self._steepness(images, made, labels, fold_in(seed, 2))
            if self.spec.value_penalty:
                squares = tf.reduce_mean(tf.square(on_real) + tf.square(on_fake))
                loss += self.spec.value_penalty * squares
        self._apply(self.critic, tape, loss)
        if self.spec.clip:
            for weight in self.critic.trainable_variables:
                weight.assign(tf.clip_by_value(weight, -self.spec.clip, self.spec.clip))
        return loss

    def _update_generator(self, labels, seed):
        latent = self._latent(seed, labels)
        with tf.GradientTape() as tape:
            on_fake = self.criticize(self.generate(latent, training=True), labels)
            if self.spec.wasserstein:
                loss = -tf.reduce_mean(on_fake)
            else:
                loss = cross_entropy(on_fake, 1.0)
            if self.spec.entropy:
                loss -= self.spec.entropy * ddgm.entropy(self.generator)
        self._apply(self.generator, tape, loss)
        return self.generator_loss.assign(loss)

    def _steepness(self, images, made, labels, seed):
        """Mean squared deviation of the critic's gradient norm from 1, between real and fake."""
        share = tf.random.stateless_uniform([self.shape[0], 1, 1, 1], seed)
        between = share * images + (1 - share) * made
        with tf.GradientTape() as tape:
            tape.watch(between)
            total = tf.reduce_sum(self.criticize(between, labels))
        squares = tf.reduce_sum(tf.square(tape.gradient(total, between)), axis=[1, 2, 3])
        return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1))

    def _latent(self, seed, labels):
        """Latent vectors with their classes, [B, LATENT + planes]."""
        if self.spec.uniform:
            latent = tf.random.stateless_uniform([self.shape[0], LATENT], seed, -1.0, 1.0)
        else:
            latent = tf.random.stateless_normal([self.shape[0], LATENT], seed)
        if not self.num_planes:
            return latent
        return tf.concat([latent, tf.one_hot(labels, self.num_planes)], axis=1)

    def generate(self, latent: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Images [B, S, S, C]; outside of training with running averages, each by itself."""
        return self.generator(latent, training=training)

    def criticize(self, images: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """The critic's value of each image, [B]: a logit, or a Wasserstein potential."""
        return self.critic(self._with_planes(images, labels))[-1][:, 0]

    def _with_planes(self, images, labels):
        """Images with their class as constant planes."""
        if not self.num_planes:
            return images
        planes = tf.one_hot(labels, self.num_planes)[:, tf.newaxis, tf.newaxis]
        planes = tf.broadcast_to(planes, [*images.shape[:3], self.num_planes])
        return tf.concat([images, planes], axis=-1)

    @tf.function(autograph=False)
    def sample(self, labels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Images [B, S, S, C] of these classes, [B]."""
        return self.generate(self._latent(seed, labels))

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Samples for a person to look at, class by class in turn."""
        labels = tf.range(self.shape[0], dtype=tf.int64) % self.num_classes
        return {f"synthesized/{self.shape[1]}": self.sample(labels, seed)}


def make(config: Config, data: dict, *_) -> GanLearner:
    """The learner of a run, unlearned."""
    shape = (config.batch_size, config.size, config.size, data["channels"])
    num_classes = len(data.get("labels", [0]))
    return GanLearner(GANS[config.method], shape, num_classes, config.width, config.seed)


class GanModel:
    """A trained GAN.

    Args:
        learner: with its weights.
        config: of the run.
        data: facts of the run's data; `labels` are the classes of a conditional one.
    """

    is_random = True

    def __init__(self, learner: GanLearner, config: Config, data: dict):
        self.learner, self.config, self.class_names = learner, config, data["class_names"]
        self.labels = list(data.get("labels", ()))

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C] in [-1, 1]: a label each, or a number of images.

        Raises:
            UserError: a class that it was not trained on.
        """
        labels, size = asked_labels(labels, self.labels), self.learner.shape[0]
        images = np.empty([len(labels), *self.learner.shape[1:]], np.float32)
        planes = np.searchsorted(self.labels or [0], labels)
        for index, first in enumerate(range(0, len(labels), size)):
            padded = np.resize(planes[first : first + size], size)
            made = self.learner.sample(tf.constant(padded), fold_in([seed, 1], index))
            images[first : first + size] = made[: len(labels) - first]
        return images

    def features(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Maps of every layer of the critic for images [B, S, S, C]; not of a conditional GAN."""
        if self.learner.num_planes:
            raise UserError("Features need a critic without classes", "one with classes", "Train "
                            "with --classes=all.")  # fmt: skip
        return self.learner.critic(images)[:-1]

    def grid_features(self, images: tf.Tensor) -> list[list[tf.Tensor]]:
        """The same: a critic has one grid."""
        return [self.features(images)]

    @property
    def norms(self) -> list[BatchStatistics]:
        """The critic's normalization layers, from the image up."""
        return [x for x in self.learner.critic.layers if isinstance(x, BatchStatistics)]

    @property
    def activations(self) -> list[keras.layers.Layer]:
        """The critic's activations, from the image up."""
        return [x for x in self.learner.critic.layers if isinstance(x, keras.layers.LeakyReLU)]
