"""What an experiment needs of any learned system; how ours is made, learned and loaded."""

import dataclasses
import os
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from mgconv.chains import FromCoarser, FromData, Persistent
from mgconv.config import METHODS, Config, Dynamics, UserError, choose, grid_spec
from mgconv.datasets import ImageSet, batches
from mgconv.energy import EnergyNet
from mgconv.grids import downsample
from mgconv.images import to_float
from mgconv.learner import GridLearner, MultigridLearner, author_gradients, fold_in, weight_seed
from mgconv.tracking import Run, read_config
from mgconv.training import Checkpoints, train


class System(Protocol):
    """A learned system; what it cannot do, it lacks."""

    def synthesize(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """New images of these classes, float32 [len(labels), S, S, C]."""


# -- from settings to a learner


def build_learner(config: Config, colors: np.ndarray, reference: np.ndarray, num_images: int):
    """The learner that `config` describes.

    Args:
        config: of a run.
        colors: [N, 1, 1, C], of training images.
        reference: [B, S, S, C], observed images.
        num_images: size of the training set (the paper's learning rate decays by epochs).
    """
    channels = reference.shape[-1]
    updates_per_epoch = max(1, num_images // config.batch_size)
    grids = [
        _build_grid(config, index, size, channels, updates_per_epoch)
        for index, size in enumerate(config.learned_sizes)
    ]
    return MultigridLearner(grids, config.seed, colors, reference)


def _build_grid(config: Config, index: int, size: int, channels: int, updates_per_epoch: int):
    def net():
        return EnergyNet(
            grid_spec(config.nets, size, config.width),
            channels,
            weight_seed(config.seed, index),
            config.normalization,
            config.activation,
            config.reference_sigma,
        )

    return GridLearner(
        net(),
        _build_start(config, (config.batch_size, size, size, channels)),
        config.training,
        config.synthesis,
        _build_optimizer(config, updates_per_epoch),
        config.data_noise,
        net() if config.average_decay else None,
        config.average_decay,
        **({"change_gradients": author_gradients} if config.author_gradients else {}),
    )


def _build_start(config: Config, batch_shape):
    pool_size = config.pool_size or 10 * config.batch_size
    return {
        "coarser": FromCoarser,
        "data": FromData,
        "persistent": lambda: Persistent(pool_size, batch_shape),
    }[METHODS[config.method].chain_start]()


def _build_optimizer(config: Config, updates_per_epoch: int):
    rate = config.learning_rate
    if config.learning_rate_decay != 1:
        num_updates = config.decay_epochs * updates_per_epoch
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, num_updates, config.learning_rate_decay, staircase=True
        )
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=config.beta1)
    return keras.optimizers.Adam(rate, beta_1=config.beta1, epsilon=1e-8)  # TF 1's epsilon


# -- from data to a finished run


def learn(
    config: Config,
    images: ImageSet,
    folder: str | os.PathLike,
    learner: MultigridLearner | None = None,
    num_images: int | None = None,
) -> tuple[MultigridLearner, float]:
    """Learns a model of `images` in `folder`, or goes on with the one that is there.

    Args:
        config: how.
        images: all training images of this model.
        folder: of the run.
        learner: one that was traced for another model of the same config, to be used again.
        num_images: training images that count as an epoch; by default all of `images`.

    Returns:
        The learner and the seconds that its updates took.
    """
    colors = images.colors
    rows = np.random.default_rng(config.seed).permutation(len(images))
    reference = to_float(images.pixels[np.sort(np.resize(rows, config.batch_size))])
    stream = lambda first: batches(  # noqa: E731
        images, config.batch_size, config.seed, first, config.flip
    )
    stream(0)  # a batch larger than the data is told before a folder is made
    run = Run(folder, config, describe(images))
    if learner is None:
        learner = build_learner(config, colors, reference, num_images or len(images))
    else:
        learner.reset(config.seed, colors, reference)
    seconds = train(
        learner,
        stream,
        num_updates=config.num_updates,
        minutes=config.minutes,
        run=run,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        preview_every=config.preview_every,
    )
    return learner, seconds


