"""A penalty that keeps an energy flat enough for the steps of its chains (ours)."""

from collections.abc import Callable

import tensorflow as tf

from mgconv.langevin import EnergyFn, energy_gradient
from mgconv.layers import top_eigenvector

LIMIT = 1.0  # of drift times curvature; above it steps overshoot, above 2 they climb
EVERY = 4  # updates between two looks, and images of which one is looked at
NUM_DIRECTIONS = 4  # that Lanczos's method spans
RADIUS = 0.01  # root mean square of the difference of two images whose gradients are compared

# U, images, number of the update, seed -> scalar
Penalty = Callable[[EnergyFn, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def curvature_penalty(weight: float, drift: float) -> Penalty:
    """The penalty weight * mean max(0, drift * curvature - 1) at images, of U's `curvature`.

    Departure: likelihood sharpens U around few images without end. Where drift times curvature
    reaches 2, Langevin steps climb; their ends have high U, by which U becomes sharper still, until
    the run is lost. Below 1 the penalty is 0. It is taken at every fourth update, four-fold
    (lazy regularization: Karras et al. 2020), at every fourth image. Where an image's energy
    depends on its neighbors, by batch statistics, it sees these, too.
    """

    def penalty(energy_fn, images, update, seed):
        def look():
            excess = drift * curvature(energy_fn, images[::EVERY], seed) - LIMIT
            return EVERY * weight * tf.reduce_mean(tf.nn.relu(excess))

        return tf.cond(update % EVERY == 0, look, lambda: 0.0)

    return penalty


def curvature(energy_fn: EnergyFn, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The second derivative of U at each image along its steepest direction, [B].

    A lower bound of the largest eigenvalue of U's Hessian, by Lanczos's method from a random
    direction. (The power method would find the largest absolute one, often a negative.) No gradient
    flows into the direction.
    """
    here, _ = energy_gradient(energy_fn, x)
    change = tf.random.stateless_normal(x.shape, seed)
    directions: list[tf.Tensor] = []
    changes: list[tf.Tensor] = []

    def change_along(direction):
        return (energy_gradient(energy_fn, x + RADIUS * direction)[0] - here) / RADIUS

    for _ in range(NUM_DIRECTIONS):
        for direction in 2 * directions:  # the second time for what rounding has left
            change = _unit(change - _dot(direction, change) * direction)
        directions.append(tf.stop_gradient(_unit(change)))
        changes.append(change := change_along(directions[-1]))
    spanned = tf.stack(directions, axis=1)
    hessian = tf.einsum("bkxyc,blxyc->bkl", spanned, tf.stack(changes, axis=1))
    steepest = top_eigenvector((hessian + tf.linalg.matrix_transpose(hessian)) / 2)
    steepest = _unit(tf.einsum("bk,bkxyc->bxyc", steepest, spanned))
    return tf.reshape(_dot(steepest, change_along(steepest)), [-1])


def _dot(x, y):
    return tf.reduce_mean(x * y, axis=[1, 2, 3], keepdims=True)


def _unit(x):
    return x * tf.math.rsqrt(_dot(x, x) + 1e-20)
