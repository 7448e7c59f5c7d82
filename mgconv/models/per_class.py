"""A model a class."""

from collections.abc import Callable

import numpy as np

from mgconv.config import Config
from mgconv.datasets.image_set import Labels, asked_labels
from mgconv.models.multigrid import MultigridModel

ReadClass = Callable[[int, MultigridModel | None], MultigridModel]


class PerClassModel:
    """A model a class: one learner that reads the weights of the class asked for.

    Args:
        config: of the run.
        class_names: of the data set; labels are their indices.
        trained: -> the classes that are trained so far.
        read: (label, the model of another class, or None) -> that class's model, by the same
            learner where there is one.
    """

    is_random = True

    def __init__(
        self,
        config: Config,
        class_names: list[str],
        trained: Callable[[], list[int]],
        read: ReadClass,
    ):
        self.config, self.class_names = config, class_names
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
            rows = np.flatnonzero(labels == label)
            parts[label] = rows, self.of_class(label).synthesize(len(rows), seed + int(label))
        shape = next(iter(parts.values()))[1].shape[1:]
        images = np.empty([len(labels), *shape], np.float32)
        for rows, samples in parts.values():
            images[rows] = samples
        return images
