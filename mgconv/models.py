"""A trained model: what an experiment needs of any, and how a finished run becomes one."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from mgconv.config import Config, Dynamics
from mgconv.datasets.image_set import ImageSet, Labels, asked_labels
from mgconv.energy import EnergyNet
from mgconv.errors import UserError, choose
from mgconv.grids import downsample
from mgconv.langevin import fold_in
from mgconv.layers import BatchStatistics
from mgconv.multigrid import MultigridLearner
from mgconv.recipes import METHODS
from mgconv.training.build import Start, build, make_energy_based, named
from mgconv.training.checkpoints import Checkpoints, has_learned
from mgconv.training.devices import make_strategy
from mgconv.training.fit import describe, reference_images
from mgconv.training.loop import Learner
from mgconv.training.records import read_config


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

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
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


class MultigridModel:
    """A trained energy-based model: multi-grid, or one of its three variants on the top grid alone.

    Args:
        learner: with its weights.
        config: of the run.
        data: facts of the run's data, `class_names` among them.
    """

    is_random, labels = True, ()

    def __init__(self, learner: MultigridLearner, config: Config, data: dict[str, Any]):
        self.learner, self.config, self.data = learner, config, data
        self.class_names = data["class_names"]

    def colors(self, num: int, seed: int) -> np.ndarray:
        """Starts of chains, [num, 1, 1, C]: 1 x 1 versions of training images, drawn at random."""
        known = self.learner.colors.read_value().numpy()
        return known[np.random.default_rng(seed).integers(0, len(known), num)]

    def chains(self, colors: np.ndarray, seed: int) -> list[np.ndarray]:
        """Samples at every grid with a net, coarse to fine, each [N, s, s, C].

        Chains run in batches of the training size: with batch statistics an image's chain depends
        on its neighbors, so the last batch is filled up with colors of reference images.
        """
        size = self.learner.batch_size
        filling = downsample(self.learner.reference, 1).numpy()
        parts = []
        for index, first in enumerate(range(0, len(colors), size)):
            batch = np.concatenate([colors[first : first + size], filling])[:size]
            samples = self.learner.sample(tf.constant(batch), fold_in([seed, 1], index))
            parts.append([x.numpy() for x in samples])
        return [np.concatenate(grid)[: len(colors)] for grid in zip(*parts)]

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C] in [-1, 1]; a model of one class has no other.

        Args:
            labels: a label for each image, or a number of images.
            seed: of the chains.

        Raises:
            UserError: no list of labels.
        """
        num = len(asked_labels(labels, ()))
        if not num:
            return np.empty([0, *self.learner.reference.shape[1:]], np.float32)
        return self.chains(self.colors(num, seed), seed)[-1]

    def inpaint(self, masked: np.ndarray, visible: np.ndarray, seed: int) -> np.ndarray:
        """Images with their hidden pixels sampled given the visible ones, float32 [N, S, S, C].

        Args:
            masked: float32 [N, S, S, C]; what stands at hidden pixels has no influence.
            visible: bool [N, S, S, 1], True where a pixel is known.
            seed: of the chains.
        """
        size, filled = self.learner.batch_size, np.empty_like(masked)
        beside = self.learner.reference.numpy()
        whole = np.ones([*beside.shape[:-1], 1], bool)
        for index, first in enumerate(range(0, len(masked), size)):
            images = np.concatenate([masked[first : first + size], beside])[:size]
            known = np.concatenate([visible[first : first + size], whole])[:size]
            ends = self.learner.fill(
                tf.constant(images), tf.constant(known), fold_in([seed, 2], index)
            )
            filled[first : first + size] = ends[-1].numpy()[: len(masked) - first]
        return np.where(visible, masked, filled)

    def top_grid_alone(self) -> "MultigridModel":
        """The same top grid, its chains started from colors without the grids below."""
        learner = self.learner
        known = [learner.colors.read_value(), learner.reference.read_value()]
        alone = MultigridLearner(learner.grids[-1:], self.config.seed, *known)
        return MultigridModel(alone, self.config, self.data)

    @property
    def nets(self) -> list[EnergyNet]:
        """The nets that sample, coarse to fine: of averaged weights where there are some."""
        return [grid.averaged or grid.net for grid in self.learner.grids]

    def features(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Maps of every layer of the top grid's net for images [B, S, S, C]."""
        return self.nets[-1].features(images)

    def grid_features(self, images: tf.Tensor) -> list[list[tf.Tensor]]:
        """Maps of every layer of each grid's net, fed with its version of the images."""
        return [net.features(downsample(images, net.spec.size)) for net in self.nets]

    @property
    def norms(self) -> list[BatchStatistics]:
        """Layers of batch statistics of all nets, in the order of `grid_features`."""
        layers = [layer for net in self.nets for layer in net.norms]
        return [layer for layer in layers if isinstance(layer, BatchStatistics)]


class PerClassModel:
    """A model a class: one learner that reads the weights of the class asked for.

    Args:
        folder: of the run; a model of class `name` lies in folder/name.
        config: of the run.
        class_names: of the data set; labels are their indices.
        devices: as `load` takes them.
        **dynamics: as `load` takes them.
    """

    is_random = True

    def __init__(
        self, folder: Path, config: Config, class_names: list[str], devices: str, **dynamics
    ):
        self.config, self.class_names, self._folder = config, class_names, folder
        self._options: dict[str, Any] = {"devices": devices, **dynamics}
        self._model: MultigridModel | None = None

    @property
    def labels(self) -> list[int]:
        """The classes that are trained so far."""
        places = [self._folder / name / "checkpoints" for name in self.class_names]
        return [label for label, place in enumerate(places) if has_learned(place)]

    def of_class(self, label: int) -> MultigridModel:
        """The model of one class, until the next call."""
        folder = self._folder / self.class_names[label]
        if self._model is None:
            model = load(folder, **self._options)
            assert isinstance(model, MultigridModel)
            self._model = model
        else:
            _restore(self._model.learner, folder)
        return self._model

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C]; of a number of them, all classes in turn."""
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


def load(folder: str | os.PathLike, devices: str = "auto", **dynamics) -> Model:
    """The trained model in the folder of a run.

    Args:
        folder: of a run, or of one with a model a class.
        devices: that share its chains, as the flag --devices; whatever it was trained on.
        **dynamics: fields of Dynamics other than trained with.

    Raises:
        UserError: the folder is no run, or holds no checkpoint.
    """
    folder = Path(folder).expanduser()
    config, data = read_config(folder)
    for name in dynamics:
        choose("dynamics", name, [field.name for field in dataclasses.fields(Dynamics)])
    row = METHODS[config.method]
    if dynamics and not row.is_energy_based:
        raise UserError(f"{config.method} runs no chains", ", ".join(dynamics), "Leave it out.")
    if config.classes == "each" and row.is_energy_based:
        each = PerClassModel(folder, config, data["class_names"], devices, **dynamics)
        if not each.labels:
            raise _no_checkpoint(folder)
        return each
    config = dataclasses.replace(config, **dynamics)
    strategy = make_strategy(devices, config.method, config.batch_size)
    learner = build(config, data, strategy=strategy)
    _restore(learner, folder)
    return named(row.model)(learner, config, data)


def _restore(learner: Learner, folder: Path) -> None:
    if not Checkpoints(learner, folder / "checkpoints").restore() or not learner.update_count:
        raise _no_checkpoint(folder)


def _no_checkpoint(folder):
    return UserError("No checkpoint in", folder, "Run its training command again.")


def untrained(config: Config, images: ImageSet) -> MultigridModel:
    """The model as it is before its first update: a control."""
    data = describe(images)
    start = Start(images.colors, reference_images(images, config))
    learner = make_energy_based(config, data, start)
    return MultigridModel(learner, config, data)
