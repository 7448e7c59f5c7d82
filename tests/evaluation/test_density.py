"""Adjusted steps, R-hat and the normalizing constant: on densities that are known."""

import math

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

from mgconv.config import Dynamics
from mgconv.evaluation.density import grids
from mgconv.evaluation.density.adjusted import adjusted_langevin, state_at
from mgconv.evaluation.density.annealing import Constants, Ladder, find_ladder, log_constants
from mgconv.evaluation.density.grids import Amount, grid_densities
from mgconv.evaluation.density.mixing import Trace, adjusted, as_trained, split_rhat, trace
from mgconv.models import MultigridModel
from mgconv.training.build import build_learner

SEED = tf.constant([1, 2])
needs_rhat = pytest.mark.usefixtures("arviz")


@pytest.fixture
def arviz():
    return pytest.importorskip("arviz_stats", reason="pip install 'mgconv[density]'")


def gaussian(spread, mean=0.0):
    return lambda x: tf.reduce_sum(tf.square((x - mean) / spread), axis=[1, 2, 3]) / 2


def slope(by):
    return lambda x: by * tf.reduce_sum(x, axis=[1, 2, 3])


def integral_of_pixel(energy):
    """Of exp(-U) over one pixel of the box."""
    x = np.linspace(-1, 1, 20001)[:, None, None, None].astype(np.float32)
    return np.trapezoid(np.exp(-energy(x).numpy().astype(np.float64)), dx=1e-4)


def acceptance_of_gaussian(ratio, num=801):
    """Of the adjusted step on one pixel of density N(0, 1) and of drift `ratio`, by integration.

    Proposal densities cancel in all of log p(y) q(x | y) / (p(x) q(y | x)) but
    ratio (x^2 - y^2) / 4, where y = (1 - ratio) x + sqrt(2 ratio) z.
    """
    x = np.linspace(-8, 8, num)
    weights = np.exp(-(x**2) / 2)
    weights /= weights.sum()
    y = (1 - ratio) * x[:, None] + math.sqrt(2 * ratio) * x
    accepted = np.minimum(1, np.exp(ratio * (x[:, None] ** 2 - y**2) / 4))
    return float(weights @ accepted @ weights)


# -- the temperature


def test_the_temperature_is_the_variance_of_a_quadratic_under_short_steps():
    dynamics = Dynamics(400, 0.02, 0.03)
    assert dynamics.temperature == pytest.approx(0.0225)
    advance = as_trained(gaussian(1.0), dynamics)
    state, _ = tf.function(advance)(state_at(gaussian(1.0), tf.zeros([400, 4, 4, 1])), SEED)
    assert np.var(state.x) == pytest.approx(0.0225, rel=0.06)


# -- adjusted steps


def run_adjusted(energy_fn, x0, beta, noise, num_steps):
    run = tf.function(
        lambda x: adjusted_langevin(energy_fn, state_at(energy_fn, x), beta, noise, num_steps, SEED)
    )
    state, acceptance = run(tf.constant(x0, tf.float32))
    return state, float(acceptance)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 1.8])
def test_acceptance_on_a_gaussian_is_its_integral(ratio):
    """At T = 0.01 and spread 0.1 of the energy's own: the box is far away."""
    spread, beta = 1.0, 100.0
    x0 = np.random.default_rng(0).normal(0, 0.1, [40_000, 1, 1, 1])
    noise = math.sqrt(2 * ratio / beta)
    _, acceptance = run_adjusted(gaussian(spread), x0, beta, noise, 1)
    assert acceptance == pytest.approx(acceptance_of_gaussian(ratio), abs=0.004)


def test_short_steps_are_all_taken_and_long_ones_none():
    x0 = np.random.default_rng(0).normal(0, 0.1, [64, 4, 4, 1])
    rates = [run_adjusted(gaussian(0.1), x0, 1.0, noise, 4)[1] for noise in (1e-3, 0.1, 0.3)]
    assert rates[0] > 0.9999
    assert 0.05 < rates[1] < 0.9
    assert rates[2] < 1e-3


