"""Algorithm 1: where chains start and go, what an update does, what masks hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.chains import ChainStart, FromCoarser, FromData
from mgconv.config import Dynamics
from mgconv.energy import EnergyNet
from mgconv.grids import downsample, masked_downsample, upsample
from mgconv.langevin import ChainInfo, energy_gradient, langevin
from mgconv.layers import GAIN
from mgconv.multigrid import GridLearner
from mgconv.recipes import ENERGY_BASED, RECIPES, SUPERSEDED, GridSpec, grid_spec
from mgconv.training.build import build_learner
from mgconv.training.optimizers import NUM_UNLIMITED, author_gradients, limit_gradients

B, S, C = 4, 4, 1
STILL = {"drift": 1e-30, "noise": 0.0, "data_noise": 0.0}  # chains that do not move
NO_NOISE = {"noise": 0.0, "data_noise": 0.0}
SEED = tf.constant([5, 6])
eagerly = pytest.mark.usefixtures("no_graphs")
METRICS = {"gap", "contrast", "drift_rms", "saturated", "gradient_norm"}


def batch(seed, size=S):
    return tf.random.stateless_uniform([B, size, size, C], [0, seed], -0.9, 0.9)


def mask(seed, share=0.5):
    return tf.random.stateless_uniform([B, S, S, 1], [1, seed]) < share


@pytest.fixture
def build(tiny):
    """Makes a learner of grids 2 and 4; keep it in a variable while it works."""

    def make(**given):
        config = tiny(**given)
        return build_learner(config, colors_of(30), batch(40).numpy(), num_images=3 * B)

    return make


def colors_of(seed):
    return downsample(batch(seed), 1).numpy()


def state(learner):
    """Everything that a checkpoint of the learner would hold, by name."""
    found = {}
    for index, grid in enumerate(learner.grids):
        groups = {"net": grid.net.weights, "optimizer": grid.optimizer.variables}
        groups["averaged"] = grid.averaged.weights if grid.averaged else []
        groups["start"] = grid.start.variables
        for group, variables in groups.items():
            found |= {(index, group, i): np.array(v) for i, v in enumerate(variables)}
    return found | {"count": np.array(learner.update_count), "seed": np.array(learner.seed)}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


class Spy(ChainStart):
    """A chain start that remembers what it was given and told."""

    def __init__(self, start, size, coarser_size):
        super().__init__()
        self.start = start
        self.observed, self.samples = (tf.Variable(tf.zeros([B, size, size, C])) for _ in range(2))
        self.coarser = tf.Variable(tf.zeros([B, coarser_size, coarser_size, C]))

    def begin(self, observed, coarser):
        self.observed.assign(observed)
        self.coarser.assign(coarser)
        return self.start.begin(observed, coarser)

    def end(self, samples):
        self.samples.assign(samples)
        self.start.end(samples)


def spied(learner):
    """The learner with a Spy on each grid's chain starts."""
    below = 1
    for grid in learner.grids:
        grid.start = Spy(grid.start, grid.size, below)
        below = grid.size
    return learner


def grid_learner(start=None, dynamics=None, optimizer=None, **given):
    """One grid of 4 pixels by itself."""
    import keras

    net = EnergyNet(grid_spec("paper", 4, 0.05), C, normalization="none", activation="silu")
    dynamics = dynamics or Dynamics(3, 0.5, 0.0)
    optimizer = optimizer or keras.optimizers.SGD(1e-3)
    return GridLearner(net, start or FromCoarser(), dynamics, dynamics, optimizer, **given)


# -- a contract for every method under every recipe


@pytest.mark.parametrize("recipe", [*RECIPES, *SUPERSEDED])
@pytest.mark.parametrize("method", ENERGY_BASED)
def test_an_update_gives_finite_scalars_for_each_grid_that_learns(method, recipe, tiny, build):
    settings = {"method": method, "recipe": recipe}
    learner = build(**settings)
    sizes = tiny(**settings).learned_sizes
    before = state(learner)
    scalars = learner.train_step(batch(0))
    assert scalars.keys() == {f"{name}/{size}" for name in METRICS for size in sizes}
    assert all(np.isfinite(value) for value in scalars.values())
    assert int(learner.update_count) == 1
    after = state(learner)
    for index in range(len(sizes)):
        weights = [key for key in before if key[:2] == (index, "net")]
        assert any((before[key] != after[key]).any() for key in weights)
        assert all(np.isfinite(after[key]).all() for key in weights)
    samples = learner.sample(colors_of(1), SEED)
    assert [x.shape for x in samples] == [(B, size, size, C) for size in sizes]
    assert all(float(tf.reduce_max(tf.abs(x))) <= 1 for x in samples)


