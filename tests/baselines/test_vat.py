"""Virtual adversarial training: the worst direction, the divergence, what moves and when."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines.semi_supervised import cross_entropy
from mgconv.baselines.vat import PERTURBATION, VATS, VatNet, kl, make, unit, worst_direction
from mgconv.datasets.few_labels import HIDDEN

SEED = tf.constant([3, 7])


def net(size=8, kind="vat", seed=0):
    return VatNet(VATS[kind], (size, size, 3), num_classes=4, width=0.05, seed=seed)


def images(num=6, size=8):
    pixels = np.random.default_rng(0).uniform(-1, 1, [num, size, size, 3])
    return tf.constant(pixels, tf.float32)


def averages(of):
    return [w.numpy() for w in of.non_trainable_variables]


def test_power_iterations_find_the_top_eigenvector_of_a_quadratic():
    """r^T H r / 2 of known eigenvectors; one iteration multiplies by H."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=[5, 5]))[0]
    hessian = tf.constant(basis @ np.diag([9.0, 3, 2, 1, 0]) @ basis.T, tf.float32)
    start = tf.constant(rng.normal(size=[2, 5]), tf.float32)

    def divergence(r):
        return 0.5 * tf.reduce_sum(r * (r @ hessian), axis=1)

    once = worst_direction(divergence, start, probe=0.1)
    np.testing.assert_allclose(once, unit(unit(start) @ hessian), atol=1e-5)
    often = worst_direction(divergence, start, probe=0.1, num_iterations=20)
    np.testing.assert_allclose(np.abs(often.numpy() @ basis[:, 0]), [1, 1], atol=1e-5)


def test_the_worst_perturbation_of_a_linear_classifier_is_that_of_its_weights():
    """Two classes with logits +-w.x: every image's divergence grows along w, and along no other."""
    weights = np.random.default_rng(1).normal(size=[12])

    def logits(x):
        value = tf.reduce_sum(tf.reshape(x, [-1, 12]) * tf.constant(weights, tf.float32), axis=1)
        return tf.stack([value, -value], axis=1)

    x = tf.random.stateless_normal([3, 2, 2, 3], SEED)
    start = tf.random.stateless_normal(x.shape, SEED + 1)
    found = worst_direction(lambda r: kl(logits(0.1 * x), logits(0.1 * x + r)), start, probe=0.1)
    cosines = tf.reshape(found, [3, 12]).numpy() @ (weights / np.linalg.norm(weights))
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-4)


def test_the_divergence_is_that_of_two_distributions_and_0_of_one():
    p, q = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5])
    expected = np.sum(p * np.log(p / q))
    logits = [tf.constant([np.log(x) + shift], tf.float32) for x, shift in ((p, 5), (q, -2))]
    assert float(kl(*logits)[0]) == pytest.approx(expected, rel=1e-5)
    assert float(kl(logits[0], logits[0])[0]) == 0


def test_a_gradient_of_any_size_has_a_direction_and_none_stays_none():
    x = tf.constant([[3e-30, 4e-30], [3e20, -4e20], [0, 0]], tf.float32)
    np.testing.assert_allclose(unit(x), [[0.6, 0.8], [0.6, -0.8], [0, 0]], rtol=1e-5)


@pytest.mark.parametrize("size", [8, 32])
def test_perturbations_have_the_norm_that_is_5_of_32_x_32_pixels(size):
    x = images(2, size)
    r = net(size).worst(x, net(size).logits(x, SEED), SEED).numpy()
    norms = np.linalg.norm(r.reshape([2, -1]), axis=1)
    np.testing.assert_allclose(norms, PERTURBATION * size / 32, rtol=1e-4)