@pytest.mark.parametrize(("by", "noise"), [(3.0, 0.8), (-20.0, 0.1), (0.0, 1.0)])
def test_what_has_the_density_keeps_it_at_the_bounds(by, noise):
    """U = by x has density exp(-by x) on [-1, 1]: exact draws stay such, however long steps are.

    At -20 the drift of a step, 0.1, is as long as the noise, and most chains are at the bound.
    """
    share = np.random.default_rng(0).uniform(size=[40_000, 1, 1, 1])
    x0 = 2 * share - 1
    if by:
        x0 = -np.log(np.exp(by) + share * (np.exp(-by) - np.exp(by))) / by
    state, acceptance = run_adjusted(slope(by), x0, 1.0, noise, 20)
    x = state.x.numpy()
    assert 0.2 < acceptance <= 1
    for power in (1, 2):
        error = 4 * np.std(x0**power) / math.sqrt(20_000)
        assert np.mean(x**power) == pytest.approx(np.mean(x0**power), abs=error)
    assert np.abs(x).max() <= 1
    assert (x != x0.astype(np.float32)).mean() > 0.9


def test_a_state_is_what_its_images_have():
    """A rejected chain stays where it was, and what is kept of a chain goes with it."""
    x0 = np.random.default_rng(0).normal(0, 0.1, [64, 2, 2, 1])
    state, acceptance = run_adjusted(gaussian(0.1), x0, 1.0, 0.2, 1)
    stayed = (state.x == tf.constant(x0, tf.float32)).numpy().all((1, 2, 3))
    assert stayed.mean() == pytest.approx(1 - acceptance, abs=0.15)
    assert 0 < stayed.sum() < 64
    again = state_at(gaussian(0.1), state.x)
    np.testing.assert_allclose(state.energies, again.energies, rtol=1e-5)
    np.testing.assert_allclose(state.gradient, again.gradient, rtol=1e-5)


# -- long chains


@needs_rhat
def test_rhat_is_near_1_for_independent_draws_and_large_for_stuck_chains():
    draws = np.random.default_rng(0).normal(size=[400, 16])
    assert split_rhat(draws) == pytest.approx(1, abs=0.01)
    assert split_rhat(draws + 10 * np.arange(16)) > 10  # a place a chain
    assert split_rhat(draws + np.linspace(0, 10, 400)[:, None]) > 1.5  # all drift: halves differ
    assert split_rhat(np.zeros([400, 16]) + np.arange(16)) == math.inf


@needs_rhat
def test_chains_of_one_well_mix_and_chains_of_two_far_ones_do_not():
    x0 = np.where(np.arange(16) % 2, 0.5, -0.5).astype(np.float32).reshape(16, 1, 1, 1)
    two_wells = lambda x: tf.reduce_sum((x**2 - 0.25) ** 2, axis=[1, 2, 3]) * 1e4  # noqa: E731
    steps = {gaussian(0.1): Dynamics(5, 5e-3, 0.1), two_wells: Dynamics(5, 2e-5, math.sqrt(4e-5))}
    one, two = (trace(U, adjusted(U, dynamics), x0, 400, 0) for U, dynamics in steps.items())
    assert one.draws["U"].shape == (200, 16)
    assert split_rhat(one.draws["color"]) < 1.05
    assert split_rhat(two.draws["color"]) > 5
    assert one.draws["U"].mean() == pytest.approx(0.5, abs=0.06)  # half of a degree of freedom
    assert 0.5 < one.acceptance < 1


# -- the constant


@pytest.mark.parametrize("seed", [0, 1])
def test_the_constant_of_a_gaussian_is_found_within_its_error(seed):
    energy = gaussian(0.1, mean=0.3)
    found = log_constants(energy, (4, 4, 1), 1.0, 64, 4000, seed)
    expected = 16 * math.log(integral_of_pixel(energy))
    assert found.errors[-1] < 0.125
    assert abs(found.log_z[-1] - expected) < 3 * found.errors[-1]
    assert found.num_trusted == 4000
    assert found.energies.mean() == pytest.approx(8, abs=1.5)  # of 16 degrees of freedom


def test_the_constant_is_found_where_the_mass_is_at_a_bound():
    found = log_constants(slope(4.0), (2, 2, 1), 0.5, 64, 300, 0)
    for rung in (100, -1):  # on the way, too
        beta = 1 / found.temperatures[rung]
        expected = 4 * math.log(2 * math.sinh(4 * beta) / (4 * beta))
        assert abs(found.log_z[rung] - expected) < max(3 * found.errors[rung], 0.02)
    assert found.temperatures[-1] == pytest.approx(0.5)
    assert found.errors[-1] < 0.2


