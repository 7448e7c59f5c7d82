"""The sampler on energies whose chains are known in closed form."""

import math

import numpy as np
import pytest
import tensorflow as tf

from mgconv.config import Dynamics
from mgconv.langevin import energy_gradient, langevin

SHAPE = (4, 2, 2, 1)
SEED = tf.constant([1, 2])


def quadratic(x):
    """U = ||x||^2 / 2, whose gradient is x."""
    return tf.reduce_sum(x**2, axis=[1, 2, 3]) / 2


def flat(x):
    """U = 0."""
    return 0 * tf.reduce_sum(x, axis=[1, 2, 3])


def slope(by):
    """U = by * sum(x), whose gradient is `by` everywhere."""
    return lambda x: by * tf.reduce_sum(x, axis=[1, 2, 3])


def random_start(shape=SHAPE, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-0.9, 0.9, shape), tf.float32)


def end(energy_fn, x0, dynamics, seed=SEED, **options):
    return langevin(energy_fn, x0, dynamics, seed, **options)[0].numpy()


# -- analytic answers


def test_the_gradient_of_a_batch_is_that_of_each_image_alone():
    x = random_start()
    cubic = lambda x: tf.reduce_sum(x**3, axis=[1, 2, 3])  # noqa: E731
    gradient, energies = energy_gradient(cubic, x)
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-6)
    np.testing.assert_allclose(energies, cubic(x))
    for index in range(len(x)):
        alone = energy_gradient(cubic, x[index : index + 1])
        np.testing.assert_allclose(alone[0][0], 3 * x[index] ** 2, rtol=1e-6)