# -- the update


def spectral_norm(convolve, norm, shape):
    """Of the linear map that a convolution is, from all images of `shape` [h, w, C]."""
    basis = tf.reshape(tf.eye(int(np.prod(shape))), [-1, *shape])
    maps = convolve.fixed(norm.fold)(basis) - convolve.bias
    return np.linalg.norm(np.reshape(maps, [len(basis), -1]), 2), maps.shape[1:]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_absurd_updates_leave_the_slope_of_the_energy_below_its_bound(build, optimizer):
    """|dU/dx| <= limit * product over layers of 1.1 (SiLU's largest slope) * spectral norm.

    Whatever the weights are, that norm is at most GAIN sqrt(K) ceil(kernel / stride): a pixel is in
    ceil(kernel / stride)^2 windows, and the K filters of norm GAIN have at most norm GAIN sqrt(K).
    """
    limit, given = 2.0, {"learning_rate": 1e4, "warm_up": 0, "optimizer": optimizer}
    given |= {"gradient_limit": None}  # nothing but the readout's limit holds
    learner = build(recipe="modern", readout_limit=limit, width=0.1, **given)
    for index in range(4):
        learner.train_step(batch(index))
    for grid in learner.grids:
        assert np.abs(grid.net.convolutions[-1].kernel).max() > 100
        assert np.linalg.norm(grid.net.scalar.kernel) == pytest.approx(limit, rel=0.1)
        for net in (grid.net, grid.averaged):
            bound, shape = limit, (grid.size, grid.size, C)
            for conv, convolve, norm in zip(net.spec.convs, net.convolutions, net.norms):
                spectral, shape = spectral_norm(convolve, norm, shape)
                assert spectral <= GAIN * conv.filters**0.5 * -(-conv.kernel // conv.stride)
                bound *= 1.1 * spectral
            x = tf.random.stateless_uniform([256, grid.size, grid.size, C], SEED, -1, 1)
            slopes = np.linalg.norm(np.reshape(energy_gradient(net, x)[0], [256, -1]), axis=1)
            assert 0 < slopes.max() <= bound


def test_an_update_ascends_the_gap_of_the_images_that_it_saw():
    grid = grid_learner()
    observed, coarser = batch(0), batch(1, size=2)
    synthesized, info = grid.update(observed, coarser, SEED)
    f = grid.net.f
    after = tf.reduce_mean(f(observed)) - tf.reduce_mean(f(synthesized))
    assert float(after) > float(info["gap"])


def test_a_step_of_sgd_is_the_learning_rate_times_the_gaps_gradient():
    import keras

    grid = grid_learner(FromData(), Dynamics(1, 0.5, 0.0), keras.optimizers.SGD(0.1))
    observed, before = batch(0), [tf.constant(w.value) for w in grid.net.weights]
    synthesized, _ = grid.synthesize(observed, SEED)
    with tf.GradientTape() as tape:
        gap = tf.reduce_mean(grid.net.f(observed) - grid.net.f(synthesized))
        values = [weight.value for weight in grid.net.trainable_variables]
    gradients = tape.gradient(gap, values)
    _, info = grid.update(observed, downsample(observed, 1), SEED)
    assert float(info["gap"]) == pytest.approx(float(gap), abs=1e-6)
    for weight, old, gradient in zip(grid.net.trainable_variables, before, gradients):
        # the scalar's bias cancels in the gap: tape and optimizer agree that it has no gradient
        np.testing.assert_allclose(weight - old, 0.1 * gradient, atol=1e-6)


@eagerly
def test_observed_and_synthesized_have_batch_statistics_of_their_own(build):
    """Each set goes through f alone: the gap is the difference of two separate calls."""
    learner = build(recipe="released", method="single_grid", **STILL)
    grid, observed = learner.grids[0], batch(0)
    x0 = upsample(downsample(observed, 1), S)
    expected = tf.reduce_mean(grid.net.f(observed)) - tf.reduce_mean(grid.net.f(x0))
    scalars = learner.train_step(observed)
    assert float(scalars["gap/4"]) == pytest.approx(float(expected), abs=1e-5)


@eagerly
def test_contrast_is_the_spread_of_the_samples_over_that_of_the_images(build):
    learner = build(method="single_grid", **STILL)
    observed = batch(0)
    samples = upsample(downsample(observed, 1), S)
    expected = np.std(samples) / np.std(observed)
    assert float(learner.train_step(observed)["contrast/4"]) == pytest.approx(expected, rel=1e-5)


@eagerly
def test_images_of_one_color_are_no_divergence(build):
    """Where the images have no spread, contrast has no value that could stop a run."""
    learner = build(recipe="released")
    scalars = learner.train_step(tf.zeros([B, S, S, C]))
    assert all(np.isfinite(value) for value in scalars.values())


def test_data_noise_is_added_to_observed_images_and_stays_in_the_box():
    grid = grid_learner(FromData(), Dynamics(1, 1e-30, 0.0), data_noise=0.1)
    gray = tf.zeros([400, 4, 4, C])
    noisy, _ = grid.update(gray, downsample(gray, 1), SEED)
    assert float(tf.math.reduce_std(noisy)) == pytest.approx(0.1, rel=0.03)
    white, _ = grid.update(tf.ones_like(gray), downsample(gray, 1), SEED)
    assert float(tf.reduce_max(white)) == 1
    assert float(tf.reduce_mean(tf.cast(white < 1, tf.float32))) == pytest.approx(0.5, abs=0.03)


@eagerly
def test_no_two_updates_draw_the_same_noise(build):
    learner = spied(build(method="cd1", drift=1e-30, noise=0.1, noise_coarse=1, data_noise=0.0))
    noise = []
    for _ in range(2):
        learner.train_step(tf.zeros([B, S, S, C]) + 0.01 * batch(0))
        noise.append(learner.grids[0].start.samples.numpy())
    assert (noise[0] != noise[1]).all()


@eagerly
def test_every_grid_of_every_update_and_sample_has_a_seed_of_its_own(build):
    learner, seeds = build(), []
    nothing = ChainInfo(*tf.zeros([3]))

    def stay(energy_fn, x0, dynamics, seed, project):
        seeds.append(tuple(seed.numpy()))
        return x0, nothing

    for grid in learner.grids:
        grid.langevin = stay
    for index in range(2):
        learner.train_step(batch(0))
        learner.sample(colors_of(0), SEED + index)
    assert len(set(seeds)) == len(seeds) == 8


def test_the_norm_that_is_logged_is_of_the_gradients_before_they_are_changed():
    def halved(net, gradients):
        return [gradient / 2 for gradient in gradients]

    given = batch(0), batch(1, size=2), SEED
    norms = [
        float(grid_learner(**changed).update(*given)[1]["gradient_norm"])
        for changed in ({}, {"change_gradients": halved})
    ]
    assert norms[0] == pytest.approx(norms[1])
    assert norms[0] > 0


def test_another_seed_makes_another_model(build):
    first, second = build(seed=0), build(seed=1)
    assert not same(state(first), state(second))


# -- where chains start


@pytest.mark.parametrize("method", ["multigrid", "single_grid"])
@eagerly
def test_chains_from_coarser_start_from_up_scaled_colors(method, build):
    """Chains that don't move end as the colors, so the gap is known."""
    learner, observed = build(method=method, **STILL), batch(0)
    f, x0 = learner.grids[-1].net.f, upsample(downsample(observed, 1), S)
    expected = float(tf.reduce_mean(f(observed)) - tf.reduce_mean(f(x0)))
    assert float(learner.train_step(observed)["gap/4"]) == pytest.approx(expected, abs=1e-5)


@eagerly
def test_one_step_cd_starts_from_the_observed_images(build):
    learner, observed = spied(build(method="cd1", **STILL)), batch(0)
    scalars = learner.train_step(observed)
    np.testing.assert_array_equal(learner.grids[0].start.samples, observed)
    assert float(scalars["gap/4"]) == 0
    assert float(scalars["contrast/4"]) == 1


@eagerly
def test_one_step_cd_takes_one_step_to_learn_and_as_many_as_single_grid_to_sample(build):
    """Where the energy is flat, k steps of noise n spread a pixel by n sqrt(k)."""
    flat = {"drift": 1e-30, "noise": 0.05, "noise_coarse": 1.0, "noise_end": 1.0, "data_noise": 0.0}
    learner = spied(build(method="cd1", num_langevin_steps=8, **flat))
    learner.train_step(tf.zeros([B, S, S, C]))
    assert np.std(learner.grids[0].start.samples) == pytest.approx(0.05, rel=0.2)
    (samples,) = learner.sample(tf.zeros([B, 1, 1, C]), SEED)
    assert np.std(samples) == pytest.approx(0.05 * (2 * 8) ** 0.5, rel=0.2)  # of two grids


@eagerly
def test_persistent_cd_goes_on_where_its_chains_ended(build):
    """Two slots: updates 0 and 1 start from the images, update 2 from where update 0 ended."""
    learner = spied(build(method="pcd", pool_size=2 * B, **STILL))
    for update in range(5):
        learner.train_step(batch(update))
        samples = learner.grids[0].start.samples
        np.testing.assert_array_equal(samples, batch(update % 2))


def test_by_default_the_pool_holds_ten_batches(build):
    assert build(method="pcd").grids[0].start.num_slots == 10


@eagerly
def test_a_finer_grid_starts_from_the_sample_of_the_grid_below(build):
    """From the sample, not from the observed image at that grid."""
    learner, observed = spied(build(**NO_NOISE)), batch(0)
    coarse, fine = learner.grids
    colors = downsample(observed, 1)
    expected, _ = coarse.synthesize(upsample(colors, 2), SEED)
    learner.train_step(observed)
    np.testing.assert_allclose(coarse.start.coarser, colors, atol=1e-6)
    np.testing.assert_allclose(coarse.start.observed, downsample(observed, 2), atol=1e-6)
    np.testing.assert_allclose(fine.start.coarser, expected, atol=1e-5)
    np.testing.assert_array_equal(fine.start.observed, observed)
    assert np.abs(expected - downsample(observed, 2)).max() > 0.1


# -- samples


@pytest.mark.parametrize("method", ENERGY_BASED)
@eagerly
def test_every_method_samples_from_up_scaled_colors(method, build):
    learner, colors = build(method=method, **STILL), colors_of(3)
    for x in learner.sample(colors, SEED):
        np.testing.assert_array_equal(x, upsample(colors, x.shape[1]))


@eagerly
def test_samples_go_through_the_grids_from_coarse_to_fine(build):
    learner, colors = build(**NO_NOISE), colors_of(3)
    samples = learner.sample(colors, SEED)
    coarse, _ = learner.grids[0].synthesize(upsample(colors, 2), SEED)
    np.testing.assert_allclose(samples[0], coarse, atol=1e-5)
    fine, _ = learner.grids[1].synthesize(upsample(coarse, 4), SEED)
    np.testing.assert_allclose(samples[1], fine, atol=1e-5)


@eagerly
def test_a_sample_of_a_grid_goes_through_the_finer_grids_as_it_would_have(build):
    """With the same seed, to the same bits: chains from colors, and from where a grid left them."""
    learner = build(grids=(1, 2, 4), noise=0.1, noise_end=1.0)
    coarse, fine = learner.sample(colors_of(1), SEED)
    [again] = learner.sample(coarse, SEED)
    np.testing.assert_array_equal(again, fine)
    assert np.abs(fine - upsample(coarse, 4)).max() > 0.1
    assert learner.sample(fine, SEED) == []


def test_samples_are_a_function_of_colors_and_seed(build):
    learner, colors = build(), colors_of(3)
    first = learner.sample(colors, SEED)
    for x, again, other in zip(
        first, learner.sample(colors, SEED), learner.sample(colors, SEED + 1)
    ):
        np.testing.assert_array_equal(x, again)
        assert (x != other).numpy().any()
    assert learner.sample.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("normalization", ["batch", "kernels", "standardized"])
@eagerly
def test_a_chain_depends_on_its_neighbors_by_batch_statistics_alone(build, normalization):
    learner = build(recipe="modern", normalization=normalization, **NO_NOISE)
    colors = colors_of(3)
    others = tf.concat([colors[:1], -colors[1:]], axis=0)
    ends = [learner.sample(starts, SEED)[-1][0] for starts in (colors, others)]
    assert (np.abs(ends[0] - ends[1]).max() < 1e-5) == (normalization != "batch")


@eagerly
def test_training_chains_leave_no_trace_in_samples(build):
    """Sampling neither reads nor writes the pool."""
    learner = build(method="pcd", pool_size=B)
    learner.train_step(batch(0))
    before = state(learner)
    first = learner.sample(colors_of(3), SEED)[-1]
    assert same(state(learner), before)
    learner.grids[0].start.reset()
    np.testing.assert_array_equal(learner.sample(colors_of(3), SEED)[-1], first)


@eagerly
def test_a_preview_shows_every_grid_from_colors_of_the_reference_images(build):
    learner = build(**STILL)
    preview = learner.preview(SEED)
    kinds = ("observed", "synthesized", "energy_observed", "energy_synthesized")
    assert preview.keys() == {f"{kind}/{size}" for kind in kinds for size in (2, 4)}
    np.testing.assert_array_equal(preview["observed/4"], learner.reference)
    np.testing.assert_allclose(
        preview["energy_observed/4"], learner.grids[1].net(learner.reference)
    )
    colors = downsample(learner.reference, 1)
    np.testing.assert_array_equal(preview["synthesized/4"], upsample(colors, 4))


# -- traces and resets


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "modern", "average_decay": 0.9},
        {"recipe": "paper", "method": "pcd", "pool_size": 2 * B},
    ],
    ids=["adam, averaged", "sgd with decay, pool"],
)
def test_a_reset_learner_is_a_fresh_one_bit_for_bit_without_a_new_trace(settings, build):
    used, fresh = build(seed=3, **settings), build(seed=8, **settings)
    used.train_step(batch(0))
    used.train_step(batch(1))
    assert not same(state(used), state(fresh))
    used.reset(8, colors_of(30), batch(40).numpy())
    assert same(state(used), state(fresh))
    for update in range(2):
        scalars, expected = (x.train_step(batch(10 + update)) for x in (used, fresh))
        assert all(float(scalars[name]) == float(expected[name]) for name in expected)
    assert same(state(used), state(fresh))
    assert used.train_step.experimental_get_tracing_count() == 1