def test_too_few_rungs_are_not_trusted_and_give_a_bound_from_below():
    energy = gaussian(0.02)
    found = log_constants(energy, (4, 4, 1), 1.0, 64, 40, 0)
    assert 0 < found.num_trusted < 40
    assert found.log_z[-1] < 16 * math.log(integral_of_pixel(energy)) + 1


def test_what_is_trusted_ends_where_few_chains_count():
    nothing = np.zeros(4)
    counts = {2: [60, 34, 31, 40], 4: [60, 34, 33, 40], 0: [31, 60, 60, 60]}
    for num, effective in counts.items():
        found = Constants(nothing, nothing, nothing, np.array(effective, float), np.zeros(64))
        assert found.num_trusted == num


def test_a_flat_energy_is_one_rung_and_a_ladder_is_refined_between_its_own():
    x0 = tf.zeros([4, 2, 2, 1])
    flat = find_ladder(slope(0.0), x0, 5.0, 0)
    np.testing.assert_allclose(flat.betas, [5])
    fine = Ladder(np.array([1.0, 3.0]), np.array([0.2, 0.1], np.float32)).refined(4)
    np.testing.assert_allclose(fine.betas, [0.5, 1, 2, 3])
    np.testing.assert_allclose(fine.noises, [0.2, 0.2, 0.15, 0.1])


# -- of a model


def model(tiny, **given):
    config = tiny(**given)
    rng = np.random.default_rng(0)
    colors = rng.uniform(-0.5, 0.5, [20, 1, 1, 1]).astype(np.float32)
    reference = rng.uniform(-1, 1, [config.batch_size, 4, 4, 1]).astype(np.float32)
    learner = build_learner(config, colors, reference, 20)
    return MultigridModel(learner, config, {"class_names": ["toy"]})


@pytest.fixture
def computed(monkeypatch):
    """What is asked for of each grid, without computing it."""
    asked = []
    monkeypatch.setattr(grids, "trace", lambda *of: Trace(0.5, {"U": np.full([4, 2], 3.0)}))
    monkeypatch.setattr(grids, "split_rhat", lambda draws: 1.5)
    monkeypatch.setattr(grids, "log_constants", lambda *of: asked.append(of[1:]))
    return asked


def test_the_grids_of_a_model_are_asked_at_their_own_temperature(tiny, computed, monkeypatch):
    monkeypatch.setattr(grids, "MOST_PIXELS", 4)
    given = {"drift": 0.5, "noise": 0.1, "noise_coarse": 2.0, "noise_end": 0.5}
    coarse, fine = grid_densities(model(tiny, **given), Amount(6, 8, 3), seed=0)
    assert (coarse.size, fine.size) == (2, 4)
    assert [g.temperature for g in (coarse, fine)] == pytest.approx([0.04, 0.01])
    assert [g.last_temperature for g in (coarse, fine)] == pytest.approx([0.01, 0.0025])
    plain, whole, quarter = fine.chains
    assert (plain.acceptance, whole.acceptance, quarter.energy) == (None, 0.5, 3.0)
    assert (whole.dynamics.drift, quarter.dynamics.drift) == (0.5, 0.125)
    assert whole.dynamics.temperature == pytest.approx(0.01)
    assert quarter.dynamics.temperature == pytest.approx(0.01)
    assert computed == [((2, 2, 1), pytest.approx(0.04), 6, 3, 0)]  # of the small grid alone


def test_without_noise_there_is_no_density(tiny, computed):
    (only,) = grid_densities(model(tiny, noise=0.0, method="single_grid"), Amount(6, 8, 3), seed=0)
    assert (only.temperature, only.constants, computed) == (0, None, [])
    assert [chains.name for chains in only.chains] == ["as trained"]


def test_an_energy_of_a_batch_is_no_density_of_an_image(tiny):
    batch = model(tiny, normalization="batch")
    assert "--normalization=batch" in refused(grid_densities, batch, Amount(4, 8, 3), seed=0)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "arviz_stats.base", None)
    assert "pip install 'mgconv[density]'" in refused(split_rhat, np.zeros([4, 2]))
