"""Gaussians, sums over classes and whitening against closed forms, enumeration and samples."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines.variational import (
    Gaussian,
    Mlp,
    Whitening,
    beside,
    bound_over_classes,
    class_entropy,
    every_class,
    warm,
)
from mgconv.datasets.few_labels import HIDDEN
from mgconv.io.images import to_float

SEED = tf.constant([5, 6])


def constants(*values):
    return [tf.constant(value, tf.float32) for value in values]


def gaussian(mean, variance):
    return Gaussian(*constants(mean, np.log(variance)))


def test_a_density_is_that_of_the_normal_distribution():
    from scipy.stats import norm

    mean, variance, x = [1.0, -2.0], [0.5, 3.0], [0.2, 0.3]
    expected = norm(mean, np.sqrt(variance)).logpdf(x).sum()
    found = gaussian(mean, variance).log_density(tf.constant(x))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_divergences_are_the_closed_form_and_the_mean_log_ratio_of_samples():
    (m, n), (v, w) = np.array([[1, -0.5], [0.3, 0.2]]), np.array([[0.5, 2], [1.5, 0.7]])
    p, q = gaussian([m], [v]), gaussian([n], [w])
    closed = 0.5 * np.sum(np.log(w / v) + (v + (m - n) ** 2) / w - 1)
    assert float(p.kl(q)[0]) == pytest.approx(closed, rel=1e-5)
    standard = 0.5 * np.sum(v + m**2 - 1 - np.log(v))
    assert float(p.kl()[0]) == pytest.approx(standard, rel=1e-5)
    assert float(p.kl(p)[0]) == pytest.approx(0, abs=1e-6)
    many = Gaussian(*(tf.tile(x, [100_000, 1]) for x in p))
    x = many.sample(SEED)
    ratios = many.log_density(x) - q.log_density(x)
    assert float(tf.reduce_mean(ratios)) == pytest.approx(closed, rel=0.03)


def test_the_sum_over_classes_is_enumeration_and_a_known_class_is_its_own_term():
    rng = np.random.default_rng(0)
    per_class, logits = rng.normal(size=[3, 4]), rng.normal(size=[3, 4])
    labels = tf.constant([HIDDEN, 2, HIDDEN], tf.int64)
    found, q = bound_over_classes(*constants(per_class, logits), labels)
    for image in (0, 2):
        p = np.exp(logits[image]) / np.exp(logits[image]).sum()
        expected = sum(p[y] * (per_class[image, y] + np.log(p[y])) for y in range(4))
        assert float(found[image]) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(q[image], p, rtol=1e-5)
    assert float(found[1]) == pytest.approx(per_class[1, 2], rel=1e-6)


def test_at_the_posterior_the_bound_is_the_evidence():
    """-log p(x) = sum_y q(y) (-log p(x, y)) - H(q) where q is p(y | x); any other q is above."""
    joint = np.log([[0.02, 0.1, 0.03]])
    labels = tf.constant([HIDDEN], tf.int64)
    exact, _ = bound_over_classes(*constants(-joint, joint), labels)
    assert float(exact[0]) == pytest.approx(-np.log(0.15), rel=1e-5)
    other, _ = bound_over_classes(*constants(-joint, 0 * joint), labels)
    assert float(other[0]) > float(exact[0]) + 0.1


def test_entropy_of_the_classes_is_0_where_all_images_are_of_one():
    one = tf.one_hot([1, 1, 1], 4) * 50
    each = tf.one_hot([0, 1, 2, 3], 4) * 50
    assert float(class_entropy(one)) == pytest.approx(0, abs=1e-5)
    assert float(class_entropy(each)) == pytest.approx(np.log(4), rel=1e-5)


def test_every_class_stands_beside_every_image():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    joined = beside(x, every_class(2, 3), tf.zeros([2, 3, 1])).numpy()
    assert joined.shape == (2, 3, 6)
    np.testing.assert_array_equal(joined[1, 2], [3, 4, 0, 0, 1, 0])
    np.testing.assert_array_equal(joined[0, 1], [1, 2, 0, 1, 0, 0])


def test_kl_terms_come_in_over_a_thousand_updates():
    values = [float(warm(tf.constant(update, tf.int64))) for update in (0, 499, 999, 5000)]
    np.testing.assert_allclose(values, [0.001, 0.5, 1, 1], rtol=1e-6)


@pytest.mark.parametrize("normalized", [False, True])
def test_layers_are_the_products_that_they_say(normalized):
    mlp = Mlp(3, (5,), 2, "softplus", seed=0, normalized=normalized)
    x, y = constants(*np.random.default_rng(0).normal(size=[2, 4, 3]))
    first, last = (dense.get_weights() for dense in mlp.dense)
    hidden = np.concatenate([x[:, :2], y[:, :1]], axis=1) @ first[0]
    if normalized:
        hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-5)
    expected = np.log1p(np.exp(hidden)) @ last[0]
    np.testing.assert_allclose(mlp(x[:, :2], y[:, :1], training=True), expected, atol=1e-4)


# -- whitening


def correlated(num=400, size=4):
    """Images of five directions of known spreads, uint8."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=[size * size, 5]))[0].T
    flat = 128 + rng.normal(size=[num, 5]) * [40, 30, 25, 20, 15] @ axes
    return np.rint(flat).clip(0, 255).astype(np.uint8).reshape([num, size, size, 1])


def test_whitened_pixels_have_mean_0_and_covariance_1_and_lead_back():
    images = correlated()
    whiten = Whitening(16)
    whiten.fit(images)
    x = whiten(tf.constant(to_float(images))).numpy()
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(x[:, :5].T), np.eye(5), atol=1e-3)
    back = whiten.images(tf.constant(x), (4, 4, 1)).numpy()
    assert np.abs(back - to_float(images)).max() < 0.02  # but for rounding, and the last axis


def test_the_first_component_is_that_of_the_largest_variance():
    images = correlated()
    whiten = Whitening(16)
    whiten.fit(images)
    values, axes = np.linalg.eigh(np.cov(to_float(images).reshape(400, -1).T))
    found = whiten.into.numpy()[:, 0]
    assert abs(found @ axes[:, -1]) == pytest.approx(1 / np.sqrt(values[-1]), rel=1e-3)


def test_pixels_that_never_change_and_fewer_images_than_pixels_do_no_harm():
    images = correlated(num=6)
    images[:, 0] = 0
    whiten = Whitening(16)
    whiten.fit(images)
    x = whiten(tf.constant(to_float(images))).numpy()
    assert x.shape == (6, 16)
    assert np.abs(x).max() < 4
    np.testing.assert_allclose(whiten.images(tf.constant(x), (4, 4, 1))[:, 0], -1, atol=1e-3)