def test_a_reset_takes_any_number_of_colors(build):
    learner = build()
    colors = np.linspace(-1, 1, 7, dtype=np.float32).reshape(7, 1, 1, 1)
    reference = batch(2).numpy()
    learner.reset(1, colors, reference)
    np.testing.assert_array_equal(learner.colors, colors)
    np.testing.assert_array_equal(learner.reference, reference)


# -- averaged weights


def test_training_chains_follow_the_weights_that_learn_and_samples_the_averaged_ones():
    """The averaged energy is flat here, so its chains stay where they are."""
    averaged = EnergyNet(grid_spec("paper", 4, 0.05), C, normalization="none", activation="silu")
    averaged.scalar.kernel.assign(tf.zeros_like(averaged.scalar.kernel))
    grid, coarser = grid_learner(averaged=averaged, average_decay=0.9), batch(1, size=2)
    x0 = upsample(coarser, S)
    np.testing.assert_array_equal(grid.synthesize(x0, SEED)[0], x0)
    expected, _ = langevin(grid.net.fixed(), x0, grid.training_dynamics, SEED)
    synthesized, _ = grid.update(batch(0), coarser, SEED)
    np.testing.assert_allclose(synthesized, expected, atol=1e-6)
    assert np.abs(expected - x0).max() > 0.01


