"""A model a class."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mgconv.config import Config
from mgconv.datasets.image_set import Labels, asked_labels
from mgconv.langevin import derived_seed
from mgconv.models.multigrid import MultigridModel
from mgconv.models.saved import save_model, tensors_of

ReadClass = Callable[[int, MultigridModel | None], MultigridModel]


class PerClassModel:
    """A model a class: one learner that reads the weights of the class asked for.

    Args:
        config: of the run.
        data: facts of the run's data; labels are indices of its `class_names`.
        trained: -> the classes that are trained so far.
        read: (label, the model of another class, or None) -> that class's model, by the same
            learner where there is one.
    """

    is_random = True

    def __init__(
        self,
        config: Config,
        data: dict[str, Any],
        trained: Callable[[], list[int]],
        read: ReadClass,
    ):
        self.config, self.data, self.class_names = config, data, data["class_names"]
        self._trained, self._read = trained, read
        self._model: MultigridModel | None = None

    @property
    def labels(self) -> list[int]:
        """The classes that are trained so far."""
        return self._trained()

    def of_class(self, label: int) -> MultigridModel:
        """The model of one class, until the next call."""
        self._model = self._read(label, self._model)
        return self._model

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C] in [-1, 1].

        Args:
            labels: of each image; or a number of images, of all classes in turn.
            seed: of the chains; the same gives the same images.

        Raises:
            UserError: no list of labels, or a class that it was not trained on.
        """
        labels = asked_labels(labels, self.labels)
        if not len(labels):
            return self.of_class(self.labels[0]).synthesize(0)
        parts = {}
        for label in np.unique(labels):
            rows, own = np.flatnonzero(labels == label), derived_seed(seed, int(label))
            parts[label] = rows, self.of_class(label).synthesize(len(rows), own)
        shape = next(iter(parts.values()))[1].shape[1:]
        images = np.empty([len(labels), *shape], np.float32)
        for rows, samples in parts.values():
            images[rows] = samples
        return images

    def save(self, folder: str | os.PathLike, about: dict[str, Any] | None = None) -> None:
        """As `MultigridModel.save`: all classes in one file."""
        tensors: dict[str, np.ndarray] = {}
        for label in self.labels:
            model, name = self.of_class(label), self.class_names[label]
            samples = model.synthesize(model.learner.batch_size)
            tensors |= tensors_of(model.learner, samples, f"{name}/")
        save_model(Path(folder).expanduser(), self.config, self.data, tensors, about or {})
