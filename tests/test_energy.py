"""The net of one grid: its size, its reference, its normalization, its weights."""

import math

import numpy as np
import pytest
import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.langevin import energy_gradient
from mgconv.layers import (
    GAIN,
    NORMALIZATIONS,
    BatchStatistics,
    GroupStatistics,
    NormalizedKernels,
    SpectralKernels,
    StandardizedKernels,
)
from mgconv.recipes import Conv, GridSpec, grid_spec

SPEC = GridSpec(4, (Conv(3, 3, 1), Conv(4, 3, 2)))


def random_images(num=5, size=4, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(-1, 1, [num, size, size, channels]), tf.float32)


def values(net):
    return [weight.numpy() for weight in net.weights]


def without_f(net):
    """The net with f = 0."""
    for weight in net.scalar.weights:
        weight.assign(tf.zeros_like(weight))
    return net


# -- sizes


@pytest.mark.parametrize(
    ("nets", "size", "count"),
    [
        ("paper", 4, 415_169),
        ("paper", 16, 1_628_097),
        ("paper", 64, 440_321),
        ("released", 4, 415_169),
        ("released", 16, 1_628_097),
        ("released", 64, 4_316_673),
    ],
)
def test_nets_have_the_authors_number_of_parameters(nets, size, count):
    net = EnergyNet(grid_spec(nets, size), 3, normalization="batch")
    assert sum(weight.numpy().size for weight in net.trainable_variables) == count
    assert len(net.weights) == len(net.trainable_variables)


@pytest.mark.parametrize("normalization", ["batch", "none"])
def test_features_are_the_maps_of_all_convolutional_layers(normalization):
    spec = grid_spec("paper", 16, 0.1)
    net = EnergyNet(spec, 3, normalization=normalization)
    maps = net.features(random_images(5, 16, 3))
    assert [tuple(x.shape) for x in maps] == [(5, 8, 8, c.filters) for c in spec.convs]
    spec = grid_spec("paper", 64, 0.1)
    maps = EnergyNet(spec, 3).features(random_images(2, 64, 3))
    assert [x.shape[1] for x in maps] == [32, 16, 16]


def test_features_come_after_the_activation():
    maps = EnergyNet(SPEC, 1, activation="relu").features(random_images())
    assert all(float(tf.reduce_min(x)) == 0 for x in maps)
    with_slope = EnergyNet(SPEC, 1, activation="leaky_relu").features(random_images())
    assert all(float(tf.reduce_min(x)) < 0 for x in with_slope)


def test_leaky_relu_has_the_slope_of_the_authors_code():
    net = EnergyNet(SPEC, 1, activation="leaky_relu", normalization="none")
    x = random_images()
    plain = net.convolutions[0](x).numpy()
    expected = np.where(plain > 0, plain, 0.2 * plain)
    np.testing.assert_allclose(net.features(x)[0], expected, rtol=1e-5, atol=1e-7)


# -- the energy


def test_without_a_reference_the_energy_is_minus_f():
    net, x = EnergyNet(SPEC, 1, reference_sigma=None), random_images()
    np.testing.assert_array_equal(net(x), -net.f(x))


def test_the_reference_is_the_squared_distance_to_black_over_twice_the_variance():
    sigma = 0.4
    net = without_f(EnergyNet(SPEC, 1, reference_sigma=sigma))
    black, gray, white = (tf.fill([1, 4, 4, 1], level) for level in (-1.0, 0.0, 1.0))
    assert float(net(black)[0]) == 0
    assert float(net(gray)[0]) == pytest.approx(16 / (2 * sigma**2))
    assert float(net(white)[0]) == pytest.approx(16 * 4 / (2 * sigma**2))
    x = random_images()
    np.testing.assert_allclose(energy_gradient(net, x)[0], (x + 1) / sigma**2, rtol=1e-5)


def test_reference_and_f_add_up():
    net, x = EnergyNet(SPEC, 1, reference_sigma=0.4), random_images()
    distance = tf.reduce_sum((x + 1) ** 2, axis=[1, 2, 3]) / (2 * 0.4**2)
    np.testing.assert_allclose(net(x), distance - net.f(x), rtol=1e-5)


def test_f_is_one_number_an_image():
    assert EnergyNet(SPEC, 1).f(random_images(5)).shape == (5,)


# -- batch statistics


def test_batch_statistics_give_mean_beta_and_spread_gamma():
    layer = BatchStatistics()
    x = 5 + 3 * tf.random.stateless_normal([64, 4, 4, 2], [0, 0])
    layer(x)
    layer.gamma.assign([2.0, 0.5])
    layer.beta.assign([-1.0, 3.0])
    y = layer(x).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), [-1, 3], atol=1e-4)
    np.testing.assert_allclose(y.std((0, 1, 2)), [2, 0.5], rtol=1e-3)


