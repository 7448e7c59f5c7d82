"""Errors by which experiment 2 is tuned: on training digits outside the labels. No test digit."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from mgconv.datasets.few_labels import labeled_subset
from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.features import all_maps, cached, parts_of
from mgconv.evaluation.frozen import NUM_FROZEN, freeze
from mgconv.evaluation.reading import Part, Reading, select
from mgconv.evaluation.svm import unseen_error
from mgconv.io.files import read_json, write_json
from mgconv.models import untrained


class Maps:
    """All maps of a system on training digits, kept by the noise they are read with.

    Args:
        model: the system; its statistics are frozen on `observed`.
        key: changes with its weights.
        training: the digits, uint8 [N, S, S, C].
        observed: images without labels.
        folder: of the tables.
    """

    def __init__(
        self, model: Any, key: str, training: np.ndarray, observed: ImageSet, folder: Path
    ):
        freeze(model.grid_features, model.norms, observed.some(NUM_FROZEN))
        self._model, self._images, self._folder = model, training, folder
        self._key = {"weights": key, "num": len(training)}
        self.parts: list[Part] = parts_of(model, training.shape[1:])

    def features(self, reading: Reading) -> np.ndarray:
        """Float32 [N, D]."""
        rows = functools.partial(all_maps, self._model, reading.noise)
        key = self._key | {"noise": reading.noise}
        return select(cached(rows, self._images, key, self._folder), self.parts, reading)


class Judge:
    """Errors of an L2-SVM on draws of labels, each kept as soon as it is there.

    Args:
        training: digits; those outside a draw are classified.
        num_labels: of a draw.
        path: JSON file of the errors.
    """

    def __init__(self, training: ImageSet, num_labels: int, path: Path):
        self._labels, self._num, self._path = training.labels, num_labels, path
        self._num_classes = len(training.class_names)
        self.kept: dict[str, float] = read_json(path) if path.exists() else {}

    def error(self, name: str, make, standardized: bool, draws: range) -> np.ndarray:
        """The error of each draw, [num draws].

        Args:
            name: of what is judged; the same name is the same features.
            make: the features, float [N, D]; called where a draw is missing.
            standardized: as `svm` takes it.
            draws: their seeds.
        """
        names = {seed: f"{self._num} labels, draw {seed}: {name}" for seed in draws}
        missing = [seed for seed in draws if names[seed] not in self.kept]
        features = make() if missing else None
        for seed in missing:
            rows = labeled_subset(self._labels, self._num, self._num_classes, seed).rows
            error = unseen_error(features, self._labels, rows, seed, standardized)
            self.kept[names[seed]] = error
            write_json(self._path, self.kept)
        return np.array([self.kept[names[seed]] for seed in draws])


def fresh(config, observed: ImageSet):
    """The nets before training, and a name of their weights."""
    return untrained(config, observed), str(config.identity())
