"""A penalty that keeps an energy flat enough for the steps of its chains (ours)."""

from collections.abc import Callable

import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.langevin import EnergyFn, energy_gradient
from mgconv.layers import top_eigenvector

LIMIT = 1.0  # of drift times curvature; above it steps overshoot, above 2 they climb
EVERY = 4  # updates between two looks, and images of which one is looked at
NUM_DIRECTIONS = 4  # that Lanczos's method spans
RADIUS = 0.01  # root mean square of the difference of two images whose gradients are compared

# net, gradients, images, number of the update, seed -> gradients
Penalize = Callable[[EnergyNet, list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor], list[tf.Tensor]]


def curvature_penalty(weight: float, drift: float) -> Penalize:
    """Adds to gradients those of weight times the `overshoot` of drift.

    Departure: likelihood sharpens U around few images without end. Where drift times curvature
    reaches 2, Langevin steps climb; their ends have high U, by which U becomes sharper still, until
    the run is lost. Below 1 the penalty is 0. It is taken at every fourth update, four-fold
    (lazy regularization: Karras et al. 2020), at every fourth image. Where an image's energy
    depends on its neighbors, by batch statistics, it sees these, too.
    """

    def penalize(net, gradients, images, update, seed):
        values = [variable.value for variable in net.trainable_variables]

        def look():  # with gradients inside, or the graph of the condition is twice as large
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                penalty = EVERY * weight * overshoot(net.fixed(), images[::EVERY], drift, seed)
            added = tape.gradient(penalty, values, unconnected_gradients="zero")
            return [gradient + more for gradient, more in zip(gradients, added)]

        return tf.cond(update % EVERY == 0, look, lambda: gradients)

    return penalize


def overshoot(energy_fn: EnergyFn, x: tf.Tensor, drift: float, seed: tf.Tensor) -> tf.Tensor:
    """Mean max(0, drift * curvature - 1) at images, of U's `curvature`; a scalar."""
    return tf.reduce_mean(tf.nn.relu(drift * curvature(energy_fn, x, seed) - LIMIT))


def curvature(energy_fn: EnergyFn, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The second derivative of U at each image along its steepest direction, [B].

    A lower bound of the largest eigenvalue of U's Hessian, by Lanczos's method from a random
    direction. (The power method would find the largest absolute one, often a negative.) No gradient
    flows into the direction.
    """
    here, _ = energy_gradient(energy_fn, x)

    def change_along(direction):
        return (energy_gradient(energy_fn, x + RADIUS * direction)[0] - here) / RADIUS

    def lanczos_step(k, change, directions, changes):
        def orthogonal(j, change):
            direction = directions.read(j % k)
            return j + 1, _unit(change - _dot(direction, change) * direction)

        # to all before, and once more for what rounding has left
        _, change = tf.while_loop(lambda j, _: j < 2 * k, orthogonal, (0, change))
        change = change_along(direction := _unit(change))
        return k + 1, change, directions.write(k, direction), changes.write(k, change)

    found = (
        tf.TensorArray(x.dtype, NUM_DIRECTIONS, clear_after_read=False, element_shape=x.shape)
        for _ in range(2)
    )
    start = (0, tf.random.stateless_normal(x.shape, seed), *found)
    # a loop, although it is short: its graph is a quarter of the steps', one by one
    *_, directions, changes = tf.while_loop(lambda k, *_: k < NUM_DIRECTIONS, lanczos_step, start)
    spanned = tf.stop_gradient(directions.stack())
    hessian = tf.einsum("kbxyc,lbxyc->bkl", spanned, changes.stack())
    steepest = top_eigenvector((hessian + tf.linalg.matrix_transpose(hessian)) / 2)
    steepest = _unit(tf.einsum("bk,kbxyc->bxyc", steepest, spanned))
    return tf.reshape(_dot(steepest, change_along(steepest)), [-1])


def _dot(x, y):
    return tf.reduce_mean(x * y, axis=[1, 2, 3], keepdims=True)


def _unit(x):
    return x * tf.math.rsqrt(_dot(x, x) + 1e-20)
