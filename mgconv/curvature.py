"""A penalty that keeps an energy flat enough for the steps of its chains (ours)."""

import math
from collections.abc import Callable

import tensorflow as tf

from mgconv.langevin import EnergyFn, energy_gradient

LIMIT = 1.0  # of drift times curvature; from 2 on steps overshoot
SHARE = 0.25  # of a batch, at whose images it is looked at
RADIUS = 0.01  # root mean square of the difference of two images whose gradients are compared

Penalty = Callable[[EnergyFn, tf.Tensor], tf.Tensor]  # U, images -> scalar


def curvature_penalty(weight: float, drift: float) -> Penalty:
    """The penalty weight * mean max(0, drift * curvature - 1) at images x, of U's `curvature`.

    Departure: likelihood sharpens U around few images without end. Where drift times curvature
    reaches 2, Langevin steps overshoot; their ends have high U, by which U becomes sharper still,
    until the run is lost. Below 1 it costs nothing, and nothing is asked of the energy.
    """

    def penalty(energy_fn, images):
        some = images[: math.ceil(SHARE * images.shape[0])]
        excess = tf.nn.relu(drift * curvature(energy_fn, some) - LIMIT)
        return weight * tf.reduce_mean(excess)

    return penalty


def curvature(energy_fn: EnergyFn, x: tf.Tensor) -> tf.Tensor:
    """The second derivative of U at each image along the direction in which steps overshoot, [B].

    A lower bound of the largest eigenvalue of U's Hessian H, by one iteration of the power method:
    along H dU/dx. The direction is taken as given, no gradient flows into it.
    """
    here, _ = energy_gradient(energy_fn, x)
    change = here
    for _ in range(2):
        direction = tf.stop_gradient(_unit(change))
        change = energy_gradient(energy_fn, x + RADIUS * direction)[0] - here
    return tf.reduce_mean(direction * change, axis=[1, 2, 3]) / RADIUS


def _unit(x):
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=[1, 2, 3], keepdims=True) + 1e-20)
