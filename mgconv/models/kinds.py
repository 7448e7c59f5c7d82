"""What an experiment needs of any trained model."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from mgconv.config import Config
from mgconv.datasets.image_set import Labels
from mgconv.layers import BatchStatistics


class Model(Protocol):
    """A trained model; what its row of METHODS says that it cannot do, it lacks.

    Attributes:
        config: of its run.
        class_names: of its data set.
        labels: the classes that it tells apart, indices of class_names; none: it has no classes.
        is_random: whether two seeds give two results.
    """

    config: Config
    class_names: list[str]
    is_random: bool

    @property
    def labels(self) -> Sequence[int]: ...


@runtime_checkable
class Synthesizer(Model, Protocol):
    """A model that draws images."""

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C] in [-1, 1]: a label each, or a number of images."""


@runtime_checkable
class Inpainter(Model, Protocol):
    """A model that fills hidden pixels."""

    def inpaint(self, images: np.ndarray, visible: np.ndarray, seed: int = 0) -> np.ndarray:
        """Images [N, S, S, C] with their hidden pixels filled, the visible ones as they are."""


@runtime_checkable
class FeatureExtractor(Model, Protocol):
    """A model whose network's maps are features."""

    def features(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Maps of every convolutional layer that sees the images at full size, [B, h, w, K]."""

    def grid_features(self, images: tf.Tensor) -> list[list[tf.Tensor]]:
        """Maps of every convolutional layer of each grid, coarse to fine."""

    @property
    def norms(self) -> list[BatchStatistics]:
        """The layers whose statistics are to be frozen before features are used, in order."""

    @property
    def activations(self) -> list[keras.layers.Layer]:
        """The layers whose outputs are the maps of `grid_features`, in the same order."""


@runtime_checkable
class Classifier(Model, Protocol):
    """A model that tells the classes of images."""

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of its `labels`, float32 [N, K], of images [N, S, S, C] in [-1, 1]."""
