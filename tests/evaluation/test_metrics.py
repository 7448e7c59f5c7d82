"""Scores whose values are known by hand, and what a table row is made of."""

from pathlib import Path

import numpy as np
import pytest
from conftest import refused
from scipy import linalg, ndimage

from mgconv.errors import UserError
from mgconv.evaluation import metrics
from mgconv.evaluation.metrics import (
    Predictions,
    density_coverage,
    frechet_distance,
    inception_score,
    inception_score_splits,
    kernel_distance,
    mean_pairwise_distance,
    precision_recall,
    within_class_distance,
)
from mgconv.evaluation.samples import LabeledSamples, class_mean_control
from mgconv.evaluation.scorers.keras_application import KerasApplication
from mgconv.evaluation.scorers.table import predict
from mgconv.evaluation.synthesis import score_samples

WEIGHTS = Path(__file__).parents[3] / "shared/data/weights"
MOBILENET = WEIGHTS / "mobilenet_v1_0.75_224_keras_imagenet.npz"

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


def test_parts_of_samples_sorted_by_class_have_all_classes():
    """Unshuffled, a part of one class alone would score 1."""
    rows = np.repeat(np.eye(4), 500, axis=0)
    mean, std = inception_score_splits(rows)
    assert mean == pytest.approx(4, rel=0.01)
    assert 0 < std < 0.05
    assert inception_score_splits(rows, seed=0) == (mean, std)
    assert inception_score_splits(rows, seed=1) != (mean, std)


def test_one_part_is_the_whole_and_equal_rows_score_1_in_each():
    rows = np.random.default_rng(0).dirichlet(np.ones(5), 40)
    assert inception_score_splits(rows, num_splits=1) == (pytest.approx(inception_score(rows)), 0)
    assert inception_score_splits(np.full([20, 4], 0.25)) == (pytest.approx(1), pytest.approx(0))
    assert inception_score_splits(rows, num_splits=40) == (pytest.approx(1), pytest.approx(0))


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


def test_the_distance_agrees_with_a_general_square_root_of_the_product():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=[2, 6, 6])
    one, two = (root @ root.T + np.eye(6) for root in roots)
    assert not np.allclose(one @ two, two @ one)
    a, b = with_moments(np.zeros(6), one), with_moments(np.arange(6), two, seed=1)
    cross = np.trace(linalg.sqrtm(one @ two)).real
    expected = 55 + np.trace(one) + np.trace(two) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-6)


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


def test_moments_do_not_depend_on_blocks():
    x = np.random.default_rng(0).normal(5, 1, [5000, 3]).astype(np.float32)  # of 4096 rows
    mean, root = metrics._moments(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(root.T @ root, np.cov(x.astype(float), rowvar=False), rtol=1e-9)


# -- kernel distance


@pytest.mark.filterwarnings("error")
def test_the_kernel_distance_of_two_pairs_is_computed_by_hand():
    """D = 1, a = (0, 1), b = (2, 3): k(0, 1) = 1, k(2, 3) = 343; across 1, 1, 27, 64."""
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    distance, error = kernel_distance(a, b)
    assert distance == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    assert np.isnan(error)  # of one subset


def test_the_kernel_is_divided_by_the_width():
    """(x.y / D + 1)^3 is the same for features that are repeated side by side."""
    a, b = np.random.default_rng(0).normal(size=[2, 60, 3])
    wide = kernel_distance(np.tile(a, [1, 4]), np.tile(b, [1, 4]))
    assert wide == pytest.approx(kernel_distance(a, b))


def test_halves_of_one_distribution_are_at_kernel_distance_0_within_its_error():
    within = 0
    for seed in range(20):
        a, b = np.random.default_rng(seed).normal(size=[2, 400, 8])
        distance, error = kernel_distance(a, b, seed=seed)
        assert abs(distance) < 4 * error  # Student's t of 10 subsets
        within += abs(distance) < 3 * error
    assert within >= 18


def test_the_error_of_a_kernel_distance_is_its_deviation_over_data_sets():
    draws = np.random.default_rng(0).normal(size=[60, 2, 200, 4])
    draws[:, 1] += 0.5
    distances, errors = np.transpose([kernel_distance(a, b) for a, b in draws])
    assert distances.std(ddof=1) == pytest.approx(errors.mean(), rel=0.25)


def test_shifted_features_are_far_in_errors():
    a, b = np.random.default_rng(0).normal(size=[2, 1000, 8])
    distance, error = kernel_distance(a, b + 0.5)
    assert distance > 10 * error
    assert kernel_distance(a, b + 1)[0] > 2 * distance


def test_subsets_are_disjoint_and_as_large_as_the_data_allow(monkeypatch):
    seen = []
    monkeypatch.setattr(metrics, "_squared_mmd", lambda a, b: seen.append((a, b)) or 0.0)
    a, b = np.arange(2300.0)[:, None], np.arange(3000.0)[:, None]
    for options, count, size in [
        ({"subset_size": 100}, 23, 100), ({}, 10, 230), ({"num_subsets": 2}, 2, 1000),
        ({"subset_size": 100, "num_subsets": 5}, 5, 100),
    ]:  # fmt: skip
        seen.clear()
        kernel_distance(a, b, **options)
        assert len(seen) == count
        for parts in zip(*seen):
            values = np.concatenate(parts)
            assert len(values) == len(np.unique(values)) == count * size


# -- precision and recall


def test_identical_sets_have_precision_and_recall_1():
    x = np.random.default_rng(0).normal(size=[50, 8])
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x + 1e4, x + 1e4) == (1, 1)
    equal = np.ones([10, 3])
    assert precision_recall(equal, equal.copy()) == (1, 1)