def test_batch_statistics_are_those_of_the_batch_with_the_authors_epsilon():
    """At a variance as small as epsilon, another epsilon would show."""
    x = np.random.default_rng(0).normal(0, math.sqrt(1e-5), [8, 4, 4, 3]).astype(np.float32)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(BatchStatistics()(x), expected, rtol=2e-3, atol=1e-4)


def test_batch_statistics_keep_nothing_from_call_to_call():
    layer, x = BatchStatistics(), random_images()
    first = layer(x).numpy()
    layer(100 + 50 * x)
    np.testing.assert_array_equal(layer(x), first)
    assert {weight.name for weight in layer.weights} == {"gamma", "beta"}


def test_normalized_kernels_have_mean_0_and_the_norm_that_is_learned():
    layer = NormalizedKernels()
    layer.build([None, 4, 4, 5])
    layer.gamma.assign([1.0, 2.0, 0.5, -1.0, 3.0])
    kernel = np.random.default_rng(0).normal(2, 7, [3, 3, 4, 5]).astype(np.float32)
    folded, bias = layer.fold(kernel, tf.range(5.0))
    np.testing.assert_allclose(np.mean(folded, (0, 1, 2)), 0, atol=1e-5)
    norms = np.linalg.norm(np.reshape(folded, [-1, 5]), axis=0)
    np.testing.assert_allclose(norms, GAIN * np.abs(layer.gamma.numpy()), rtol=1e-4)
    np.testing.assert_array_equal(bias, np.arange(5))
    scaled, _ = layer.fold(10 * kernel + 3, tf.range(5.0))  # neither offset nor scale matters
    np.testing.assert_allclose(scaled, folded, atol=1e-4)


def test_standardized_kernels_are_normalized_ones_whose_gains_stay_1():
    kernel = np.random.default_rng(0).normal(2, 7, [3, 3, 4, 5]).astype(np.float32)
    learned, fixed = NormalizedKernels(), StandardizedKernels()
    learned.build([None, 4, 4, 5])
    for ours, theirs in zip(fixed.fold(kernel, 0.0), learned.fold(kernel, 0.0)):
        np.testing.assert_array_equal(ours, theirs)
    assert not fixed.weights


def test_learned_gains_fold_to_the_bits_that_kept_runs_were_learned_with():
    """In this order of the products: another one rounds otherwise, and no run resumes exactly."""
    layer, rng = NormalizedKernels(), np.random.default_rng(0)
    layer.build([None, 4, 4, 64])
    layer.gamma.assign(rng.normal(1, 0.3, 64))
    kernel = tf.constant(rng.normal(0, 1, [3, 3, 8, 64]), tf.float32)
    centered = kernel - tf.reduce_mean(kernel, [0, 1, 2])
    expected = tf.math.l2_normalize(centered, [0, 1, 2]) * (GAIN * layer.gamma.value)
    np.testing.assert_array_equal(layer.fold(kernel, 0.0)[0], expected)


def test_a_readout_above_its_limit_keeps_its_direction_and_one_below_is_left():
    net = EnergyNet(SPEC, 1, normalization="standardized")
    readout = net.scalar.kernel
    direction = readout.numpy() / np.linalg.norm(readout)
    readout.assign(8 * direction)
    net.limit_readout(3.0)
    np.testing.assert_allclose(readout, 3 * direction, rtol=1e-5)
    for norm in (1.5, 2.9, 0.0):
        readout.assign(norm * direction)
        net.limit_readout(3.0)
        np.testing.assert_array_equal(readout, np.float32(norm * direction))


@pytest.mark.parametrize("scale", [0.1, 1.0, 1e4])
def test_the_slope_of_f_has_a_bound_that_no_weights_pass(scale):
    """|grad f| <= limit * prod over layers of 1.1 (SiLU) * GAIN sqrt(K) * ceil(kernel / stride).

    A map's pixel enters ceil(kernel / stride)^2 windows, each by a part of a kernel whose norm over
    all K filters is GAIN sqrt(K).
    """
    convs, limit = (Conv(6, 5, 2), Conv(5, 3, 1), Conv(4, 5, 2)), 2.0
    net = EnergyNet(GridSpec(8, convs), 3, 0, "standardized", "silu")
    for index, weight in enumerate(net.weights):
        weight.assign(scale * tf.random.stateless_normal(weight.shape, [index, 7]))
    net.limit_readout(limit)
    bound = limit
    for conv in convs:
        bound *= 1.1 * GAIN * conv.filters**0.5 * math.ceil(conv.kernel / conv.stride)
    x = tf.random.stateless_uniform([64, 8, 8, 3], [0, 1], -1, 1)
    gradient, _ = energy_gradient(net.fixed(), x)
    slopes = tf.norm(tf.reshape(gradient, [64, -1]), axis=1)
    assert float(tf.reduce_max(slopes)) < bound


def test_maps_of_normalized_kernels_keep_their_spread_from_layer_to_layer():
    convs = tuple(Conv(64, 3, 1) for _ in range(6))
    net = EnergyNet(GridSpec(16, convs), 3, 0, "kernels", "silu")
    x = tf.random.stateless_normal([8, 16, 16, 3], [0, 1])
    spreads = [float(tf.math.reduce_std(maps)) for maps in net.features(x)]
    assert all(0.3 < spread < 3 for spread in spreads)


