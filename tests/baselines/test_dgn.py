"""M1 + M2: its bound against an exact likelihood, and what each part learns from."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines.dgn import LATENT_1, LATENT_2, DgnNet
from mgconv.baselines.semi_supervised import cross_entropy
from mgconv.baselines.variational import ALPHA, Gaussian, labeled_weight
from mgconv.datasets.few_labels import HIDDEN

SEED = tf.constant([5, 6])
K = 3


@pytest.fixture
def net():
    return DgnNet((4, 4, 1), K, alpha=0.5, seed=0)


def batch(num=6):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(-1, 1, [num, 4, 4, 1]), tf.float32)
    return images, tf.constant([0, 2] + (num - 2) * [HIDDEN], tf.int64)


class Linear:
    """p(z1 | y, z2) = N(m_y + A z2, s^2), and its exact posterior of z2."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.means = rng.normal(size=[K, LATENT_1])
        self.a = np.linalg.qr(rng.normal(size=[LATENT_1, LATENT_2]))[0] * 1.5
        self.s2 = 0.4

    def gaussian(self, y, z2):
        mean = y @ tf.constant(self.means, tf.float32) + z2 @ tf.constant(self.a.T, tf.float32)
        return Gaussian(mean, tf.fill(mean.shape, float(np.log(self.s2))))

    def posterior(self, z1, y):
        """A has orthogonal columns: precision 1 + 1.5^2 / s^2 of each value alone."""
        precision = 1 + 1.5**2 / self.s2
        centered = z1[:, tf.newaxis] - y @ tf.constant(self.means, tf.float32)
        mean = centered @ tf.constant(self.a / (self.s2 * precision), tf.float32)
        return Gaussian(mean, tf.fill(mean.shape, float(-np.log(precision))))


class Exact:
    """A net whose Gaussian is given."""

    def __init__(self, function):
        self.gaussian = function


def test_the_bound_of_a_linear_gaussian_model_is_its_exact_likelihood(net):
    """With the exact posterior, in the mean over z2: -log N(z1; m_y, A A^T + s^2) + log K."""
    from scipy.stats import multivariate_normal

    toy = Linear()
    net.p_z1, net.q_z2 = Exact(toy.gaussian), Exact(toy.posterior)
    z1 = np.random.default_rng(2).normal(size=[4, LATENT_1])
    many = tf.constant(np.repeat(z1, 500, axis=0), tf.float32)
    bounds = net.bound(many, SEED).numpy().reshape([4, 500, K]).mean(1)
    covariance = toy.a @ toy.a.T + toy.s2 * np.eye(LATENT_1)
    exact = [multivariate_normal(mean, covariance).logpdf(z1) for mean in toy.means]
    np.testing.assert_allclose(bounds, np.log(K) - np.array(exact).T, atol=0.6, rtol=0)

    def wrong(z1, y):
        right = toy.posterior(z1, y)
        return Gaussian(right.mean + 0.3, right.log_variance)

    net.q_z2 = Exact(wrong)
    gap = net.bound(many, SEED).numpy().reshape([4, 500, K]).mean(1) - bounds
    divergence = 0.5 * LATENT_2 * 0.3**2 * (1 + 1.5**2 / toy.s2)
    np.testing.assert_allclose(gap, divergence, atol=0.6)


def gradients(net, losses, name):
    return {
        part: losses[1].gradient(losses[0][name], [w.value for w in getattr(net, part).weights],
                                 unconnected_gradients="zero")
        for part in ("q_z1", "p_x", "q_y", "q_z2", "p_z1")
    }  # fmt: skip


def test_m1_learns_from_images_alone_and_m2_from_its_samples(net):
    """No gradient of M2 or of the labels reaches M1."""
    images, labels = batch()
    with tf.GradientTape(persistent=True) as tape:
        losses, _ = net.losses(images, labels, SEED, tf.constant(5000))
    for name, parts in (("m1", {"q_z1", "p_x"}), ("m2", {"q_y", "q_z2", "p_z1"}),
                        ("cross_entropy", {"q_y"})):  # fmt: skip
        found = gradients(net, (losses, tape), name)
        moved = {part for part, values in found.items() if any(np.abs(v).max() > 0 for v in values)}
        assert moved == parts, name


def test_cross_entropy_has_the_weight_of_the_publication(net, tiny):
    images, labels = batch()
    losses, _ = net.losses(images, labels, SEED, tf.constant(0))
    plain = cross_entropy(net.logits(images, SEED), labels)
    assert float(losses["cross_entropy"]) == pytest.approx(0.5 * float(plain), rel=1e-5)
    weight = labeled_weight(tiny(method="dgn", labels=100), {"num_images": 4000})
    assert weight == pytest.approx(ALPHA * 4000 / 80)