def describe(images: ImageSet) -> dict[str, Any]:
    """Facts that tell one training set from another."""
    sample = images.pixels[:: max(1, len(images) // 100)]
    names = [images.class_names[label] for label in np.unique(images.labels)]
    return {
        "num_images": len(images),
        "skipped": images.skipped,
        "channels": int(images.pixels.shape[-1]),
        "class_names": names,
        "mean_pixel": round(float(np.mean(sample)), 6),
    }


# -- from a finished run to samples


class MultigridSystem:
    """A learned model: multi-grid, or one of its three baselines on the top grid alone."""

    def __init__(self, learner: MultigridLearner, config: Config, class_names: list[str]):
        self.learner, self.config, self.class_names = learner, config, class_names

    def colors(self, num: int, seed: int) -> np.ndarray:
        """Starts of chains, [num, 1, 1, C]: 1 x 1 versions of training images, drawn at random."""
        known = self.learner.colors.read_value().numpy()
        return known[np.random.default_rng(seed).integers(0, len(known), num)]

    def chains(self, colors: np.ndarray, seed: int) -> list[np.ndarray]:
        """Samples at every learned grid, coarse to fine, each [N, s, s, C].

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

    def synthesize(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """New images, float32 [len(labels), S, S, C]; a model of one class has no other."""
        return self.chains(self.colors(len(labels), seed), seed)[-1]


class ClassConditionalSystem:
    """A model a class: one learner that reads the weights of the class asked for.

    Args:
        folder: of the run; a model of class `name` lies in folder/name.
        class_names: of the data set; labels are their indices.
        **dynamics: as `load` takes them.
    """

    def __init__(self, folder: Path, class_names: list[str], **dynamics):
        self.class_names, self._folder, self._dynamics = class_names, folder, dynamics
        self._system = None

    @property
    def labels(self) -> list[int]:
        """The classes that are learned so far."""
        learned = [(self._folder / name / "config.json").exists() for name in self.class_names]
        return [label for label, there in enumerate(learned) if there]

    def of_class(self, label: int) -> MultigridSystem:
        """The model of one class, until the next call."""
        folder = self._folder / self.class_names[label]
        if self._system is None:
            self._system = load(folder, **self._dynamics)
        else:
            _restore(self._system.learner, folder)
        return self._system

    def synthesize(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """New images of these classes, float32 [len(labels), S, S, C]."""
        labels = np.asarray(labels)
        images = None
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            samples = self.of_class(label).synthesize(rows, seed + int(label))
            if images is None:
                images = np.empty([len(labels), *samples.shape[1:]], np.float32)
            images[rows] = samples
        return images


def load(folder: str | os.PathLike, **dynamics) -> MultigridSystem | ClassConditionalSystem:
    """The learned model in the folder of a run.

    Args:
        folder: of a run, or of one with a model a class.
        **dynamics: noise, drift, num_langevin_steps or noise_end other than learned with.

    Raises:
        UserError: the folder is no run, or holds no checkpoint.
    """
    folder = Path(folder)
    config, data = read_config(folder)
    if config.classes == "each":
        return ClassConditionalSystem(folder, data["class_names"], **dynamics)
    for name in dynamics:
        choose("dynamics", name, [field.name for field in dataclasses.fields(Dynamics)])
    config = dataclasses.replace(config, **dynamics)
    shape = (config.batch_size, config.size, config.size, data["channels"])
    colors, reference = np.zeros([1, 1, 1, shape[-1]]), np.zeros(shape)
    learner = build_learner(config, colors, reference, data["num_images"])
    _restore(learner, folder)
    return MultigridSystem(learner, config, data["class_names"])


def _restore(learner: MultigridLearner, folder: Path) -> None:
    if not Checkpoints(learner, folder / "checkpoints").restore():
        raise UserError("No checkpoint in", folder, "Run its training command again.")
