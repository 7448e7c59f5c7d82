"""The classifier that judges samples: it must know its subject, and be kept."""

import keras
import numpy as np
import pytest

from mgconv.datasets import load_images
from mgconv.evaluation.scorers import Classifier


@pytest.fixture(scope="module")
def digits():
    return {split: load_images("digits", split, 8) for split in ("train", "test")}


@pytest.fixture(scope="module")
def learned(digits, tmp_path_factory):
    """(classifier, folder of its weights)."""
    folder = tmp_path_factory.mktemp("classifier") / "new"
    return Classifier(digits["train"], folder, epochs=12), folder


def test_the_classifier_recognizes_digits_that_it_has_not_seen(learned, digits):
    probabilities = learned[0].probabilities(digits["test"].pixels)
    accuracy = (probabilities.argmax(axis=1) == digits["test"].labels).mean()
    assert accuracy > 0.93


def test_probabilities_are_a_distribution_and_features_one_row_an_image(learned, digits):
    pixels = digits["test"].pixels[:30]
    probabilities = learned[0].probabilities(pixels)
    assert probabilities.shape == (30, 10)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    features = learned[0].features(pixels)
    assert features.shape == (30, 64)
    assert (features >= 0).all()  # after the activation
    np.testing.assert_allclose(learned[0].features(pixels[:3]), features[:3], atol=1e-4)


def test_judging_has_no_randomness(learned, digits):
    """Dropout is for learning only."""
    pixels = digits["test"].pixels[:50]
    np.testing.assert_array_equal(
        learned[0].probabilities(pixels), learned[0].probabilities(pixels)
    )


def test_kept_weights_are_used_again(learned, digits, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("learned again")

    monkeypatch.setattr(keras.Model, "fit", fail)
    classifier, folder = learned
    again, pixels = Classifier(digits["train"], folder, epochs=12), digits["test"].pixels
    np.testing.assert_array_equal(again.probabilities(pixels), classifier.probabilities(pixels))
    np.testing.assert_array_equal(again.features(pixels), classifier.features(pixels))
    with pytest.raises(AssertionError, match="learned again"):
        Classifier(digits["train"], folder, seed=1, epochs=12)