def test_the_energies_along_a_chain_are_those_ahead_of_each_step():
    """Without noise a quadratic's falls by (1 - d)^2 a step."""
    x0 = random_start()
    _, info = langevin(quadratic, x0, Dynamics(5, 0.3, 0.0), SEED)
    expected = np.mean(quadratic(x0)) * 0.7 ** (2 * np.arange(5))
    np.testing.assert_allclose(info.energies, expected, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("drift", [0.1, 0.5, 1.5])
def test_drift_alone_shrinks_a_quadratic_geometrically(drift, steps):
    """U = x^2/2 without noise makes the update x <- (1 - d) x."""
    x0 = random_start()
    got = end(quadratic, x0, Dynamics(steps, drift, 0.0))
    np.testing.assert_allclose(got, (1 - drift) ** steps * x0, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("drift", "noise"), [(0.1, 0.05), (0.5, 0.1), (1.0, 0.2)])
def test_langevin_reaches_the_variance_of_its_discretized_gaussian(drift, noise):
    """U = x^2/2 makes the update x <- (1 - d) x + n z, of variance n^2 / (1 - (1 - d)^2)."""
    run = tf.function(lambda x: langevin(quadratic, x, Dynamics(60, drift, noise), SEED)[0])
    x = run(random_start((400, 8, 8, 1))).numpy()  # 25,600 chains
    variance = noise**2 / (1 - (1 - drift) ** 2)
    assert math.sqrt(variance) < 0.25  # the box is 4 standard deviations away
    assert x.var() == pytest.approx(variance, rel=0.04)
    assert x.mean() == pytest.approx(0, abs=0.03 * math.sqrt(variance))


def test_noise_alone_spreads_with_the_square_root_of_time():
    steps, noise = 25, 0.03
    x = end(flat, tf.zeros([400, 8, 8, 1]), Dynamics(steps, 0.1, noise))
    assert x.std() == pytest.approx(noise * math.sqrt(steps), rel=0.03)


@pytest.mark.parametrize("noise_end", [0.0, 0.25, 2.0])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_noise_changes_linearly_from_the_first_step_to_the_last(steps, noise_end):
    """Variances of independent steps add up; a chain of one step has the first step's noise."""
    x = end(flat, tf.zeros([400, 8, 8, 1]), Dynamics(steps, 0.1, 0.03, noise_end))
    each = 0.03 * np.linspace(1, noise_end, steps) if steps > 1 else np.array([0.03])
    assert x.std() == pytest.approx(math.sqrt((each**2).sum()), rel=0.03)


@pytest.mark.parametrize("drift_end", [0.0, 0.25, 2.0])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_drift_changes_linearly_from_the_first_step_to_the_last(steps, drift_end):
    """U = x^2/2 without noise: each step multiplies by 1 - its drift."""
    x0, dynamics = random_start(), Dynamics(steps, 0.3, 0.0, drift_end=drift_end)
    each = 0.3 * np.linspace(1, drift_end, steps) if steps > 1 else np.array([0.3])
    np.testing.assert_allclose(end(quadratic, x0, dynamics), (1 - each).prod() * x0, rtol=1e-4)


def test_a_chain_whose_noise_ends_at_0_has_a_last_step_of_drift_alone():
    x0 = random_start()
    before = end(quadratic, x0, Dynamics(1, 0.5, 0.1, noise_end=0.0))
    after = end(quadratic, x0, Dynamics(2, 0.5, 0.1, noise_end=0.0))
    np.testing.assert_allclose(after, before / 2, rtol=1e-5, atol=1e-7)


# -- the box, known pixels


def test_chains_stay_inside_the_box():
    x = end(flat, random_start(), Dynamics(50, 0.1, 1.0))
    assert np.abs(x).max() == 1
    np.testing.assert_array_equal(
        end(slope(by=-100.0), random_start(), Dynamics(3, 1.0, 0.0)), np.ones(SHAPE)
    )


def test_projected_pixels_are_held_exactly():
    x0, known = random_start(), random_start(seed=1)
    visible = np.arange(16).reshape(SHAPE) % 3 == 0
    project = lambda x: tf.where(visible, known, x)  # noqa: E731
    x = end(quadratic, x0, Dynamics(5, 0.3, 0.2), project=project)
    np.testing.assert_array_equal(x[visible], known.numpy()[visible])
    assert (x[~visible] != x0.numpy()[~visible]).all()


def test_what_is_projected_after_a_step_is_seen_by_the_next():
    """Pixels that are held at 1 pull the others by an energy that couples them."""
    spring = lambda x: (x[:, 0, 0, 0] - x[:, 0, 1, 0]) ** 2 / 2  # noqa: E731
    hold = lambda x: tf.concat([tf.ones_like(x[:, :, :1]), x[:, :, 1:]], axis=2)  # noqa: E731
    x = end(spring, tf.zeros([1, 1, 2, 1]), Dynamics(3, 0.5, 0.0), project=hold)
    # the first step sees 0, 0; then the free pixel halves its distance to 1, twice
    np.testing.assert_allclose(x[0, 0, :, 0], [1, 0.75])


# -- randomness


def test_equal_seeds_make_equal_chains_and_others_differ():
    x0, dynamics = random_start(), Dynamics(3, 0.1, 0.1)
    first = end(quadratic, x0, dynamics)
    np.testing.assert_array_equal(end(quadratic, x0, dynamics), first)
    for other in ([1, 3], [2, 2]):
        assert (end(quadratic, x0, dynamics, tf.constant(other)) != first).all()


def test_every_image_and_every_step_draws_its_own_noise():
    one = end(flat, tf.zeros(SHAPE), Dynamics(1, 0.1, 0.1))
    assert len(np.unique(one)) == one.size
    second_step = end(flat, tf.zeros(SHAPE), Dynamics(2, 0.1, 0.1)) - one
    assert (np.abs(second_step - one) > 1e-6).all()


def test_without_noise_the_seed_has_no_influence():
    x0, dynamics = random_start(), Dynamics(3, 0.1, 0.0)
    first = end(quadratic, x0, dynamics)
    np.testing.assert_array_equal(end(quadratic, x0, dynamics, tf.constant([7, 7])), first)


# -- what a batch of chains is


def test_the_drift_does_not_depend_on_the_batch_size():
    x0 = random_start()
    together = end(quadratic, x0, Dynamics(3, 0.3, 0.0))
    for index in range(len(x0)):
        alone = end(quadratic, x0[index : index + 1], Dynamics(3, 0.3, 0.0))
        np.testing.assert_allclose(alone[0], together[index], rtol=1e-6)


def test_drift_rms_is_what_a_step_of_drift_adds_to_a_pixel():
    _, info = langevin(slope(by=-0.2), tf.zeros(SHAPE), Dynamics(4, 0.25, 0.1), SEED)
    assert float(info.drift_rms) == pytest.approx(0.05)
    _, info = langevin(quadratic, tf.fill(SHAPE, 0.8), Dynamics(2, 0.5, 0.0), SEED)
    assert float(info.drift_rms) == pytest.approx(math.sqrt((0.4**2 + 0.2**2) / 2))


@pytest.mark.parametrize("by", [3.0, -3.0])
def test_saturated_is_the_share_of_pixels_that_end_on_a_bound(by):
    """Of the columns at 0 and at 0.5 * sign, only the second comes to the bound."""
    x0 = -math.copysign(0.5, by) * tf.constant([[[[0.0], [1.0]]] * 2] * 3)
    _, info = langevin(slope(by), x0, Dynamics(1, 0.25, 0.0), SEED)
    assert float(info.saturated) == 0.5
    _, info = langevin(flat, x0, Dynamics(1, 0.25, 0.0), SEED)
    assert float(info.saturated) == 0


# -- inside a graph


def test_the_start_gets_no_gradient():
    x0 = random_start()
    with tf.GradientTape() as tape:
        tape.watch(x0)
        x, _ = langevin(quadratic, x0, Dynamics(2, 0.1, 0.1), SEED)
        total = tf.reduce_sum(x)
    assert tape.gradient(total, x0) is None


def test_weights_of_the_energy_get_no_gradient_through_the_chain():
    weight = tf.Variable(0.3)
    with tf.GradientTape() as tape:
        x, _ = langevin(slope(weight), random_start(), Dynamics(2, 0.1, 0.1), SEED)
        total = tf.reduce_sum(x)
    assert tape.gradient(total, weight) is None


def test_a_chain_is_traced_once_however_often_it_runs():
    run = tf.function(lambda x, seed: langevin(quadratic, x, Dynamics(5, 0.1, 0.1), seed)[0])
    for index in range(4):
        run(random_start(seed=index), tf.constant([index, 0]))
    assert run.experimental_get_tracing_count() == 1


def test_a_longer_chain_is_no_larger_graph():
    def num_operations(steps):
        run = tf.function(lambda x: langevin(quadratic, x, Dynamics(steps, 0.1, 0.1), SEED)[0])
        return len(run.get_concrete_function(random_start()).graph.as_graph_def().node)

    assert num_operations(300) == num_operations(3)


def test_a_projection_may_lose_the_static_shape():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.bool)])
    def run(visible):
        x0 = random_start()
        project = lambda x: tf.where(visible, x0, x)  # noqa: E731
        x, _ = langevin(quadratic, x0, Dynamics(2, 0.1, 0.1), SEED, project)
        assert x.shape == SHAPE
        return x

    np.testing.assert_array_equal(run(tf.ones(SHAPE, tf.bool)), random_start())
