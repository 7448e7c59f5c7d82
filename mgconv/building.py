"""From settings to a learner of Algorithm 1: nets, chain starts, optimizers."""

import math

import keras
import numpy as np
import tensorflow as tf

from mgconv.chains import FromCoarser, FromData, Persistent
from mgconv.config import METHODS, Config
from mgconv.curvature import curvature_penalty
from mgconv.devices import DistributedLearner
from mgconv.energy import EnergyNet
from mgconv.learner import GridLearner, MultigridLearner, weight_seed


def build_learner(
    config: Config,
    colors: np.ndarray,
    reference: np.ndarray,
    num_images: int,
    strategy: tf.distribute.Strategy | None = None,
) -> MultigridLearner:
    """The learner that `config` describes.

    Args:
        config: of a run.
        colors: [N, 1, 1, C], of training images.
        reference: [B, S, S, C], observed images.
        num_images: size of the training set (the paper's learning rate decays by epochs).
        strategy: of several devices that can share the method and the batch.
    """
    channels = reference.shape[-1]
    updates_per_epoch = max(1, num_images // config.batch_size)

    def grids():
        return [
            _build_grid(config, index, size, channels, updates_per_epoch)
            for index, size in enumerate(config.learned_sizes)
        ]

    if strategy is None or strategy.num_replicas_in_sync == 1:
        return MultigridLearner(grids(), config.seed, colors, reference)
    with strategy.scope():  # mirrors nets and optimizers; what no replica writes is outside
        mirrored = grids()
    return DistributedLearner(mirrored, config.seed, colors, reference, strategy)


def _build_grid(config: Config, index: int, size: int, channels: int, updates_per_epoch: int):
    def net():
        return EnergyNet(
            config.spec(size),
            channels,
            weight_seed(config.seed, index),
            config.normalization,
            config.activation,
            config.reference_sigma,
            config.mixed_precision,
        )

    rate = tf.Variable(config.learning_rate, trainable=False)
    training, weight = config.training(size), config.curvature_penalty
    most_drift = training.drift * max(1.0, training.drift_end)
    return GridLearner(
        net(),
        _build_start(config, (config.batch_size, size, size, channels)),
        training,
        config.synthesis(size),
        _build_optimizer(config, rate, updates_per_epoch),
        config.data_noise,
        net() if config.average_decay else None,
        config.average_decay,
        readout_limit=config.readout_limit,
        jit_compile=config.jit_compile,
        rate=rate,
        **({"penalty": curvature_penalty(weight, most_drift)} if weight else {}),
        **({"change_gradients": _changed_sums} if config.author_gradients else {}),
    )


def _build_start(config: Config, batch_shape):
    pool_size = config.pool_size or 10 * config.batch_size
    return {
        "coarser": FromCoarser,
        "data": FromData,
        "persistent": lambda: Persistent(pool_size, batch_shape),
    }[METHODS[config.method].chain_start]()


def _build_optimizer(config: Config, rate: tf.Variable, updates_per_epoch: int):
    num_updates = config.decay_epochs * updates_per_epoch
    schedule = keras.optimizers.schedules.ExponentialDecay(
        rate, num_updates, config.learning_rate_decay, staircase=True
    )
    if config.warm_up:
        schedule = WarmUp(schedule, config.warm_up)
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=config.beta1)
    return keras.optimizers.Adam(schedule, beta_1=config.beta1, epsilon=1e-8)  # TF 1's epsilon


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose first `num_updates` rates rise to it in equal steps."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, num_updates: int):
        self._schedule, self._num_updates = schedule, num_updates

    def __call__(self, step):
        share = tf.minimum(1.0, (tf.cast(step, tf.float32) + 1) / self._num_updates)
        return share * self._schedule(step)


def _changed_sums(net: EnergyNet, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """`author_gradients` of the whole batch: replicas sum their parts ahead of it."""
    replicas = tf.distribute.get_replica_context()
    num = replicas.num_replicas_in_sync
    if num == 1:
        return author_gradients(net, gradients)
    summed = replicas.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    return [gradient / num for gradient in author_gradients(net, summed)]  # and again in Keras


def author_gradients(net: EnergyNet, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Gradients as the authors' code of 2018-01 scales and clips them.

    The fully connected layer's times 0.1, each kernel's divided by the area of the *first* layer's
    map; then a tensor whose largest absolute value is above 1 is scaled to 1.
    """
    area = math.ceil(net.spec.size / net.spec.convs[0].stride) ** 2
    connected, scaled = {id(weight) for weight in net.scalar.trainable_variables}, []
    for weight, gradient in zip(net.trainable_variables, gradients):
        if id(weight) in connected:
            gradient *= 0.1
        elif weight.name == "kernel":
            gradient /= area
        scaled.append(gradient / tf.maximum(1.0, tf.reduce_max(tf.abs(gradient))))
    return scaled