def test_equal_images_are_near_whatever_rounding_says():
    """The nearest neighbor of each real image is its copy, so that all balls are points."""
    x = np.random.default_rng(0).normal(size=[20, 64])
    assert precision_recall(np.concatenate([x, x[::-1]]), x, k=1)[0] == 1


def test_sets_far_apart_have_precision_and_recall_0():
    a, b = np.random.default_rng(0).normal(size=[2, 50, 8])
    assert precision_recall(a, b + 100) == (0, 0)


def test_a_dropped_mode_costs_recall_and_one_that_is_invented_costs_precision():
    rng = np.random.default_rng(0)
    centers = 100 * np.eye(4)
    both = centers[np.repeat(np.arange(4), 50)] + rng.normal(size=[200, 4])
    again = both + 1e-3 * rng.normal(size=both.shape)
    assert precision_recall(both, again[:150]) == (1, 0.75)
    assert precision_recall(both[:150], again) == (0.75, 1)


def test_a_ball_reaches_the_kth_neighbor_besides_its_point():
    real = np.array([[0.0], [1.0], [3.0], [7.0]])  # to the first neighbor: 1, 1, 2, 4
    assert precision_recall(real, np.array([[-1.0], [-1.01]]), k=1)[0] == 0.5
    assert precision_recall(real, np.array([[5.0], [11.01]]), k=1)[0] == 0.5


@pytest.mark.parametrize("block", [1, 100, 1000])
def test_distances_in_blocks_are_those_computed_at_once(monkeypatch, block):
    rng = np.random.default_rng(0)
    real, synthesized = rng.normal(size=[70, 5]), 0.8 * rng.normal(size=[90, 5]) + 0.3
    k, (rr, ss, rs) = 3, (
        linalg.norm(a[:, None] - b, axis=2)
        for a, b in [(real, real), (synthesized, synthesized), (real, synthesized)]
    )  # fmt: skip
    real_radii, synthesized_radii = (np.sort(x, axis=1)[:, k] for x in (rr, ss))
    precision = (rs <= real_radii[:, None]).any(axis=0).mean()
    recall = (rs <= synthesized_radii).any(axis=1).mean()
    assert 0 < recall < 1 and 0 < precision < 1
    monkeypatch.setattr(metrics, "_BLOCK", block)
    assert precision_recall(real, synthesized, k) == (precision, recall)


# -- density and coverage