@eagerly
def test_samples_use_the_running_average_of_the_weights(build):
    """After update n, a <- d a + (1 - d) w, d = min(decay, n / (9 + n))."""
    decay = 0.15
    learner = build(average_decay=decay, method="single_grid", **NO_NOISE)
    grid = learner.grids[0]
    average = [weight.numpy() for weight in grid.averaged.weights]
    for net_weight, value in zip(grid.net.weights, average):
        np.testing.assert_array_equal(net_weight, value)
    for update in range(1, 4):
        learner.train_step(batch(update))
        share = min(decay, update / (9 + update))
        weights = [weight.numpy() for weight in grid.net.weights]
        average = [share * a + (1 - share) * w for a, w in zip(average, weights)]
        for got, expected in zip(grid.averaged.weights, average):
            np.testing.assert_allclose(got, expected, atol=1e-6)
    for weight in grid.net.weights:
        weight.assign(tf.zeros_like(weight))
    moved = learner.sample(colors_of(0), SEED)[0] - upsample(colors_of(0), S)
    assert float(tf.reduce_max(tf.abs(moved))) > 0


# -- the authors' gradients


@pytest.mark.parametrize(("size", "area"), [(4, 4), (16, 64), (64, 1024)])
def test_author_gradients_are_scaled_as_in_the_authors_code(size, area):
    """Fully connected x 0.1; every kernel / the area of the first map; the rest untouched."""
    net = EnergyNet(grid_spec("paper", size, 0.03), 3)
    values = [np.full(weight.shape, 0.5, np.float32) for weight in net.trainable_variables]
    connected = {id(weight) for weight in net.scalar.trainable_variables}
    scaled = author_gradients(net, [tf.constant(value) for value in values])
    assert len(scaled) == len(values)
    for weight, gradient in zip(net.trainable_variables, scaled):
        if id(weight) in connected:
            expected = 0.05
        else:
            expected = 0.5 / area if len(weight.shape) == 4 else 0.5
        np.testing.assert_allclose(gradient, np.full(weight.shape, expected), rtol=1e-6)


