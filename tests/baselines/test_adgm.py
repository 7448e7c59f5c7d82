"""ADGM and SDGM: their bounds against enumeration and known terms, and what sees what."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines.adgm import LATENT, NETS, AdgmNet
from mgconv.baselines.variational import Gaussian
from mgconv.datasets.few_labels import HIDDEN

SEED = tf.constant([5, 6])
K = 3


def net(kind="adgm"):
    return NETS[kind]((4, 4, 1), K, alpha=0.5, seed=0)


def vectors(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("kind", NETS)
def test_all_classes_in_one_batch_are_the_classes_one_by_one(kind):
    model, x, a = net(kind), vectors(5, 16), vectors(5, LATENT, seed=1)
    inferred = model.q_a.gaussian(x)
    found = model.bound(x, a, inferred, SEED, weight=0.7, training=False)
    noise = tf.random.stateless_normal([5, K, LATENT], SEED)
    for label in range(K):
        y = tf.one_hot([label] * 5, K)
        q_z = model.q_z.gaussian(a, x, y)
        z = q_z.mean + tf.exp(q_z.log_variance / 2) * noise[:, label]
        p_a, p_x = model.explain(x, a, y, z)
        log_ratio = inferred.log_density(a) - p_a.log_density(a)
        expected = np.log(K) + 0.7 * (q_z.kl() + log_ratio) - p_x.log_density(x)
        np.testing.assert_allclose(found[:, label], expected, rtol=1e-4)


class Standard:
    """A net that says N(0, 1) whatever it sees."""

    def gaussian(self, *parts, training=False):
        lead = max((part.shape[:-1] for part in parts), key=len)
        zeros = tf.zeros([*lead, LATENT])
        return Gaussian(zeros, zeros)


def test_where_a_and_z_tell_nothing_the_bound_is_the_likelihood_of_the_pixels():
    model, x = net(), vectors(5, 16)
    model.q_z = model.p_a = Standard()
    nothing = Gaussian(tf.zeros([5, LATENT]), tf.zeros([5, LATENT]))
    a = nothing.sample(SEED)
    found = model.bound(x, a, nothing, SEED, training=False)
    y = tf.tile(tf.eye(K)[tf.newaxis], [5, 1, 1])
    p_x = model.p_x.observed(y, tf.random.stateless_normal([5, K, LATENT], SEED))
    expected = np.log(K) - p_x.log_density(x[:, tf.newaxis])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_reaches_the_pixels_in_sdgm_alone():
    x, y, z = vectors(5, 16), tf.one_hot([0, 1, 2, 0, 1], K), vectors(5, LATENT)
    for kind, reaches in (("adgm", False), ("sdgm", True)):
        model = net(kind)
        one, other = (
            model.explain(x, vectors(5, LATENT, seed=seed), y, z)[1].mean for seed in (1, 2)
        )
        assert (np.abs(one - other).max() > 1e-3) == reaches
        moved, still = (model.explain(pixels, z, y, z)[0].mean for pixels in (x + 1, x))
        assert (np.abs(moved - still).max() > 1e-3) == (not reaches)


def test_every_network_learns_from_images_without_labels():
    images, labels = vectors(6, 4, 4, 1), tf.constant([1] + 5 * [HIDDEN], tf.int64)
    model = net()
    model.whiten.fit(np.random.default_rng(0).integers(0, 256, [60, 4, 4, 1], np.uint8))
    with tf.GradientTape() as tape:
        bound = model.losses(images, labels, SEED, tf.constant(5000))[0]["bound"]
    kernels = [getattr(model, part).dense[0].kernel.value for part in
               ("q_a", "q_y", "q_z", "p_a", "p_x")]  # fmt: skip
    assert all(np.abs(gradient).max() > 0 for gradient in tape.gradient(bound, kernels))


def test_pixels_that_are_known_well_do_not_shrink_their_variance_to_0():
    p_x = AdgmNet((4, 4, 1), K, 0.5, 0).p_x
    p_x.dense[-1].bias.assign(tf.fill([32], -100.0))
    p_x.dense[-1].kernel.assign(0 * p_x.dense[-1].kernel)
    variance = tf.exp(p_x.observed(tf.eye(K), vectors(K, LATENT)).log_variance)
    np.testing.assert_allclose(variance, 0.1, rtol=1e-5)
