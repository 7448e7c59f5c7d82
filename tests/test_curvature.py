"""The penalty of curvature: exact on quadratics, and what it does to an energy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.chains import FromCoarser
from mgconv.config import Dynamics, grid_spec
from mgconv.curvature import RADIUS, curvature_penalty, gradient_change
from mgconv.energy import EnergyNet
from mgconv.learner import GridLearner

SHAPE = (4, 4, 4, 1)
SEED = tf.constant([1, 2])


def images(seed, shape=SHAPE):
    return tf.random.stateless_uniform(shape, [0, seed], -0.9, 0.9)


def quadratic(curvature):
    """The function f = -curvature ||x||^2 / 2."""
    return lambda x: -curvature / 2 * tf.reduce_sum(x**2, axis=[1, 2, 3])


@pytest.mark.parametrize("where", [1, 2])
def test_the_gradient_of_a_quadratic_changes_by_its_hessian_wherever_it_is(where):
    z = tf.random.stateless_normal(SHAPE, SEED)
    expected = 9 * RADIUS**2 * tf.reduce_sum(z**2, axis=[1, 2, 3])
    found = gradient_change(quadratic(3.0), images(where), SEED)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_slope_has_no_curvature():
    slope = lambda x: 5 * tf.reduce_sum(x, axis=[1, 2, 3])  # noqa: E731
    np.testing.assert_array_equal(gradient_change(slope, images(1), SEED), 0.0)


def test_the_penalty_is_the_mean_over_a_quarter_of_the_batch():
    x = images(1, (8, 4, 4, 1))
    quartic = lambda x: tf.reduce_sum(x**4, axis=[1, 2, 3])  # noqa: E731
    expected = 2.0 * 0.02 * np.mean(gradient_change(quartic, x[:2], SEED))
    found = curvature_penalty(2.0, drift=0.02)(quartic, x, SEED)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_energy_learned_with_it_is_flatter_around_images():
    def learned(weight):
        net = EnergyNet(grid_spec("paper", 4, 0.05), 1, normalization="none", activation="silu")
        dynamics, optimizer = Dynamics(3, 0.5, 0.0), keras.optimizers.SGD(1e-3)
        penalty = curvature_penalty(weight, dynamics.drift)
        grid = GridLearner(net, FromCoarser(), dynamics, dynamics, optimizer, penalty=penalty)
        before = np.mean(gradient_change(net.f, images(1), SEED))
        grid.update(images(1), tf.reduce_mean(images(1), axis=[1, 2], keepdims=True), SEED)
        return before, np.mean(gradient_change(net.f, images(1), SEED))

    (before, without), (same, with_it) = learned(0.0), learned(1e7)
    assert before == same
    assert with_it < 0.9 * without
