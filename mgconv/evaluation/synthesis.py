"""Scores of class-conditional samples (paper: table 1) that a class mean cannot win."""

from typing import NamedTuple

import numpy as np

from mgconv.evaluation.metrics import (
    frechet_distance,
    inception_score,
    within_class_distance,
)
from mgconv.evaluation.scorers import Classifier
from mgconv.images import to_float


class LabeledSamples(NamedTuple):
    """Images and the classes that they are meant to show."""

    images: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int [N]

    def of(self, labels) -> "LabeledSamples":
        """Those of these classes."""
        rows = np.isin(self.labels, labels)
        return LabeledSamples(self.images[rows], self.labels[rows])

    def like(self, labels: np.ndarray, seed: int) -> "LabeledSamples":
        """A random draw with these labels, in their order, without repetition within a class."""
        rng = np.random.default_rng(seed)
        rows = np.empty(len(labels), int)
        for label in np.unique(labels):
            wanted = labels == label
            rows[wanted] = rng.permutation(np.flatnonzero(self.labels == label))[: wanted.sum()]
        return LabeledSamples(self.images[rows], labels)


class SynthesisScores(NamedTuple):
    """One row of the table."""

    num_samples: int
    score: float  # inception-style, of the classifier
    recognized: float  # share read as the class meant
    spread: float  # mean pairwise distance within a class over that of the real test images
    frechet: float  # squared, in the classifier's features, to the real test images


def score_samples(
    samples: LabeledSamples, test: LabeledSamples, classifier: Classifier
) -> SynthesisScores:
    """Scores samples against real test images of the same classes."""
    probabilities = classifier.probabilities(samples.images)
    spread = within_class_distance(to_float(samples.images), samples.labels)
    real_spread = within_class_distance(to_float(test.images), test.labels)
    return SynthesisScores(
        num_samples=len(samples.images),
        score=inception_score(probabilities),
        recognized=float((probabilities.argmax(axis=1) == samples.labels).mean()),
        spread=spread / real_spread,
        frechet=frechet_distance(
            classifier.features(samples.images), classifier.features(test.images)
        ),
    )


def class_mean_control(training: LabeledSamples, labels: np.ndarray, seed: int) -> LabeledSamples:
    """Mean image of each class plus noise of each pixel's own spread: what must be beaten."""
    rng = np.random.default_rng(seed)
    images = np.empty([len(labels), *training.images.shape[1:]], np.uint8)
    for label in np.unique(labels):
        rows = training.images[training.labels == label].astype(np.float64)
        where = labels == label
        noise = rng.normal(size=[where.sum(), *rows.shape[1:]])
        noisy = rows.mean(axis=0) + rows.std(axis=0) * noise
        images[where] = np.clip(np.rint(noisy), 0, 255)
    return LabeledSamples(images, labels)
