"""The L2-SVM, the CNN on maps: on data whose answers are known."""

import numpy as np
import tensorflow as tf

from mgconv.evaluation.cnn import classify, joined
from mgconv.evaluation.svm import C_GRID, svm


def blobs(num, spread=1.0, seed=0):
    """Three Gaussian classes in the first two of ten dimensions, of unequal scales."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 3
    centers = 4 * np.array([[0, 1], [1, -1], [-1, -1]])
    features = rng.normal(scale=spread, size=[num, 10])
    features[:, :2] += centers[labels]
    return features * 10.0 ** np.arange(-3, 7), labels


def test_the_svm_reads_separable_classes_whatever_the_scale_of_the_features():
    features, labels = blobs(90)
    test, expected = blobs(300, seed=1)
    result = svm(features, labels, test, seed=0)
    assert (result.predictions == expected).mean() > 0.97
    assert result.c in C_GRID
    assert result.converged


def test_the_svm_is_the_one_in_all_dimensions_where_there_are_fewer_images(monkeypatch):
    """Turning the features into the span of the labeled ones changes no decision."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    from mgconv.evaluation import svm as module

    monkeypatch.setattr(module, "TOLERANCE", 1e-6)
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 4
    features = rng.normal(size=[40, 200]) + labels[:, None] * rng.normal(size=200)
    test = rng.normal(size=[500, 200]) + np.arange(500)[:, None] % 4 * rng.normal(size=200)
    result = svm(features, labels, test, seed=0)
    scaler = StandardScaler().fit(features)
    plain = LinearSVC(C=result.c, dual=False, tol=1e-6).fit(scaler.transform(features), labels)
    expected = plain.predict(scaler.transform(test))
    assert (result.predictions == expected).mean() > 0.99


def test_the_svm_learns_nothing_from_shuffled_labels():
    features, labels = blobs(90)
    test, expected = blobs(300, seed=1)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert (svm(features, shuffled, test, seed=0).predictions == expected).mean() < 0.6


def test_a_solver_that_does_not_converge_is_said(monkeypatch):
    from mgconv.evaluation import svm as module

    monkeypatch.setattr(module, "MAX_ITERATIONS", 1)
    monkeypatch.setattr(module, "C_GRID", (100.0,))
    features, labels = blobs(90, spread=6.0)
    assert not svm(features, labels, features, seed=0).converged


def test_maps_are_joined_at_one_resolution():
    fine = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    same = tf.reshape(tf.range(4.0), [1, 2, 2, 1])
    coarse = tf.constant([[[[7.0]]]])
    read = joined([[coarse], [same, fine, coarse]], 2)  # the third layer of a grid is not read
    np.testing.assert_allclose(read[0, ..., 0], 7)
    np.testing.assert_allclose(read[0, ..., 1], [[0, 1], [2, 3]])
    np.testing.assert_allclose(read[0, ..., 2], [[5, 7], [13, 15]])
    assert read.shape[-1] == 3


def stripes(num, seed):
    """Class 0: horizontal stripes; class 1: vertical ones; under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pattern = np.where(np.arange(8) % 2, 200, 50)
    images = np.where(labels[:, None, None] == 1, pattern, pattern[:, None])
    return (images[..., None] + rng.integers(-40, 40, [num, 8, 8, 1])).astype(np.uint8), labels


def test_the_cnn_reads_what_the_maps_show():
    images, labels = stripes(60, 0)
    test, expected = stripes(100, 1)
    result = classify(lambda x: [[x]], 8, images, labels, test, 2, seed=0)
    assert (result.predictions == expected).mean() > 0.95
    assert result.validation_error < 0.1