@pytest.mark.parametrize("block", [7, 2**24])
def test_density_and_coverage_are_those_of_their_definition(monkeypatch, block):
    rng = np.random.default_rng(0)
    real, synthesized = rng.normal(size=[30, 3]), 0.2 * rng.normal(size=[20, 3])
    distances = np.linalg.norm(real[:, None] - synthesized, axis=2)
    within = np.sort(np.linalg.norm(real[:, None] - real, axis=2), axis=1)
    radii = within[:, 4]  # the first is the point itself
    inside = distances <= radii[:, None]
    monkeypatch.setattr(metrics, "_BLOCK", block)
    density, coverage = density_coverage(real, synthesized, k=4)
    assert density == pytest.approx(inside.sum() / (4 * 20))
    assert coverage == pytest.approx(inside.any(axis=1).mean())
    assert 0 < coverage < 1


def test_samples_in_the_middle_have_precision_but_no_coverage():
    rng = np.random.default_rng(0)
    real = rng.normal(size=[400, 4])
    middle = 0.05 * rng.normal(size=[400, 4])
    assert precision_recall(real, middle)[0] > precision_recall(real, rng.normal(size=[400, 4]))[0]
    density, coverage = density_coverage(real, middle)
    fresh = density_coverage(real, rng.normal(size=[400, 4]))
    assert density > fresh[0] + 0.2
    assert coverage < 0.5 < 0.9 < fresh[1]
    assert fresh[0] == pytest.approx(1, abs=0.1)


# -- what they refuse


def nan_row(num=20, width=3):
    rows = np.full([num, width], 1 / width)
    rows[4, 1] = np.nan
    return rows


X = np.random.default_rng(0).normal(size=[6, 3])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: frechet_distance(X[:1], X), "needs 2 images: 1"),
        (lambda: kernel_distance(X, X[:1]), "needs 2 images: 1"),
        (lambda: kernel_distance(X, X, subset_size=1), "100 subsets of 1"),
        (lambda: precision_recall(X[:3], X), "needs 4 images: 3"),
        (lambda: precision_recall(X, X, k=6), "needs 7 images: 6"),
        (lambda: precision_recall(X, X, k=0), "1 or more"),
        (lambda: density_coverage(X[:5], X), "needs 6 images: 5"),
        (lambda: density_coverage(X, X, k=0), "1 or more"),
        (lambda: inception_score(np.ones([0, 3])), "needs 1 images: 0"),
        (lambda: inception_score_splits(np.eye(3)), "needs 10 images: 3"),
        (lambda: inception_score_splits(np.eye(3), 0), "1 or more"),
        (lambda: inception_score(X), "no distribution"),
        (lambda: inception_score([[0.5, 0.5], [1.5, -0.5]]), "1 of 2 rows are no distribution"),
        (lambda: inception_score([[0.5, 0.5], [0.6, 0.6]]), "1 of 2 rows are no distribution"),
        (lambda: inception_score(np.ones(3)), "rows"),
        (lambda: inception_score(nan_row()), "1 of 20 rows"),
        (lambda: frechet_distance(X, nan_row()), "1 of 20 rows"),
        (lambda: kernel_distance(nan_row(), X), "1 of 20 rows"),
        (lambda: precision_recall(X, np.inf * X), "6 of 6 rows"),
        (lambda: frechet_distance(X, X[:, :2]), "3 and 2"),
        (lambda: kernel_distance(X, X[:, :2]), "3 and 2"),
        (lambda: precision_recall(X, X[:, :2]), "3 and 2"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(wrong, words):
    assert words in refused(wrong)


# -- worse images are farther away


def smooth_images(num, size=32, seed=0):
    """uint8 [num, size, size, 3]: colored clouds."""
    noise = np.random.default_rng(seed).normal(size=[num, size, size, 3])
    clouds = ndimage.gaussian_filter(noise, [0, 1.5, 1.5, 0], mode="wrap")
    return to_pixels(128 + 45 * clouds / clouds.std())


def to_pixels(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blur(images, level):
    return to_pixels(ndimage.gaussian_filter(images.astype(float), [0, level, level, 0]))


def add_noise(images, level):
    noise = np.random.default_rng(1).normal(size=images.shape)
    return to_pixels(images + 20 * level * noise)


def shift_colors(images, level):
    return to_pixels(images + 25 * level * np.array([1.0, 0.0, -1.0]))


def random_features(images):
    """Fixed random filters of 5 x 5, a ReLU, the mean over the image: [N, 32]."""
    filters = np.random.default_rng(2).normal(size=[32, 75])
    windows = np.lib.stride_tricks.sliding_window_view(images / 127.5 - 1, (5, 5), axis=(1, 2))
    patches = windows[:, ::2, ::2].reshape(len(images), -1, 75)
    return np.maximum(patches @ filters.T, 0).mean(axis=1)


def mobilenet_features():
    scorer = KerasApplication(MOBILENET)
    return lambda images: predict(scorer, images, batch_size=20).features


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((lambda: random_features, 200), id="random filters"),
        pytest.param(
            (mobilenet_features, 40),
            id="MobileNet",
            marks=pytest.mark.skipif(not MOBILENET.exists(), reason="no weights"),
        ),
    ],
)
def real_features(request):
    """(function of images, images to worsen, features of other images)."""
    make, num = request.param
    function = make()
    return function, smooth_images(num, seed=1), function(smooth_images(num))


