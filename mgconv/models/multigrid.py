"""A trained energy-based model."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgconv.config import Config
from mgconv.datasets.image_set import Labels, asked_labels
from mgconv.energy import EnergyNet
from mgconv.errors import choose
from mgconv.grids import downsample
from mgconv.langevin import fold_in
from mgconv.layers import BatchStatistics
from mgconv.models.inputs import as_float, given_images, given_visible
from mgconv.models.saved import save_model, tensors_of
from mgconv.multigrid import MultigridLearner

OfBatch = Callable[..., Iterable[tf.Tensor]]  # (index of a batch, its arrays) -> [B, ...] each


class MultigridModel:
    """A trained energy-based model: multi-grid, or one of its three variants on the top grid alone.

    Images are [N, S, S, C], any number of them: they are worked on in batches of the training size.
    Those that go in are uint8 of 0..255, or floats in [-1, 1]; those that come out are float32 in
    [-1, 1], where -1 is black. A UserError says in one line what does not fit.

    Args:
        learner: with its weights.
        config: of the run.
        data: facts of the run's data, `class_names` among them.
    """

    is_random, labels = True, ()

    def __init__(self, learner: MultigridLearner, config: Config, data: dict[str, Any]):
        self.learner, self.config, self.data = learner, config, data
        self.class_names = data["class_names"]

    def synthesize(self, labels: Labels, seed: int = 0) -> np.ndarray:
        """New images, float32 [N, S, S, C] in [-1, 1].

        Args:
            labels: a number of images; or a label for each, which a model without classes ignores.
            seed: of the chains; the same gives the same images.

        Raises:
            UserError: neither.
        """
        num = len(asked_labels(labels, ()))
        return self.chains(self.colors(num, seed), seed)[-1]

    def inpaint(self, images: np.ndarray, visible: np.ndarray, seed: int = 0) -> np.ndarray:
        """Images with their hidden pixels sampled given the visible ones, float32 [N, S, S, C].

        Args:
            images: [N, S, S, C]; what stands at hidden pixels has no influence.
            visible: bool [N, S, S, 1], or [S, S] for all images; True where a pixel is known.
            seed: of the chains.

        Raises:
            UserError: another shape, type or range.
        """
        images = given_images(images, self.shape)
        visible = given_visible(visible, images)
        images = np.where(visible, as_float(images, visible), np.float32(0))

        def fill(index, images, visible):
            return [self.learner.fill(images, visible, fold_in([seed, 2], index))[-1]]

        beside = self.learner.reference.numpy()
        whole = np.ones([*beside.shape[:-1], 1], bool)
        filled = self._in_batches(fill, (images, beside), (visible, whole))[0]
        return np.where(visible, images, filled)

    def energy(self, images: np.ndarray, size: int | None = None) -> np.ndarray:
        """U of each image, float32 [N]: the lower, the likelier, up to a constant of the net.

        Args:
            images: [N, S, S, C].
            size: pixels a side of the grid whose net says it; by default the top one.

        Raises:
            UserError: another shape, type or range, or a grid without a net.
        """
        nets = {net.spec.size: net for net in self.nets}
        known = choose("grid", str(size or self.shape[0]), map(str, nets))
        net = nets[int(known)]
        return self._of_images(images, lambda x: [net(downsample(x, net.spec.size))])[0]

    def features(self, images: np.ndarray | tf.Tensor) -> list:
        """Maps of every layer of the top grid's net, bottom-up, float32 [N, h, w, K] each.

        With batch statistics an image's maps depend on those of its batch; `evaluation.features`
        freezes them.

        Args:
            images: [N, S, S, C]; or a tensor of one batch in [-1, 1], whose maps are tensors.

        Raises:
            UserError: another shape, type or range.
        """
        if tf.is_tensor(images):
            return self.nets[-1].features(images)
        return self._of_images(images, self.nets[-1].features)

    def grid_features(self, images: tf.Tensor) -> list[list[tf.Tensor]]:
        """Maps of every layer of each grid's net, fed with its version of a batch of images."""
        return [net.features(downsample(images, net.spec.size)) for net in self.nets]

    def colors(self, num: int, seed: int) -> np.ndarray:
        """Starts of chains, [num, 1, 1, C]: 1 x 1 versions of training images, drawn at random."""
        known = self.learner.colors.read_value().numpy()
        return known[np.random.default_rng(seed).integers(0, len(known), num)]

    def chains(self, colors: np.ndarray, seed: int) -> list[np.ndarray]:
        """Samples at every grid with a net, coarse to fine, each [N, s, s, C].

        Args:
            colors: [N, 1, 1, C]; or images of a grid, [N, s, s, C], from which chains go through
                the finer grids alone.
            seed: of the chains.
        """
        beside = downsample(self.learner.reference, colors.shape[1]).numpy()

        def sample(index, colors):
            return self.learner.sample(colors, fold_in([seed, 1], index))

        return self._in_batches(sample, (colors, beside))

    def _of_images(self, images, function: Callable[[tf.Tensor], Iterable]) -> list[np.ndarray]:
        images = as_float(given_images(images, self.shape))
        beside = self.learner.reference.numpy()
        return self._in_batches(lambda index, x: function(x), (images, beside))

    def _in_batches(self, run: OfBatch, *pairs: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
        """Runs arrays of N rows in batches of the training size; returns N rows of each result.

        With batch statistics a row depends on its neighbors, so the last batch is filled up.

        Args:
            run: what is done with a batch.
            *pairs: an array, and a batch of what fills it up.
        """
        size, num, parts = self.learner.batch_size, len(pairs[0][0]), []
        for index, first in enumerate(range(0, max(1, num), size)):
            batch = [np.concatenate([x[first : first + size], y])[:size] for x, y in pairs]
            parts.append([x.numpy() for x in run(index, *map(tf.constant, batch))])
        return [np.concatenate(results)[:num] for results in zip(*parts)]

    def save(self, folder: str | os.PathLike, about: dict[str, Any] | None = None) -> None:
        """Writes a folder that can be handed on, and loaded: weights in float16, a model card.

        Args:
            folder: new, or of a model that was saved before, which it replaces.
            about: for the card, as `models.card` takes it.

        Raises:
            UserError: the folder holds something else, or cannot be written.
        """
        samples = self.synthesize(self.learner.batch_size)
        tensors = tensors_of(self.learner, samples)
        save_model(Path(folder).expanduser(), self.config, self.data, tensors, about or {})

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, S, C) of its images."""
        return tuple(self.learner.reference.shape[1:])

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

    @property
    def norms(self) -> list[BatchStatistics]:
        """Layers of batch statistics of all nets, in the order of `grid_features`."""
        layers = [layer for net in self.nets for layer in net.norms]
        return [layer for layer in layers if isinstance(layer, BatchStatistics)]

    @property
    def activations(self) -> list[keras.layers.Layer]:
        """The layers whose outputs are the maps of `grid_features`, in the same order."""
        return [layer for net in self.nets for layer in net.activations]
