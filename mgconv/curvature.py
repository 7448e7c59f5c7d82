"""A penalty that keeps an energy flat enough for the steps of its chains (ours)."""

import math
from collections.abc import Callable

import tensorflow as tf

from mgconv.langevin import EnergyFn, energy_gradient

RADIUS = 0.1  # on [-1, 1]: between points so far apart the gradient should change little
SHARE = 0.25  # of a batch, at whose images it is looked at

Penalty = Callable[[EnergyFn, tf.Tensor, tf.Tensor], tf.Tensor]  # f, images, seed -> scalar


def curvature_penalty(weight: float, drift: float) -> Penalty:
    """The penalty weight * drift * mean ||grad f(x + r z) - grad f(x)||^2 at images x.

    Departure: likelihood sharpens f around few images without end. Where drift times curvature
    reaches 2, Langevin steps overshoot; their ends have low f, by which f becomes sharper still,
    until the run is lost.
    """

    def penalty(f, images, seed):
        some = images[: math.ceil(SHARE * images.shape[0])]
        return weight * drift * tf.reduce_mean(gradient_change(f, some, seed))

    return penalty


def gradient_change(f: EnergyFn, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """||grad f(x + r z) - grad f(x)||^2 of every image, [B]: about r^2 ||H||^2, H its Hessian."""
    moved = x + RADIUS * tf.random.stateless_normal(x.shape, seed)
    gradient, _ = energy_gradient(f, tf.concat([x, moved], axis=0))
    here, there = tf.split(gradient, 2)
    return tf.reduce_sum(tf.square(there - here), axis=[1, 2, 3])
