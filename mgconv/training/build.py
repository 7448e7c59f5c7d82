"""From settings to the learner of a method: nets, chain starts, optimizers."""

import importlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.chains import ChainStart, FromCoarser, FromData, Persistent
from mgconv.config import Config
from mgconv.curvature import curvature_penalty
from mgconv.datasets.image_set import ImageSet
from mgconv.energy import EnergyNet
from mgconv.errors import UserError
from mgconv.layers import standard_keras
from mgconv.multigrid import GridLearner, MultigridLearner, weight_seed
from mgconv.recipes import METHODS
from mgconv.training.devices import (
    ChangeGradients,
    DistributedLearner,
    replica_share,
    whole_batch,
)
from mgconv.training.loop import Learner
from mgconv.training.optimizers import author_gradients, limit_gradients, make_optimizer


class Start(NamedTuple):
    """What a learner is given of its training images."""

    colors: np.ndarray  # [N, 1, 1, C], from which samples start
    reference: np.ndarray  # [B, S, S, C], observed images that fill up a batch
    images: ImageSet | None = None  # all of them, for what is fitted before the first update


@standard_keras()
def build(
    config: Config,
    data: dict[str, Any],
    start: Start | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Learner:
    """The learner of a run's method.

    Args:
        config: of the run.
        data: facts of the training data, as `fit.describe` gives them.
        start: None for one that is to be restored.
        strategy: of several devices that can share the method and the batch.

    Raises:
        UserError: hidden pixels are to be learned by a method that cannot.
    """
    row = METHODS[config.method]
    if config.objective == "conditional" and "inpaint" not in row.can:
        remedy = "Leave out --objective=conditional."
        raise UserError("No hidden pixels are filled by", config.method, remedy)
    learner = named(row.make)(config, data, start, strategy)
    if not row.is_energy_based:
        for rate in learner.rates:
            rate.assign(config.rate_factor * rate)
    return learner


def named(place: str) -> Any:
    """What stands at "module:name"; a row of METHODS costs nothing until it is used."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def make_energy_based(
    config: Config,
    data: dict[str, Any],
    start: Start | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> MultigridLearner:
    """The learner of one of our energy-based models; without a start, one to be restored."""
    shape = (config.batch_size, config.size, config.size, data["channels"])
    colors, reference, _ = start or Start(np.zeros([1, 1, 1, shape[-1]]), np.zeros(shape))
    return build_learner(config, colors, reference, data["num_images"], strategy)


@standard_keras()
def build_learner(
    config: Config,
    colors: np.ndarray,
    reference: np.ndarray,
    num_images: int,
    strategy: tf.distribute.Strategy | None = None,
) -> MultigridLearner:
    """The learner that `config` describes.

    Args:
        config: of a run.
        colors: [N, 1, 1, C], of training images.
        reference: [B, S, S, C], observed images.
        num_images: size of the training set (the paper's learning rate decays by epochs).
        strategy: of several devices that can share the method and the batch.
    """
    channels = reference.shape[-1]
    updates_per_epoch = max(1, num_images // config.batch_size)

    def grids():
        return [
            _build_grid(config, index, size, channels, updates_per_epoch)
            for index, size in enumerate(config.learned_sizes)
        ]

    if strategy is None or strategy.num_replicas_in_sync == 1:
        return MultigridLearner(grids(), config.seed, colors, reference)
    with strategy.scope():  # mirrors nets and optimizers; what no replica writes is outside
        mirrored = grids()
    return DistributedLearner(mirrored, config.seed, colors, reference, strategy)


def _build_grid(config: Config, index: int, size: int, channels: int, updates_per_epoch: int):
    def net():
        return EnergyNet(
            config.spec(size),
            channels,
            weight_seed(config.seed, index),
            config.normalization,
            config.activation,
            config.reference_sigma,
            config.mixed_precision,
        )

    rate = tf.Variable(config.learning_rate, trainable=False)
    training, weight = config.training_dynamics(size), config.curvature_penalty
    most_drift = training.drift * max(1.0, training.drift_end)
    penalty: dict[str, Any] = {}
    if weight:
        penalty["penalize"] = curvature_penalty(weight, most_drift)
    optimizer = make_optimizer(config, rate, updates_per_epoch)
    changes: list[ChangeGradients] = [author_gradients] * config.author_gradients
    if config.gradient_limit:
        changes.append(limit_gradients(optimizer, config.gradient_limit))
    return GridLearner(
        net(),
        _build_start(config, (config.batch_size, size, size, channels)),
        training,
        config.synthesis_dynamics(size),
        optimizer,
        config.data_noise,
        net() if config.average_decay else None,
        config.average_decay,
        readout_limit=config.readout_limit,
        jit_compile=config.jit_compile,
        rate=rate,
        **penalty,
        whole_batch=whole_batch,
        change_gradients=replica_share(*changes),
    )


def _build_start(config: Config, batch_shape: tuple[int, int, int, int]) -> ChainStart:
    chain_start = METHODS[config.method].chain_start
    if chain_start == "persistent":
        return Persistent(config.pool_size or 10 * config.batch_size, batch_shape)
    return FromData() if chain_start == "data" else FromCoarser()
