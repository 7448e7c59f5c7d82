"""What chains do, and whether samples are new: on cases with known answers."""

import numpy as np
import pytest

from mgconv.evaluation.diagnosis import Blocks, blocks, chain_energies, chain_paths, nearest
from mgconv.grids import downsample, upsample
from mgconv.models import MultigridModel
from mgconv.training.build import build_learner


@pytest.fixture
def model(tiny):
    """An unlearned model; its settings may be given."""

    def make(**given):
        config = tiny(**given)
        rng = np.random.default_rng(0)
        colors = rng.uniform(-0.5, 0.5, [20, 1, 1, 1]).astype(np.float32)
        reference = rng.uniform(-1, 1, [config.batch_size, 4, 4, 1]).astype(np.float32)
        return MultigridModel(
            build_learner(config, colors, reference, 20), config, {"class_names": ["toy"]}
        )

    return make


def test_distances_within_and_between_blocks_of_known_points():
    """Two blocks of two points: 3 and 5 apart inside, their first points 4 apart."""
    points = np.array([[0.0, 3.0], [4.0, 9.0]]).reshape(2, 2, 1, 1, 1)
    assert Blocks(points).within == pytest.approx(4)
    assert Blocks(points).between == pytest.approx(4)


@pytest.mark.parametrize("num", [4, 3])
def test_paths_of_chains_are_the_chains_that_a_model_draws_by(num, model):
    """Each grid from the up-scaled end of the one below; 3 Langevin steps; noise that falls."""
    made = model(noise=0.1, noise_end=0.5)
    colors = made.colors(num, seed=3)
    paths, ends = chain_paths(made, colors, seed=7), made.chains(colors, seed=7)
    assert [path.shape for path in paths] == [(4, num, 2, 2, 1), (4, num, 4, 4, 1)]
    for before, path, end in zip([colors, *ends], paths, ends):
        np.testing.assert_allclose(path[0], upsample(before, path.shape[2]), atol=1e-5)
        np.testing.assert_allclose(path[-1], end, atol=1e-5)
        assert (np.abs(np.diff(path, axis=0)).max((1, 2, 3, 4)) > 0.03).all()


def test_paths_from_an_image_of_a_grid_go_through_the_finer_grids_alone(model):
    made = model(noise=0.1)
    coarse = downsample(made.learner.reference, 2).numpy()[:2]
    [path] = chain_paths(made, coarse, seed=7)
    np.testing.assert_array_equal(path[0], upsample(coarse, 4))
    np.testing.assert_allclose(path[-1], made.chains(coarse, seed=7)[-1], atol=1e-5)


def test_chains_from_one_color_differ_by_noise_alone(model):
    silent = blocks(model(noise=0.0), 3, 4, seed=1)
    assert silent.images.shape == (3, 4, 4, 4, 1)
    assert silent.within < 1e-5
    assert silent.between > 0.01
    assert blocks(model(noise=0.1, noise_end=1.0), 3, 4, seed=1).within > 0.1


def test_energies_begin_with_that_of_the_upscaled_colors(model):
    system = model(noise=0.0, num_langevin_steps=7)
    traces = chain_energies(system, seed=2)
    assert {size: len(trace) for size, trace in traces.items()} == {2: 7, 4: 7}
    grid = system.learner.grids[0]
    start = upsample(system.colors(system.learner.batch_size, 2), 2)
    assert traces[2][0] == pytest.approx(float(np.mean(grid.averaged(start))), rel=1e-4)


def test_energy_falls_along_a_chain_without_noise(model):
    trace = chain_energies(model(noise=0.0, drift=1e-2, num_langevin_steps=20), seed=0)[4]
    assert (np.diff(trace) <= 1e-6).all()


def test_the_nearest_image_is_found_in_every_block():
    rng = np.random.default_rng(0)
    known = rng.integers(0, 256, [57, 4, 4, 3], np.uint8)
    rows = np.array([0, 9, 10, 11, 56])
    near = known[rows].astype(int)
    near[:, 0, 0, 0] += np.where(near[:, 0, 0, 0] < 128, 51, -51)  # 0.4 on [-1, 1]
    where, distances = nearest(near.astype(np.uint8), known, block=10)
    np.testing.assert_array_equal(where, rows)
    np.testing.assert_allclose(distances, 0.4, atol=1e-3)
    assert nearest(known[:3], known, block=10)[1].max() < 1e-2  # float32 of equal images


def test_an_image_is_not_its_own_neighbor():
    known = np.array([0, 10, 13, 200], np.uint8).reshape(4, 1, 1, 1)
    where, distances = nearest(known[1:], known, own=np.array([1, 2, 3]), block=2)
    np.testing.assert_array_equal(where, [2, 1, 2])
    np.testing.assert_allclose(distances, np.array([3, 3, 187]) / 127.5, rtol=1e-3)


def test_unseen_colors_are_the_farthest_of_the_cube():
    from experiments.exp1_synthesis.diagnosis import _farthest

    known = np.random.default_rng(0).uniform(-1, 0, [500, 3]).astype(np.float32)
    colors, gaps = _farthest(known, 4)
    np.testing.assert_array_equal(colors[0], [1, 1, 1])
    assert gaps[0] == pytest.approx(np.linalg.norm(1 - known, axis=1).min())
    assert len(np.unique(colors, axis=0)) == 4
