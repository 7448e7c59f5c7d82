"""The L2-SVM, the CNN on maps: on data whose answers are known."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.evaluation import svm as svm_module
from mgconv.evaluation.cnn import GridClassifier, HeadFirst, _stage, classify, joined
from mgconv.evaluation.svm import C_GRID, svm, unseen_error
from mgconv.recipes import Conv, GridSpec


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


@pytest.mark.parametrize(("num", "width", "signal", "c"), [(60, 20, 0.5, 1e-4), (200, 3, 1, 0.1)])
def test_c_is_chosen_by_images_that_the_svm_was_not_trained_on(num, width, signal, c):
    """Small among many weak features, larger among few strong ones.

    By right answers on its own training images it would be 0.03 in both.
    """
    rng, labels = np.random.default_rng(0), np.arange(num) % 2
    features = rng.normal(size=[num, width])
    features[:, :10] += signal * (2 * labels - 1)[:, None]
    assert svm(features, labels, features[:1], seed=0).c == c


def test_features_that_are_not_standardized_have_one_factor():
    """The unit of all of them changes nothing, that of one does; standardized, neither does."""
    rng, labels = np.random.default_rng(1), np.arange(200) % 2
    features, test = rng.normal(size=[2, 200, 40]) * 30
    features[:, 0] += 60 * labels

    def read(units, standardized):
        return svm(features * units, labels, test * units, 0, standardized).predictions

    units = np.ones(40)
    units[0] = 100
    plain, standard = read(1, False), read(1, True)
    np.testing.assert_array_equal(read(1e3, False), plain)
    assert (read(units, False) != plain).any()
    np.testing.assert_array_equal(read(units, True), standard)


def test_an_error_is_that_of_images_whose_labels_were_not_seen():
    """Labels of the others are turned round: all of them are wrong then."""
    features, labels = blobs(120)
    rows = np.arange(0, 120, 2)
    assert unseen_error(features, labels, rows, seed=0) < 0.1
    wrong = labels.copy()
    wrong[1::2] = (labels[1::2] + 1) % 3
    assert unseen_error(features, wrong, rows, seed=0) > 0.9


class Stub:
    """In place of an SVM: a share of right answers by its C."""

    def __init__(self, c, seed):
        self.share, self.n_iter_ = (0.5, 0.7, 0.7, 0.6, 0.9, 0.9, 0.9)[C_GRID.index(c)], 0

    def fit(self, features, labels):
        return self

    def score(self, features, labels):
        return self.share

    def predict(self, features):
        return np.rint(features[:, 0]).astype(int)


def test_c_is_the_least_of_the_best_before_answers_grow_worse(monkeypatch):
    """And any number of test images is read, in parts."""
    monkeypatch.setattr(svm_module, "_make_svm", Stub)
    features, labels = np.arange(40.0)[:, None] % 5, np.arange(40) % 2
    result = svm(features, labels, np.repeat(features, 60, axis=0), seed=0)
    assert result.c == C_GRID[1]
    expected = Stub(C_GRID[0], 0).predict((np.repeat(features, 60, axis=0) - 2) / 2**0.5)
    np.testing.assert_array_equal(result.predictions, expected)


def test_the_solver_stops_at_its_tolerance(monkeypatch):
    features, labels = blobs(90, spread=6.0)
    steps = []
    for tolerance in (0.5, 1e-9):
        monkeypatch.setattr(svm_module, "TOLERANCE", tolerance)
        model = svm_module._make_svm(1.0, 0).fit(features / features.std(axis=0), labels)
        steps.append(model.n_iter_)
    assert steps[0] < steps[1]


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


@pytest.fixture
def seen(monkeypatch):
    """What the CNN was trained with; it is not."""
    given = {}

    def fit(model, x, y, **more):
        given.update(more, trained=x)
        return SimpleNamespace(history={"val_accuracy": [1.0] * 25 + [0.5, 0.75, 0.25]})

    monkeypatch.setattr(GridClassifier, "fit", fit)
    return given


def test_the_cnn_stops_by_labeled_images_that_it_is_not_trained_on(seen):
    """After a quarter of 100 epochs at least; its error is that of the best epoch from then on."""
    images, labels = stripes(60, 0)
    result = classify(lambda x: [[x]], 8, images, labels, images[:1], 2, seed=0)
    assert (result.validation_error, result.epochs) == (0.25, 28)
    held, stop = seen["validation_data"][0], seen["callbacks"][-1]
    both = np.concatenate([seen["trained"], held])
    assert len(np.unique(both, axis=0)) == len(images) and len(held) == 12
    assert (stop.monitor, stop.start_from_epoch, seen["epochs"]) == ("val_accuracy", 25, 100)
    assert stop.restore_best_weights


def test_nets_that_are_trained_end_to_end_read_test_images_one_by_one(seen):
    """Their statistics are frozen, and what no map comes from is not trained."""
    net = EnergyNet(GridSpec(8, (Conv(3, 3, 1),) * 3), 1, normalization="batch")
    images, labels = stripes(60, 0)
    classify(lambda x: [net.features(x)], 8, images, labels, images[:1], 2, seed=0, nets=[net])
    trained = net.features(tf.constant(seen["trained"]))[0]
    alone = net.features(tf.constant(seen["trained"][:1]))[0]
    np.testing.assert_allclose(alone, trained[:1], atol=1e-5)
    is_trained = [layer.trainable for layer in (*net.convolutions, net.scalar)]
    assert is_trained == [True, True, False, False]


def test_nets_that_know_something_wait_then_follow_at_a_tenth_of_the_heads_rate():
    """By a constant gradient each step of Adam is as long as its rate."""
    head, slow = (keras.Variable([1.0]) for _ in range(2))
    optimizer = HeadFirst([slow], 3, 0.01)
    optimizer.build([head, slow])
    moved = []
    for _ in range(5):
        optimizer.apply([tf.constant([2.0])] * 2)
        moved.append([1 - float(head[0]), 1 - float(slow[0])])
    expected = [[0.01, 0], [0.02, 0], [0.03, 0], [0.04, 0.001], [0.05, 0.002]]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_a_fine_tuned_net_changes_less_than_one_that_learns_with_the_head():
    images, labels = stripes(40, 0)
    changes = []
    for fine_tuned in (False, True):
        net = EnergyNet(GridSpec(8, (Conv(2, 3, 1),)), 1, normalization="none")
        before = net.convolutions[0].kernel.numpy()
        maps = lambda x, net=net: [net.features(x)]  # noqa: E731
        classify(maps, 4, images, labels, images[:1], 2, 0, [net], fine_tuned)
        changes.append(np.abs(net.convolutions[0].kernel.numpy() - before).mean())
    assert 0 < changes[1] < changes[0] / 3


def test_a_stage_of_the_cnn_ends_in_the_positive_part_of_what_is_normalized():
    """Of a standard normal the positive part has the mean 1 / sqrt(2 pi)."""
    x = tf.random.stateless_normal([50, 8, 8, 2], [0, 0])
    for layer in _stage(0.9):
        x = layer(x, training=True)
    assert float(tf.reduce_min(x)) == 0
    assert float(tf.reduce_mean(x)) == pytest.approx((2 * np.pi) ** -0.5, rel=0.05)  # borders