def test_author_gradients_bring_the_largest_entry_of_a_tensor_to_1_at_most():
    net = EnergyNet(grid_spec("paper", 4, 0.03), 3)
    values = [np.linspace(-100, 50, weight.shape.num_elements()) for weight in net.weights]
    values = [tf.constant(v.reshape(w.shape), tf.float32) for v, w in zip(values, net.weights)]
    for value, gradient in zip(values, author_gradients(net, values)):
        np.testing.assert_allclose(gradient, value / tf.reduce_max(tf.abs(value)), rtol=1e-5)


def test_author_gradients_use_the_area_of_the_map_also_where_the_size_is_odd():
    """A 5 x 5 kernel with stride 2 over 3 pixels, padded, makes a 2 x 2 map."""
    spec = GridSpec(3, grid_spec("paper", 4, 0.03).convs)
    net = EnergyNet(spec, 1)
    assert net.features(tf.zeros([2, 3, 3, 1]))[0].shape[1:3] == (2, 2)
    scaled = author_gradients(net, [tf.fill(weight.shape, 0.5) for weight in net.weights])
    kernels = [g for w, g in zip(net.weights, scaled) if len(w.shape) == 4]
    for kernel in kernels:
        np.testing.assert_allclose(kernel, np.full(kernel.shape, 0.5 / 4), rtol=1e-6)


