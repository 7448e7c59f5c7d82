"""Scores whose values are known by hand, and what a table row is made of."""

import types

import numpy as np
import pytest

from mgconv.evaluation.metrics import (
    frechet_distance,
    inception_score,
    mean_pairwise_distance,
    within_class_distance,
)
from mgconv.evaluation.synthesis import LabeledSamples, class_mean_control, score_samples

# -- inception-style score


@pytest.mark.parametrize("num_classes", [1, 2, 10])
def test_balanced_certain_classes_score_their_number(num_classes):
    rows = np.tile(np.eye(num_classes), [5, 1])
    assert inception_score(rows) == pytest.approx(num_classes)
    assert inception_score(rows.astype(np.float32)) == pytest.approx(num_classes)


def test_rows_that_say_nothing_score_1():
    assert inception_score(np.full([7, 10], 0.1)) == pytest.approx(1)
    always_the_same = np.tile(np.eye(10)[3], [7, 1])
    assert inception_score(always_the_same) == pytest.approx(1)


def test_the_score_is_the_exponential_of_the_mean_divergence_from_the_marginal():
    """Rows (p, 1 - p) and (1 - p, p) have the marginal (1/2, 1/2)."""
    p = 0.8
    divergence = p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p))
    assert inception_score([[p, 1 - p], [1 - p, p]]) == pytest.approx(np.exp(divergence))


def test_the_score_of_unbalanced_certain_classes_is_the_exponential_of_their_entropy():
    rows = np.eye(2)[[0, 0, 0, 1]]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert inception_score(rows) == pytest.approx(np.exp(entropy))


# -- Frechet distance


def with_moments(mean, covariance, num=40, seed=0):
    """Samples whose mean and (unbiased) covariance are exactly these."""
    z = np.random.default_rng(seed).normal(size=[num, len(mean)])
    z -= z.mean(axis=0)
    white = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(np.array(covariance, float)).T + mean


def test_samples_with_exact_moments_have_them():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    x = with_moments([1.0, -2.0], covariance)
    np.testing.assert_allclose(x.mean(axis=0), [1, -2], atol=1e-12)
    np.testing.assert_allclose(np.cov(x, rowvar=False), covariance, atol=1e-12)


def test_the_distance_of_commuting_gaussians_is_known():
    """||m - n||^2 + sum (sqrt(a) - sqrt(b))^2 for variances a, b along the same axes."""
    a = with_moments([0, 1, 2], np.diag([1.0, 4.0, 9.0]), num=40)
    b = with_moments([1, 1, 0], np.diag([4.0, 4.0, 1.0]), num=60, seed=1)
    assert frechet_distance(a, b) == pytest.approx((1 + 4) + (1 + 0 + 4), abs=1e-6)


def test_the_distance_of_gaussians_along_different_axes_is_known():
    """In two dimensions tr((A B)^1/2) = sqrt(tr(A B) + 2 sqrt(det(A B)))."""
    one, two = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.5], [0.5, 0.5]])
    product = one @ two
    assert not np.allclose(product, product.T)
    cross = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = 4 + np.trace(one) + np.trace(two) - 2 * cross
    a, b = with_moments([0, 0], one), with_moments([0, 2], two, seed=1)
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, abs=1e-6)


def test_one_feature_is_enough_for_a_distance():
    a, b = with_moments([0.0], [[4.0]]), with_moments([3.0], [[1.0]], seed=1)
    assert frechet_distance(a, b) == pytest.approx(9 + 1, abs=1e-6)


def test_a_set_is_at_distance_0_from_itself():
    x = np.random.default_rng(0).normal(size=[50, 8])
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    few = x[:4]  # fewer samples than features: the covariance is singular
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    constant = np.ones([5, 3])
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, constant + 2) == pytest.approx(12)


# -- pairwise distances


def test_pairwise_distances_are_those_of_a_right_triangle():
    corners = np.array([[0, 0], [3, 0], [0, 4]])
    assert mean_pairwise_distance(corners) == pytest.approx(4)  # of 3, 4 and 5
    images = np.zeros([3, 2, 2, 1])
    images[1, 0, 0], images[2, 1, 1] = 3, 4
    assert mean_pairwise_distance(images) == pytest.approx(4)
    assert mean_pairwise_distance(np.array([[1.0], [1.0]])) == 0


def test_distances_far_from_the_origin_are_not_lost_to_rounding():
    near = np.array([[1e4, 1e4], [1e4 + 3, 1e4 + 4]], np.float32)
    assert mean_pairwise_distance(near) == pytest.approx(5)


