"""Deep directed generative models: the energy, the generator's entropy, what each net descends."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines import ddgm
from mgconv.baselines.gan import GANS, GanLearner
from mgconv.baselines.gan_nets import generator

SHAPE = (4, 8, 8, 1)


@pytest.fixture
def learner():
    return GanLearner(GANS["ddgm"], SHAPE, 1, width=0.05, seed=0)


def images(seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, SHAPE), tf.float32)


def test_the_energy_is_that_of_its_formula(learner):
    """|x|^2 / sigma^2 - b.x - sum_i softplus(w_i . phi + b_i), phi as flat as the last map."""
    x = images()
    (layer,) = (x for x in learner.critic.layers if isinstance(x, ddgm.Experts))
    b = np.random.default_rng(1).normal(size=SHAPE[1:]).astype(np.float32)
    layer.linear.assign(b)
    phi = learner.critic(x)[-2].numpy().reshape([4, -1])
    w, bias = layer.experts.get_weights()
    assert w.shape[1] == 128
    opinions = np.log1p(np.exp(phi @ w + bias)).sum(1)
    expected = (x.numpy() ** 2).sum((1, 2, 3)) / ddgm.SIGMA**2 - (b * x).numpy().sum((1, 2, 3))
    np.testing.assert_allclose(-learner.criticize(x, None), expected - opinions, rtol=1e-4)


def test_phi_has_no_statistics_of_a_batch(learner):
    x = images()
    np.testing.assert_allclose(
        learner.criticize(x, None)[:2], learner.criticize(x[:2], None), rtol=1e-5
    )


def test_the_generators_entropy_is_that_of_gaussians_with_its_gammas():
    made = generator(5, [3, 7], 1, seed=0)
    norms = [x for x in made.layers if isinstance(x, keras.layers.BatchNormalization)]
    gammas = np.random.default_rng(0).uniform(0.1, 2, [10])
    for norm, part in zip(norms, (gammas[:7], gammas[7:])):
        norm.gamma.assign(part)
    expected = np.sum(np.log(2 * np.pi * np.e * gammas**2) / 2)
    assert float(ddgm.entropy(made)) == pytest.approx(expected, rel=1e-5)


def test_the_energy_falls_at_images_and_rises_at_samples_and_the_generator_follows(learner):
    """Losses of an energy that is the sum of pixels: known at images of one gray."""
    learner.criticize = lambda x, labels: -tf.reduce_sum(x, axis=[1, 2, 3])
    learner.generate = lambda latent, training: tf.fill(SHAPE, 0.25)
    learner._apply = lambda net, tape, loss: None
    loss = learner._update_critic(tf.fill(SHAPE, 0.75), None, tf.constant([0, 0]))
    real, made = 64 * 0.75, 64 * 0.25
    penalty = ddgm.PENALTY * (real**2 + made**2)
    assert float(loss) == pytest.approx(real - made + penalty, rel=1e-5)
    expected = made - ddgm.ENTROPY * float(ddgm.entropy(learner.generator))
    assert float(learner._update_generator(None, tf.constant([0, 0]))) == pytest.approx(expected)


def test_entropy_alone_widens_every_normalized_map(learner):
    learner.criticize = lambda x, labels: tf.zeros([4])
    learner._update_generator(None, tf.constant([0, 0]))
    norms = [x for x in learner.generator.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert all((norm.gamma.numpy() > 1).all() for norm in norms)