def test_spectral_kernels_have_largest_singular_value_1_and_the_gradient_of_that():
    kernel = np.random.default_rng(0).normal(0, 7, [3, 3, 2, 5])

    def folded(kernel):
        return SpectralKernels().fold(tf.constant(kernel), tf.range(5.0))

    values = np.linalg.svd(kernel.reshape(-1, 5), compute_uv=False)
    np.testing.assert_allclose(folded(kernel)[0], kernel / values[0], rtol=1e-12)
    np.testing.assert_array_equal(folded(kernel)[1], np.arange(5))
    probe = np.random.default_rng(1).normal(size=kernel.shape)
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(kernel))
        along = tf.reduce_sum(probe * SpectralKernels().fold(x, None)[0])
    step = 1e-5 * np.random.default_rng(2).normal(size=kernel.shape)
    ends = [np.sum(probe * folded(kernel + sign * step)[0]) for sign in (1, -1)]
    expected = np.sum(tape.gradient(along, x) * step) * 2
    assert ends[0] - ends[1] == pytest.approx(expected, rel=1e-5)


def test_group_statistics_are_of_each_image_and_group():
    layer, x = GroupStatistics(), np.random.default_rng(0).normal(3, 5, [2, 4, 4, 96])
    y = np.reshape(layer(np.float32(x)), [2, 16, 32, 3])
    np.testing.assert_allclose(y.mean((1, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 3)), 1, rtol=1e-2)
    few = GroupStatistics()
    few.build([None, 4, 4, 10])  # 32 do not divide 10
    assert few.groups == 2


def test_f_depends_on_the_neighbors_only_with_batch_statistics():
    x, others = random_images(seed=0), random_images(seed=1)
    changed = tf.concat([x[:1], others[1:]], axis=0)
    batch = EnergyNet(SPEC, 1, normalization="batch")
    assert abs(float(batch.f(x)[0] - batch.f(changed)[0])) > 1e-3
    for normalization in set(NORMALIZATIONS) - {"batch"}:
        alone = EnergyNet(SPEC, 1, normalization=normalization)
        assert float(alone.f(x)[0]) == float(alone.f(changed)[0])
        np.testing.assert_allclose(alone.f(x[:1])[0], alone.f(x)[0], rtol=1e-5)


# -- weights


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_weights_are_a_function_of_the_seed(normalization):
    net = EnergyNet(SPEC, 1, seed=3, normalization=normalization)
    first = values(net)
    net.initialize(4)
    assert any((a != b).any() for a, b in zip(values(net), first))
    for weight in net.weights:
        weight.assign(tf.fill(weight.shape, 9.0))
    net.initialize(3)
    fresh = EnergyNet(SPEC, 1, seed=3, normalization=normalization)
    for again, other, expected in zip(values(net), values(fresh), first):
        np.testing.assert_array_equal(again, expected)
        np.testing.assert_array_equal(other, expected)


def test_kernels_begin_glorot_uniform_gammas_at_1_and_biases_at_0():
    net = EnergyNet(grid_spec("paper", 16, 0.5), 3)
    for weight in net.weights:
        value = weight.numpy()
        if weight.name == "kernel":
            area = math.prod(value.shape[:-2])
            limit = math.sqrt(6 / (area * (value.shape[-2] + value.shape[-1])))
            assert np.abs(value).max() <= limit
            assert value.std() == pytest.approx(limit / math.sqrt(3), rel=0.05)
        else:
            assert (value == (weight.name == "gamma")).all()


def test_kernels_of_equal_shape_are_drawn_apart():
    net = EnergyNet(GridSpec(4, (Conv(3, 3, 1), Conv(3, 3, 1), Conv(3, 3, 1))), 3)
    kernels = [layer.kernel.numpy() for layer in net.convolutions]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_checkpoint_holds_every_weight(normalization, tmp_path):
    net, other = (EnergyNet(SPEC, 1, seed, normalization) for seed in (0, 1))
    for index, weight in enumerate(net.weights):
        weight.assign_add(tf.fill(weight.shape, 0.1 * index))
    path = tf.train.Checkpoint(net=net).write(str(tmp_path / "weights"))
    tf.train.Checkpoint(net=other).read(path).assert_consumed().assert_existing_objects_matched()
    for value, expected in zip(values(other), values(net)):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_one_pass_over_two_batches_is_two_passes(normalization):
    """By batch statistics, too, where each batch has its own."""
    net = EnergyNet(grid_spec("paper", 8, 0.05), 3, normalization=normalization)
    batches = [tf.random.stateless_uniform([n, 8, 8, 3], [n, 1], -1, 1 / n) for n in (3, 5)]
    for together, alone in zip(net.f_of_each(*batches), map(net.f, batches), strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