# -- known pixels


@pytest.fixture(scope="module")
def filling(tiny):
    """A learner whose chains move a lot, and images with a mask."""
    config = tiny(drift=0.5, noise=0.3)
    learner = build_learner(config, colors_of(30), batch(40).numpy(), num_images=3 * B)
    learner.train_step(batch(0))
    return learner, batch(1), mask(2)


def test_fill_holds_the_visible_pixels_exactly(filling):
    learner, images, visible = filling
    filled = learner.fill(images, visible, SEED)[-1]
    known = np.broadcast_to(visible, filled.shape)
    np.testing.assert_array_equal(filled.numpy()[known], images.numpy()[known])
    assert (filled.numpy()[~known] != images.numpy()[~known]).all()


def test_hidden_pixels_of_the_input_have_no_influence_on_fill(filling):
    learner, images, visible = filling
    first = learner.fill(images, visible, SEED)
    for hidden in (batch(9), tf.fill(images.shape, 0.25), tf.fill(images.shape, np.nan)):
        again = learner.fill(tf.where(visible, images, hidden), visible, SEED)
        for x, expected in zip(again, first):
            np.testing.assert_array_equal(x, expected)


def blocks_with(counts):
    """A mask whose four blocks of four pixels have so many visible ones each."""
    visible = np.zeros([B, S, S, 1], bool)
    for block, count in enumerate(counts):
        for pixel in range(count):
            visible[:, 2 * (block // 2) + pixel // 2, 2 * (block % 2) + pixel % 2] = True
    return tf.constant(visible)


def held(coarse, images, visible):
    """Which of the four coarse pixels are the means of what is visible of them."""
    means, _ = masked_downsample(images, visible, 2)
    return np.isclose(coarse, means, atol=1e-6)[0, ..., 0].ravel().tolist()


def test_fill_holds_a_coarse_pixel_where_a_quarter_of_its_block_is_visible(filling):
    learner, images, _ = filling
    visible = blocks_with([0, 1, 3, 4])
    coarse = learner.fill(images, visible, SEED)[0]
    assert held(coarse, images, visible) == [False, True, True, True]


def test_learning_holds_a_coarse_pixel_only_where_its_whole_block_is_visible(build):
    learner = spied(build(drift=0.5, noise=0.3, data_noise=0.0))
    images, visible = batch(1), blocks_with([0, 1, 3, 4])
    learner.train_step(images, visible)
    samples = learner.grids[0].start.samples
    assert held(samples, images, visible) == [False, False, False, True]


@eagerly
def test_fill_starts_hidden_pixels_from_what_is_known_of_them(build):
    """Chains that don't move show the start: the pixel, else the grid below's, else the color."""
    learner, images = build(**STILL), batch(1)
    visible = np.zeros([B, S, S, 1], bool)
    visible[:, 0, 0] = visible[:, 0, 1] = visible[:, 3, 3] = True  # in two of the four blocks
    coarse, fine = (x.numpy() for x in learner.fill(images, tf.constant(visible), SEED))
    images = images.numpy()
    block, corner = (images[:, 0, 0] + images[:, 0, 1]) / 2, images[:, 3, 3]
    color = (images[:, 0, 0] + images[:, 0, 1] + images[:, 3, 3]) / 3
    expected = np.stack([np.stack([block, color], 1), np.stack([color, corner], 1)], 1)
    np.testing.assert_allclose(coarse, expected, atol=1e-6)
    expected = np.where(visible, images, upsample(expected, S))
    np.testing.assert_allclose(fine, expected, atol=1e-6)


@eagerly
def test_where_nothing_is_visible_chains_start_from_the_training_sets_mean_color(build):
    learner, images = build(**STILL), batch(1)
    filled = learner.fill(images, tf.zeros([B, S, S, 1], tf.bool), SEED)[-1]
    expected = np.full(filled.shape, learner.colors.numpy().mean())
    np.testing.assert_allclose(filled, expected, atol=1e-6)


@pytest.mark.parametrize("method", ENERGY_BASED)
def test_learning_with_a_mask_holds_visible_pixels_in_the_training_chains(method, build):
    learner = spied(build(method=method, drift=0.5, noise=0.3, data_noise=0.0))
    images, visible = batch(1), mask(2)
    scalars = learner.train_step(images, visible)
    assert all(np.isfinite(value) for value in scalars.values())
    known = np.broadcast_to(visible, images.shape)
    samples = learner.grids[-1].start.samples.numpy()
    np.testing.assert_array_equal(samples[known], images.numpy()[known])
    assert (samples[~known] != images.numpy()[~known]).all()
    if method == "multigrid":
        colors = masked_downsample(images, visible, 1)[0]
        np.testing.assert_allclose(learner.grids[0].start.coarser, colors, atol=1e-6)


@eagerly
def test_learning_with_a_mask_still_observes_whole_images(build):
    learner = spied(build(data_noise=0.0))
    learner.train_step(batch(1), mask(2))
    np.testing.assert_array_equal(learner.grids[-1].start.observed, batch(1))


@eagerly
def test_noise_on_observed_images_leaves_known_pixels_known(build):
    """Else f would tell both sides apart by pixels that no chain may move."""
    learner, images, visible = spied(build(data_noise=0.3)), batch(1), mask(2)
    learner.train_step(images, visible)
    known = np.broadcast_to(visible, images.shape)
    observed, samples = (
        getattr(learner.grids[-1].start, n).numpy() for n in ("observed", "samples")
    )
    np.testing.assert_array_equal(observed[known], samples[known])
    assert (observed[~known] != images.numpy()[~known]).mean() > 0.9


# -- faster ways of the same


def after_updates(learner, num=3):
    """All its weights after a few updates, as one vector."""
    for index in range(num):
        scalars = learner.train_step(batch(index))
    assert all(np.isfinite(value) for value in scalars.values())
    return np.concatenate([np.ravel(weight) for weight in learner.weights])


@pytest.mark.parametrize("recipe", ["modern", "released", *SUPERSEDED])
def test_compiled_chains_learn_what_others_learn(build, recipe):
    """Without noise: XLA draws other random numbers for the same seed.

    By SGD: Adam makes steps of the rounding in gradients that are 0, ahead of batch statistics.
    """
    given = {"recipe": recipe, "optimizer": "sgd", "gradient_limit": None} | NO_NOISE
    given |= {"learning_rate": 0.01}
    plain, compiled = (
        after_updates(build(jit_compile=compiled, **given)) for compiled in (False, True)
    )
    assert np.abs(plain - compiled).max() < 1e-3 * np.abs(plain).max()


def test_convolutions_in_bfloat16_have_nearly_the_energies_of_float32():
    """8 bits of mantissa: within 2 % of the spread over images; all that is kept is float32."""
    spec = GridSpec(8, grid_spec("paper", 16, 0.1).convs)
    plain, mixed = (
        EnergyNet(spec, C, 3, "none", "silu", precision=precision)
        for precision in ("float32", "bfloat16")
    )
    images = batch(1, 8)
    energies, close = plain(images), mixed(images)
    assert close.dtype == tf.float32
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert {x.dtype for x in mixed.features(images)} == {tf.float32}
    spread = np.std(energies)
    assert 0 < np.abs(energies - close).max() < 0.02 * spread + 1e-3 * np.abs(energies).max()


def test_bfloat16_learns_with_float32_state(build):
    learner = build(mixed_precision="bfloat16")
    after_updates(learner)
    assert {x.dtype for x in learner.sample(colors_of(1), SEED)} == {tf.float32}


def test_a_learner_is_traced_once_however_often_it_learns_samples_and_is_reset(tiny):
    """One graph for all updates and one for all samples: nothing is traced anew by a number."""
    images = np.random.default_rng(0).uniform(-1, 1, [4, 4, 4, 1]).astype(np.float32)
    colors = images.mean(axis=(1, 2), keepdims=True)
    learner = build_learner(tiny(), colors, images, 12)
    for seed in range(3):
        learner.train_step(tf.constant(images))
        learner.sample(tf.constant(colors), tf.constant([0, seed]))
        learner.reset(seed, colors[: seed + 1], images)
        learner.seed.assign([seed, seed])
    assert learner.train_step.experimental_get_tracing_count() == 1
    assert learner.sample.experimental_get_tracing_count() == 1


# -- gradients of a batch that overshoots


def adam_of(weights, limit):
    optimizer = keras.optimizers.Adam(0.01, beta_1=0.5, epsilon=1e-8)
    optimizer.build(weights)
    return optimizer, limit_gradients(optimizer, limit)


def test_a_gradient_is_limited_by_the_usual_norm():
    weights = [keras.Variable(np.zeros([3], np.float32)), keras.Variable(np.zeros([], np.float32))]
    optimizer, limited = adam_of(weights, 3.0)
    usual = [tf.constant([3.0, 0.0, 0.0]), tf.constant(4.0)]  # of norm 5
    for _ in range(NUM_UNLIMITED):
        huge = [1e6 * gradient for gradient in usual]
        for gradient, same in zip(limited(None, huge), huge):
            np.testing.assert_array_equal(gradient, same)  # the memory is short yet
        optimizer.apply(limited(None, usual), weights)
    for factor, expected in ((1.0, 1.0), (2.9, 2.9), (100.0, 3.0), (1e12, 3.0)):
        found = limited(None, [factor * gradient for gradient in usual])
        for gradient, direction in zip(found, usual):
            np.testing.assert_allclose(gradient, expected * direction, rtol=1e-4)
    for gradient in limited(None, [0.0 * gradient for gradient in usual]):
        np.testing.assert_array_equal(gradient, tf.zeros_like(gradient))


def test_one_huge_gradient_does_not_end_learning():
    """Without a limit Adam divides the next thousand steps by what it has seen."""
    steps = {}
    for limit in (3.0, 1e9):
        weight = keras.Variable(np.zeros([2], np.float32))
        optimizer, limited = adam_of([weight], limit)
        for update in range(60):
            scale = 1e4 if update == 30 else 1.0
            before = weight.numpy()
            optimizer.apply(limited(None, [scale * tf.constant([1.0, -1.0])]), [weight])
            steps[limit] = np.abs(weight.numpy() - before).max()
    assert steps[3.0] > 0.008
    assert steps[1e9] < 1e-4