def test_distances_within_classes_are_averaged_over_the_classes():
    images = np.array([[0.0], [10.0], [2.0], [100.0], [104.0]])
    labels = np.array([7, 7, 7, 3, 3])
    first = (10 + 2 + 8) / 3
    assert within_class_distance(images, labels) == pytest.approx((first + 4) / 2)


# -- a row of the table


def labeled(num_each=6, num_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(num_classes), num_each)
    noise = rng.integers(0, 20, [len(labels), 4, 4, 1])
    return LabeledSamples((60 * labels[:, None, None, None] + noise).astype(np.uint8), labels)


BRIGHTNESS = types.SimpleNamespace(  # a classifier that knows the classes of `labeled`
    probabilities=lambda images: np.eye(3)[images.mean((1, 2, 3)).astype(int) // 60],
    features=lambda images: images.reshape(len(images), -1)[:, :5].astype(float),
)


def test_real_images_score_as_themselves():
    real = labeled()
    scores = score_samples(real, real, BRIGHTNESS)
    assert scores.num_samples == 18
    assert scores.score == pytest.approx(3)
    assert scores.recognized == 1
    assert scores.spread == pytest.approx(1)
    assert scores.frechet == pytest.approx(0, abs=1e-6)


def test_wrong_labels_are_not_recognized_and_one_image_repeated_has_no_spread():
    real = labeled()
    wrong = LabeledSamples(real.images, (real.labels + (real.labels < 2)) % 3)
    assert score_samples(wrong, real, BRIGHTNESS).recognized == pytest.approx(1 / 3)
    same = LabeledSamples(real.images[real.labels], real.labels)
    assert score_samples(same, real, BRIGHTNESS).spread == pytest.approx(0)


def test_labeled_samples_are_chosen_by_class():
    some = labeled().of([0, 2])
    assert set(some.labels) == {0, 2}
    assert len(some.images) == 12
    assert ((some.images.mean((1, 2, 3)).astype(int) // 60) == some.labels).all()


def test_a_draw_has_the_labels_asked_for_and_no_image_twice():
    real = labeled()
    wanted = np.array([2, 0, 0, 1, 2, 2, 0, 0, 0, 0])
    drawn = real.like(wanted, seed=0)
    np.testing.assert_array_equal(drawn.labels, wanted)
    assert ((drawn.images.mean((1, 2, 3)).astype(int) // 60) == wanted).all()
    assert len({image.tobytes() for image in drawn.images}) == len(wanted)
    known = {image.tobytes() for image in real.images}
    assert all(image.tobytes() in known for image in drawn.images)
    np.testing.assert_array_equal(real.like(wanted, seed=0).images, drawn.images)
    assert (real.like(wanted, seed=1).images != drawn.images).any()


# -- the control that a class mean must not win


def test_the_control_of_constant_classes_is_their_very_image():
    constant = LabeledSamples(np.full([6, 4, 4, 1], 50, np.uint8), np.array([0, 0, 0, 1, 1, 1]))
    constant.images[3:] = 200
    control = class_mean_control(constant, np.array([1, 0, 1]), seed=0)
    assert control.images.dtype == np.uint8
    np.testing.assert_array_equal(control.images[:, 0, 0, 0], [200, 50, 200])
    assert np.ptp(control.images, axis=(1, 2)).max() == 0


def test_the_control_has_the_class_means_and_each_pixels_own_spread():
    rng = np.random.default_rng(0)
    spread = np.array([2.0, 10.0, 20.0, 5.0]).reshape(1, 2, 2, 1)
    mean = np.array([90.0, 120.0, 128.0, 160.0]).reshape(1, 2, 2, 1)
    pixels = np.rint(mean + spread * rng.normal(size=[500, 2, 2, 1])).astype(np.uint8)
    training = LabeledSamples(pixels, np.arange(500) % 2)
    control = class_mean_control(training, np.repeat([1, 0], 4000), seed=1)
    np.testing.assert_array_equal(control.labels, np.repeat([1, 0], 4000))
    for label in (0, 1):
        made = control.images[control.labels == label].astype(float)
        real = pixels[training.labels == label].astype(float)
        np.testing.assert_allclose(made.mean(axis=0), real.mean(axis=0), atol=1.5)
        np.testing.assert_allclose(made.std(axis=0), real.std(axis=0), rtol=0.05)
    again = class_mean_control(training, np.repeat([1, 0], 4000), seed=1)
    np.testing.assert_array_equal(again.images, control.images)
