"""Features: frozen statistics, pooling, any number of images, the cache."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.evaluation.features import cached, extract, extract_to, freeze, pooled
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics
from mgconv.recipes import Conv, GridSpec


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
