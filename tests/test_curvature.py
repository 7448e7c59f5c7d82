"""The penalty of curvature: exact on quadratics, and what it does to an energy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.chains import FromCoarser
from mgconv.config import Dynamics
from mgconv.curvature import EVERY, curvature, curvature_penalty, overshoot
from mgconv.energy import EnergyNet
from mgconv.multigrid import GridLearner
from mgconv.recipes import grid_spec
from mgconv.training.build import build_learner

SHAPE = (4, 4, 4, 1)
SEED = tf.constant([1, 2])


def images(seed, shape=SHAPE):
    return tf.random.stateless_uniform(shape, [0, seed], -0.9, 0.9)


def quadratic(eigenvalues):
    """The energy x' diag(eigenvalues) x / 2."""
    return lambda x: tf.reduce_sum(eigenvalues * x**2, axis=[1, 2, 3]) / 2


@pytest.mark.parametrize("where", [1, 2])
@pytest.mark.parametrize("eigenvalue", [3.0, -3.0])
def test_a_quadratic_is_as_curved_everywhere_as_its_eigenvalue(where, eigenvalue):
    found = curvature(quadratic(eigenvalue), images(where), SEED)
    np.testing.assert_allclose(found, eigenvalue, rtol=1e-3)


def test_one_steep_direction_among_sixteen_is_found_and_not_overstated():
    steep = tf.reshape([30.0] + 15 * [1.0], (4, 4, 1))
    found = curvature(quadratic(steep), images(1, (64, 4, 4, 1)), SEED)
    assert np.all(found < 30.01) and np.all(found > 29.9)


def test_a_direction_that_is_concave_does_not_hide_a_convex_one():
    saddle = tf.reshape([30.0, -60.0] + 14 * [1.0], (4, 4, 1))
    found = curvature(quadratic(saddle), images(1, (64, 4, 4, 1)), SEED)
    assert np.all(found < 30.01) and np.all(found > 29.9)


def test_images_that_are_not_finite_have_no_curvature_and_stop_nothing():
    x = tf.concat([images(1), tf.fill(SHAPE, np.nan)], axis=0)
    found = curvature(quadratic(3.0), x, SEED)
    np.testing.assert_allclose(found, 4 * [3.0] + 4 * [np.nan], rtol=1e-3)


def test_a_slope_has_no_curvature():
    slope = lambda x: 5 * tf.reduce_sum(x, axis=[1, 2, 3])  # noqa: E731
    np.testing.assert_array_equal(curvature(slope, images(1), SEED), 0.0)


class Scaled:
    """A net: one weight times an energy, by which the penalty's gradient is as the penalty."""

    def __init__(self, f):
        self.weight = keras.Variable(1.0)
        self.trainable_variables = [self.weight]
        self.fixed = lambda: lambda x: self.weight.value * f(x)


def added(penalize, f, x, update=0):
    """What a penalty adds to a gradient of 7, on average: it is EVERY-fold at its updates."""
    [gradient] = penalize(Scaled(f), [tf.constant(7.0)], x, tf.constant(update), SEED)
    return (float(gradient) - 7) / EVERY


@pytest.mark.parametrize(
    "eigenvalue, expected", [(75.0, 0.5), (100.0, 1.0), (50.0, 0.0), (40.0, 0), (-100.0, 0)]
)
def test_only_what_comes_near_to_overshooting_is_penalized(eigenvalue, expected):
    found = overshoot(quadratic(eigenvalue), images(1), 0.02, SEED)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("end, largest", [(3.0, 3.0), (0.5, 1.0)])
def test_it_bounds_the_longest_step_of_a_chain_whose_drift_changes(end, largest, tiny):
    config = tiny(curvature_penalty=2.0, drift=0.02, drift_coarse=1.0, drift_end=end)
    learner = build_learner(config, np.zeros([1, 1, 1, 1]), np.zeros(SHAPE), num_images=12)
    for grid in learner.grids:
        found = added(grid.penalize, quadratic(75.0), images(1))
        np.testing.assert_allclose(found, 2 * 0.02 * largest * 75, rtol=2e-3)


def test_its_gradient_is_added_at_every_fourth_update():
    penalize, energy = curvature_penalty(2.0, 0.02), quadratic(100.0)
    found = [added(penalize, energy, images(1), update) for update in range(8)]
    np.testing.assert_allclose(found, [2 * 0.02 * 100, 0, 0, 0] * 2, atol=4e-3)


def test_it_looks_at_every_fourth_image():
    x = images(1, (8, 4, 4, 1))
    quartic = lambda x: tf.reduce_sum(x**4, axis=[1, 2, 3])  # noqa: E731
    excess = np.maximum(0, 0.5 * curvature(quartic, x[::EVERY], SEED) - 1)
    assert np.all(excess > 0)
    found = added(curvature_penalty(1.0, 0.5), quartic, x)
    np.testing.assert_allclose(found, np.mean(excess + 1), rtol=1e-4)  # in proportion to the weight


def test_an_energy_learned_with_it_becomes_flatter_until_steps_no_longer_overshoot():
    def learned(weight):
        net = EnergyNet(grid_spec("paper", 4, 0.05), 1, normalization="none", activation="silu")
        sharpest = lambda: np.mean(curvature(net.fixed(), images(1), SEED))  # noqa: E731
        drift = 2 / sharpest()
        dynamics, optimizer = Dynamics(3, drift, 0.0), keras.optimizers.SGD(1e-3)
        penalize = curvature_penalty(weight, drift)
        grid = GridLearner(net, FromCoarser(), dynamics, dynamics, optimizer, penalize=penalize)
        for _ in range(40):
            coarser = tf.reduce_mean(images(1), axis=[1, 2], keepdims=True)
            grid.update(images(1), coarser, SEED)
        return drift * sharpest()

    assert learned(10.0) < 1.3 < learned(0.0)