def test_equal_seeds_drop_equal_values_and_averages_move_once_an_update():
    """In the clean pass alone; the second and third are of images that no one observed."""
    classifier = net()
    x, labels = images(), tf.constant([0, 1] + 4 * [HIDDEN], tf.int64)
    first = classifier.logits(x, SEED, moves=False)
    np.testing.assert_array_equal(first, classifier.logits(x, SEED, moves=False))
    assert np.abs(first - classifier.logits(x, SEED + 1, moves=False)).max() > 1e-3
    before = averages(classifier)
    classifier.logits(x, SEED)
    once = averages(classifier)
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, once))
    other = net()
    other.losses(x, labels, SEED, tf.constant(0))
    for expected, found in zip(once, averages(other)):
        np.testing.assert_array_equal(found, expected)
    classifier.logits(x)
    classifier.shown(x, SEED)
    for expected, found in zip(once, averages(classifier)):
        np.testing.assert_array_equal(found, expected)


def test_the_clean_prediction_is_a_target_that_is_not_learned():
    """The divergence's gradient is that of its second argument, the target held."""
    classifier, x = net(), images()
    labels = tf.constant([0] + 5 * [HIDDEN], tf.int64)
    weights = [w.value for w in classifier.trainable_variables]
    with tf.GradientTape() as tape:
        divergence = classifier.losses(x, labels, SEED, tf.constant(0))[0]["divergence"]
    found = tape.gradient(divergence, weights, unconnected_gradients="zero")
    target = classifier.logits(x, SEED, moves=False)
    moved = x + classifier.worst(x, target, SEED)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(kl(target, classifier.logits(moved, SEED, moves=False)))
    for one, other in zip(found, tape.gradient(loss, weights, unconnected_gradients="zero")):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_labels_count_where_they_are_known_and_others_change_nothing():
    logits = tf.constant(np.random.default_rng(0).normal(size=[4, 3]), tf.float32)
    labels = tf.constant([2, 0, HIDDEN, HIDDEN], tf.int64)
    log_p = tf.nn.log_softmax(logits).numpy()
    assert float(cross_entropy(logits, labels)) == pytest.approx(-(log_p[0, 2] + log_p[1, 0]) / 2)


@pytest.mark.parametrize("kind", VATS)
def test_entropy_is_descended_where_the_row_says_so_and_only_watched_elsewhere(kind):
    x, labels = images(), tf.constant([0] + 5 * [HIDDEN], tf.int64)
    losses, watched = net(kind=kind).losses(x, labels, SEED, tf.constant(0))
    assert ("entropy" in losses) == (kind == "vat_entropy")
    assert ("entropy" in watched) == (kind != "vat_entropy")
    p = tf.nn.softmax(net(kind=kind).logits(x, SEED)).numpy()[1:]
    expected = -np.sum(p * np.log(p), axis=1).mean()
    assert float((losses | watched)["entropy"]) == pytest.approx(expected, rel=1e-4)


def test_its_filters_are_the_published_ones_times_the_width(tiny):
    config = tiny(method="vat", grids=(1, 32), width=0.1875)
    classifier = make(config, {"channels": 3, "labels": list(range(10))}).net
    assert isinstance(classifier, VatNet)
    filters = [convolution.filters for convolution, _ in classifier.stages]
    assert filters == [24, 24, 24, 48, 48, 48, 96, 48, 24]
    kernels = [convolution.kernel_size[0] for convolution, _ in classifier.stages]
    assert kernels == 7 * [3] + [1, 1]
    assert not any(convolution.use_bias for convolution, _ in classifier.stages)


def test_a_preview_shows_images_and_their_worst_perturbations(tiny):
    config = tiny(method="vat", grids=(1, 8), width=0.05)
    learner = make(config, {"channels": 3, "labels": [0, 1]})
    learner.last.assign(images(learner.last.shape[0]))
    preview = learner.preview(SEED)
    assert preview.keys() == {"observed/8", "perturbed/8"}
    np.testing.assert_array_equal(preview["observed/8"], learner.last)
    assert np.abs(preview["perturbed/8"] - learner.last).max() > 0
