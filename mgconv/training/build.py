"""From settings to the learner of a method: nets, chain starts, optimizers."""

from typing import Any

import numpy as np
import tensorflow as tf

from mgconv.baselines.context_encoder import ContextEncoderLearner
from mgconv.baselines.gan import GANS, GanLearner
from mgconv.chains import FromCoarser, FromData, Persistent
from mgconv.config import Config
from mgconv.curvature import curvature_penalty
from mgconv.energy import EnergyNet
from mgconv.errors import UserError
from mgconv.multigrid import GridLearner, MultigridLearner, weight_seed
from mgconv.recipes import BASELINES, FILLERS, METHODS
from mgconv.training.devices import DistributedLearner
from mgconv.training.loop import Learner
from mgconv.training.optimizers import changed_sums, make_optimizer


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
    return GridLearner(
        net(),
        _build_start(config, (config.batch_size, size, size, channels)),
        training,
        config.synthesis_dynamics(size),
        make_optimizer(config, rate, updates_per_epoch),
        config.data_noise,
        net() if config.average_decay else None,
        config.average_decay,
        readout_limit=config.readout_limit,
        jit_compile=config.jit_compile,
        rate=rate,
        **({"penalty": curvature_penalty(weight, most_drift)} if weight else {}),
        **({"change_gradients": changed_sums} if config.author_gradients else {}),
    )


def _build_start(config: Config, batch_shape):
    pool_size = config.pool_size or 10 * config.batch_size
    return {
        "coarser": FromCoarser,
        "data": FromData,
        "persistent": lambda: Persistent(pool_size, batch_shape),
    }[METHODS[config.method].chain_start]()


def build(
    config: Config, data: dict[str, Any], colors=None, reference=None, strategy=None
) -> Learner:
    """The learner of a run; without colors and reference images, one to be restored."""
    shape = (config.batch_size, config.size, config.size, data["channels"])
    if config.method in FILLERS:
        return ContextEncoderLearner(shape, config.width, config.seed)
    if config.method in BASELINES:
        if config.objective == "conditional":
            remedy = "Leave out --objective=conditional."
            raise UserError("No hidden pixels are learned by", config.method, remedy)
        num_classes = len(data.get("labels", [0]))
        return GanLearner(GANS[config.method], shape, num_classes, config.width, config.seed)
    if colors is None:
        colors, reference = np.zeros([1, 1, 1, shape[-1]]), np.zeros(shape)
    return build_learner(config, colors, reference, data["num_images"], strategy)
