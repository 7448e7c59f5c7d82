"""Features: frozen statistics, pooling, any number of images, the cache."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_config

from mgconv.datasets.image_set import ImageSet
from mgconv.energy import EnergyNet
from mgconv.evaluation.features import (
    all_maps,
    cached,
    extract,
    extract_to,
    parts_of,
    pooled,
    reader,
)
from mgconv.evaluation.frozen import freeze, standardize_inputs
from mgconv.evaluation.reading import Reading, select
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics
from mgconv.models import untrained
from mgconv.recipes import METHODS, Conv, GridSpec


def images(num, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [num, size, size, 3], np.uint8)


def features_of(net, some, **options):
    return extract(lambda x: pooled(net.features(x)), some, **options)


@pytest.fixture
def net():
    """A net of two normalized layers, whose norms have uneven gammas and betas."""
    made = EnergyNet(GridSpec(8, (Conv(5, 3, 2), Conv(4, 3, 1))), 3, activation="leaky_relu")
    rng = np.random.default_rng(1)
    for layer in made.norms:
        layer.gamma.assign(rng.uniform(0.5, 2, layer.gamma.shape))
        layer.beta.assign(rng.normal(size=layer.beta.shape))
    return made


def test_frozen_statistics_are_those_of_all_images_at_once(net):
    """On the very images that froze them the maps are those of one large batch."""
    known = images(230)
    expected = net.features(tf.constant(to_float(known)))
    freeze(net.features, net.norms, known)
    for frozen, batch in zip(net.features(tf.constant(to_float(known))), expected):
        np.testing.assert_allclose(frozen, batch, rtol=1e-3, atol=1e-4)


def test_an_images_features_do_not_depend_on_its_neighbors(net):
    some = images(5, seed=2)
    beside = np.concatenate([some[:1], np.zeros_like(some)])
    unfrozen = features_of(net, some)[0] - features_of(net, beside)[0]
    assert np.abs(unfrozen).max() > 0.01
    freeze(net.features, net.norms, images(50))
    alone = features_of(net, some[:1])[0]
    np.testing.assert_allclose(features_of(net, some)[0], alone, atol=1e-5)
    np.testing.assert_allclose(features_of(net, beside)[0], alone, atol=1e-5)


def test_freezing_again_forgets_what_was_frozen(net):
    freeze(net.features, net.norms, images(50))
    first = [value.numpy() for layer in net.norms for value in layer.frozen]
    freeze(net.features, net.norms, images(50, seed=9) // 2)
    freeze(net.features, net.norms, images(50))
    again = [value.numpy() for layer in net.norms for value in layer.frozen]
    for a, b in zip(first, again):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_layer_that_is_not_frozen_normalizes_by_the_batch():
    layer = BatchStatistics()
    x = tf.constant(np.random.default_rng(0).normal(3, 2, [64, 4, 4, 2]).astype(np.float32))
    assert abs(float(tf.reduce_mean(layer(x)))) < 1e-5
    layer.frozen = (tf.fill([2], 1.0), tf.fill([2], 4.0))
    np.testing.assert_allclose(layer(x), (x - 1) / 2, rtol=1e-3, atol=1e-4)


def test_standardized_inputs_have_mean_0_and_variance_1_on_the_images_that_set_them():
    """Whatever a net's biases are; the leaky ReLU is undone to see its inputs."""
    convs = (Conv(5, 3, 2), Conv(4, 3, 1))
    net = EnergyNet(GridSpec(8, convs), 3, normalization="none", activation="leaky_relu")
    for layer, bias in zip(net.convolutions, (3.0, -40.0)):
        layer.bias.assign(tf.fill(layer.bias.shape, bias))
    known = images(230)
    standardize_inputs(net.features, net.activations, known)
    for maps in net.features(tf.constant(to_float(known))):
        inputs = tf.where(maps < 0, maps / 0.2, maps).numpy()
        np.testing.assert_allclose(inputs.mean((0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(inputs.var((0, 1, 2)), 1, rtol=1e-2)


@pytest.mark.parametrize("pool", ["max", "mean"])
@pytest.mark.parametrize(("side", "expected"), [(16, 4), (8, 4), (4, 4), (2, 2), (1, 1)])
def test_maps_are_pooled_to_4_by_4(side, expected, pool):
    x = np.random.default_rng(0).normal(size=[3, side, side, 5]).astype(np.float32)
    block = side // expected
    blocks = getattr(x.reshape(3, expected, block, expected, block, 5), pool)(axis=(2, 4))
    np.testing.assert_allclose(pooled([tf.constant(x)], pool), blocks.reshape(3, -1), rtol=1e-5,
                               atol=1e-6)  # fmt: skip


def test_many_images_have_the_features_of_each_batch(net):
    freeze(net.features, net.norms, images(50))
    known = images(27)
    whole = features_of(net, known, batch_size=10)
    np.testing.assert_allclose(whole, pooled(net.features(tf.constant(to_float(known)))), atol=1e-5)
    assert whole.shape == (27, 4 * 4 * 5 + 4 * 4 * 4)


def test_features_are_made_once_for_equal_keys(tmp_path):
    made, some = [], images(7)

    def rows():
        made.append(1)
        return lambda x: tf.fill([x.shape[0], 3], float(len(made)))

    first = cached(rows, some, {"weights": "a", "data": 1}, tmp_path)
    assert first.shape == (7, 3)
    again = cached(rows, some, {"data": 1, "weights": "a"}, tmp_path)
    np.testing.assert_array_equal(first, again)
    assert len(made) == 1
    assert cached(rows, some, {"weights": "b", "data": 1}, tmp_path)[0, 0] == 2


def test_features_on_disk_are_those_in_memory(net, tmp_path):
    freeze(net.features, net.norms, images(50))
    extract_to(tmp_path / "x.npy", lambda x: pooled(net.features(x)), images(130))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), features_of(net, images(130)))
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


# -- readings


@pytest.fixture(scope="module")
def models():
    """Fresh models of two methods, with images that froze their statistics."""
    some = ImageSet(images(40, 16), np.arange(40) % 2, ("a", "b"))
    config = {"grids": (1, 4, 16), "normalization": "batch"}
    made = {name: untrained(tiny_config(method=name, **config), some) for name in FEATURES}
    for model in made.values():
        freeze(model.grid_features, model.norms, some.pixels)
    return made


FEATURES = [name for name, row in METHODS.items() if "features" in row.can]
READINGS = [
    Reading(), Reading("all"), Reading("all", (1,), "mean"), Reading(layers=(2, 3)),
    Reading("all", noise=0.1), Reading(pool="mean", noise=0.05, signed_root=True),
]  # fmt: skip


@pytest.mark.parametrize("name", FEATURES)
def test_every_reading_is_a_selection_of_all_maps(name, models):
    model, some = models[name], images(3, 16, seed=5)
    parts = parts_of(model, some.shape[1:])
    for reading in READINGS:
        table = extract(all_maps(model, reading.noise), some)
        assert table.shape[1] == sum(part.width for part in parts)
        alone = extract(reader(model, reading), some)
        np.testing.assert_allclose(select(table, parts, reading), alone, rtol=1e-4, atol=1e-5)


def test_noise_moves_features_and_its_copies_average_out(models):
    """Noise is the same for each image: two equal images have equal features."""
    model, some = models["multigrid"], np.repeat(images(1, 16), 2, axis=0)
    clean, noisy, loud = (
        extract(reader(model, Reading(noise=noise)), some) for noise in (0.0, 0.01, 0.5)
    )
    np.testing.assert_allclose(noisy[0], noisy[1], rtol=1e-5, atol=1e-6)
    assert 0 < np.abs(noisy - clean).max() < np.abs(loud - clean).max()


def test_a_signed_root_keeps_signs_and_squares_back(models):
    some = images(3, 16)
    plain, root = (
        extract(reader(models["cd1"], Reading(signed_root=root)), some) for root in (False, True)
    )
    assert (plain < 0).any()
    np.testing.assert_allclose(root * np.abs(root), plain, rtol=1e-4, atol=1e-6)
