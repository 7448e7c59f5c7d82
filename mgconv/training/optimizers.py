"""The optimizer of a grid: its schedule, and how the authors change gradients."""

import math

import keras
import numpy as np
import tensorflow as tf

from mgconv.config import Config
from mgconv.energy import EnergyNet
from mgconv.training.devices import ChangeGradients

NUM_UNLIMITED = 10  # first updates of an optimizer


def make_optimizer(
    config: Config, rate: tf.Variable, updates_per_epoch: int
) -> keras.optimizers.Optimizer:
    """A grid's optimizer, whose learning rate follows the variable `rate`."""
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


def limit_gradients(optimizer: keras.optimizers.Adam, limit: float) -> ChangeGradients:
    """Scales gradients down whose norm is above `limit` times the usual one.

    Departure: the usual norm is the root mean square over Adam's memory, a thousand updates. One
    batch of chains that overshoots has a gradient hundreds of times as large. Adam would hardly
    move for a thousand updates afterwards, and the energy would stay as that batch has left it.
    In the first updates, whose memory is short, there is no limit.

    Args:
        optimizer: built later, with the weights that the gradients are of.
        limit: of norms over the usual one.
    """

    def limited(net: EnergyNet, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        seconds = [v for v in optimizer.variables if v.path.endswith("velocity")]
        count = tf.cast(optimizer.iterations, tf.float32)
        seen = 1 - tf.pow(optimizer.beta_2, tf.maximum(count, 1.0))  # of the memory, so far
        usual = tf.sqrt(tf.add_n([tf.reduce_sum(second) for second in seconds]) / seen)
        most = tf.where(count < NUM_UNLIMITED, np.inf, limit * usual)
        factor = tf.minimum(1.0, most / tf.maximum(tf.linalg.global_norm(gradients), 1e-30))
        return [factor * gradient for gradient in gradients]

    return limited


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
