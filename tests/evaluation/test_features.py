"""Features: frozen statistics, pooling, any number of images, the cache."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.evaluation.features import cached, extract, freeze, pooled
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics
from mgconv.recipes import Conv, GridSpec


def images(num, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [num, size, size, 3], np.uint8)


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
    unfrozen = extract(net.features, some)[0] - extract(net.features, beside)[0]
    assert np.abs(unfrozen).max() > 0.01
    freeze(net.features, net.norms, images(50))
    alone = extract(net.features, some[:1])[0]
    np.testing.assert_allclose(extract(net.features, some)[0], alone, atol=1e-5)
    np.testing.assert_allclose(extract(net.features, beside)[0], alone, atol=1e-5)


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


@pytest.mark.parametrize(("side", "expected"), [(16, 4), (8, 4), (4, 4), (2, 2), (1, 1)])
def test_maps_are_pooled_to_4_by_4(side, expected):
    x = np.random.default_rng(0).normal(size=[3, side, side, 5]).astype(np.float32)
    block = side // expected
    blocks = x.reshape(3, expected, block, expected, block, 5).max(axis=(2, 4))
    np.testing.assert_array_equal(pooled([tf.constant(x)]), blocks.reshape(3, -1))


def test_many_images_have_the_features_of_each_batch(net):
    freeze(net.features, net.norms, images(50))
    known = images(27)
    whole = extract(net.features, known, batch_size=10)
    np.testing.assert_allclose(whole, pooled(net.features(tf.constant(to_float(known)))), atol=1e-5)
    assert whole.shape == (27, 4 * 4 * 5 + 4 * 4 * 4)


def test_features_are_made_once_for_equal_keys(tmp_path):
    made = []

    def make():
        made.append(1)
        return np.full([2, 3], len(made), np.float32)

    key = {"weights": "a", "data": 1}
    assert cached(make, key, tmp_path).tolist() == cached(make, dict(key), tmp_path).tolist()
    assert len(made) == 1
    assert cached(make, key | {"weights": "b"}, tmp_path)[0, 0] == 2