@pytest.mark.parametrize("worsen", [blur, add_noise, shift_colors])
def test_the_worse_the_images_the_farther_they_are(real_features, worsen):
    function, images, real = real_features
    levels = [function(images)] + [function(worsen(images, level)) for level in (0.7, 1.4, 2.8)]
    for distance in (frechet_distance, lambda a, b: kernel_distance(a, b)[0]):
        distances = [distance(features, real) for features in levels]
        assert distances == sorted(distances), (distance, distances)


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


def by_brightness(samples):
    """A judge that knows the classes of `labeled`."""
    probabilities = np.eye(3)[samples.images.mean((1, 2, 3)).astype(int) // 60]
    return Predictions(samples.images.reshape(len(samples.images), -1)[:, :5] / 1.0, probabilities)


def score(samples, real):
    return score_samples(samples, real, by_brightness(samples), by_brightness(real), True)


def test_real_images_score_as_themselves():
    real = labeled(num_each=20)
    scores = score(real, real)
    assert scores.num_samples == 60
    assert scores.score == pytest.approx(3, rel=0.2)  # parts of 6 are not quite balanced
    assert scores.recognized == scores.precision == scores.recall == 1
    assert scores.spread == pytest.approx(1)
    assert scores.frechet == pytest.approx(0, abs=1e-6)


def test_wrong_labels_are_not_recognized_and_one_image_repeated_has_no_spread():
    real = labeled()
    wrong = LabeledSamples(real.images, (real.labels + (real.labels < 2)) % 3)
    assert score(wrong, real).recognized == pytest.approx(1 / 3)
    same = LabeledSamples(real.images[real.labels], real.labels)
    assert score(same, real).spread == pytest.approx(0)


@pytest.mark.parametrize(("reads_classes", "has_a_unit"), [(True, False), (False, True)])
def test_a_classifier_s_kernel_distance_has_no_unit_and_others_name_no_classes(
    reads_classes, has_a_unit
):
    real, other = labeled(num_each=20), labeled(num_each=20, seed=1)
    found = []
    for unit in (1, 3):
        said = [
            Predictions(unit * features, probabilities)
            for features, probabilities in map(by_brightness, (other, real))
        ]
        found.append(score_samples(other, real, *said, reads_classes))
    assert (found[0].kernel != pytest.approx(found[1].kernel)) == has_a_unit
    assert np.isnan(found[0].recognized) != reads_classes


def test_samples_of_half_of_the_classes_are_precise_and_recall_half():
    real = labeled(num_each=20, num_classes=2)
    half = LabeledSamples(np.repeat(real.images[::2], 2, axis=0), np.zeros(40, int))
    scores = score(half, real)
    assert (scores.precision, scores.recall, scores.coverage) == (1, 0.5, 0.5)


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
    with pytest.raises(UserError, match=r"of 999 of class 1"):
        real.like(np.ones(999, int), seed=1)


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
