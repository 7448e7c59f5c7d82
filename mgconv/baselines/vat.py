"""Virtual adversarial training (Miyato et al. 2018, TPAMI; arXiv 1704.03976): the later method.

The classes of an image must not change under the small perturbation that would change them most.
The paper of 2015, whose error the project page quotes, has the same loss on a fully connected net.

Departure: labeled and other images are one batch, whose statistics normalize both; maps are "same"
in all convolutions, so that small images fit; pixels are not whitened. The perturbation is 2.5 on
[-0.5, 0.5] for 32 x 32 pixels, and grows with the root of their number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from mgconv.baselines.semi_supervised import (
    AveragedStatistics,
    Scalars,
    SemiSupervisedLearner,
    cross_entropy,
    entropy,
)
from mgconv.config import Config
from mgconv.langevin import fold_in
from mgconv.recipes import Conv

RATE = 1e-3  # Miyato et al. 2018
PERTURBATION = 5.0  # norm on [-1, 1] of 32 x 32 x 3 pixels; Miyato et al.'s code for SVHN
PROBE = 0.1  # norm of the finite difference; 1e-6 as published is below float32's rounding here
SLOPE, DROPOUT = 0.1, 0.5  # Miyato et al. 2018


LARGE = (  # "Conv-Large" of Miyato et al. 2018
    *3 * (Conv(128, 3, 1),), *3 * (Conv(256, 3, 1),),
    Conv(512, 3, 1), Conv(256, 1, 1), Conv(128, 1, 1),
)  # fmt: skip
SMALL = (  # the top grid's part of table 3's supervised CNN, and that CNN
    Conv(64, 5, 2), Conv(128, 5, 2), Conv(64, 3, 1), Conv(64, 3, 1),
)  # fmt: skip


@dataclass(frozen=True)
class VatSpec:
    """One kind: its network and how it is trained."""

    convolutions: tuple[Conv, ...] = LARGE
    pooled: tuple[int, ...] = (2, 5)  # convolutions that pooling and dropout follow
    entropy: float = 0.0  # weight of the entropy of images without labels


VATS = {
    "vat": VatSpec(),
    "vat_entropy": VatSpec(entropy=1.0),
    "vat_small": VatSpec(SMALL, pooled=(2,)),
}


class VatNet(keras.Model):
    """Convolutions, the mean of their last maps, classes; a PartlyLabeledNet.

    Args:
        spec: a row of VATS.
        image_shape: (S, S, C).
        num_classes: K.
        width: factor of all filters.
        seed: of the weights.
    """

    def __init__(
        self, spec: VatSpec, image_shape: tuple, num_classes: int, width: float, seed: int
    ):
        super().__init__(name="classifier")
        self.spec = spec
        scale = (math.prod(image_shape) / (32 * 32 * 3)) ** 0.5
        self.perturbation, self.probe = scale * PERTURBATION, scale * PROBE
        shape, stages = (None, *image_shape), []
        for index, conv in enumerate(spec.convolutions):
            filters = max(1, round(width * conv.filters))
            convolution = keras.layers.Conv2D(
                filters, conv.kernel, conv.stride, "same", use_bias=False,
                kernel_initializer=keras.initializers.HeNormal(seed=seed + index),
            )  # fmt: skip
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            stages.append((convolution, _norm(shape)))
        self.stages = stages
        initial = keras.initializers.GlorotUniform(seed=seed + len(stages))
        self.read = keras.layers.Dense(num_classes, kernel_initializer=initial)
        self.read.build((None, shape[-1]))
        self.read_norm = _norm((None, num_classes))  # Miyato et al.'s code for SVHN: top_bn
        for index, (convolution, norm) in enumerate(stages):  # a Checkpoint sees no lists
            setattr(self, f"convolution_{index}", convolution)
            setattr(self, f"norm_{index}", norm)
        self.built = True

    def logits(self, images, seed=None, moves=True):
        """As PartlyLabeledNet.logits; `moves` says whether averages of statistics do in training.

        Equal seeds drop the same values.
        """
        x, training = images, seed is not None
        for index, (convolution, norm) in enumerate(self.stages):
            x = norm(convolution(x), training=training, moves=training and moves)
            x = tf.nn.leaky_relu(x, SLOPE)
            if index in self.spec.pooled:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
                x = _dropped(x, fold_in(seed, index)) if training else x
        means = self.read(tf.reduce_mean(x, [1, 2]))
        return self.read_norm(means, training=training, moves=training and moves)

    def losses(self, images, labels, seed, update) -> tuple[Scalars, Scalars]:
        """Cross entropy where labels are known, divergence under the worst perturbation of all."""
        clean = self.logits(images, seed)
        target = tf.stop_gradient(clean)
        moved = images + self.worst(images, target, seed)
        divergence = tf.reduce_mean(kl(target, self.logits(moved, seed, moves=False)))
        hidden = tf.cast(labels < 0, tf.float32)
        unsure = tf.reduce_sum(hidden * entropy(clean)) / tf.maximum(1.0, tf.reduce_sum(hidden))
        losses = {"cross_entropy": cross_entropy(clean, labels), "divergence": divergence}
        if not self.spec.entropy:
            return losses, {"entropy": unsure}
        return losses | {"entropy": self.spec.entropy * unsure}, {}

    def worst(self, images, target, seed):
        """The perturbation by which the classes of each image change most, [B, S, S, C]."""

        def divergence(r):
            return kl(target, self.logits(images + r, seed, moves=False))

        start = tf.random.stateless_normal(tf.shape(images), fold_in(seed, len(self.stages)))
        return self.perturbation * worst_direction(divergence, start, self.probe)

    def shown(self, images, seed):
        """The images under their worst perturbations."""
        target = self.logits(images, seed, moves=False)
        return {"perturbed": tf.clip_by_value(images + self.worst(images, target, seed), -1, 1)}


def _norm(shape):
    norm = AveragedStatistics()
    norm.build(shape)
    return norm


def _dropped(x, seed):
    kept = tf.random.stateless_uniform(tf.shape(x), seed) >= DROPOUT
    return tf.where(kept, x / (1 - DROPOUT), 0.0)


def worst_direction(
    divergence: Callable[[tf.Tensor], tf.Tensor],
    start: tf.Tensor,
    probe: float,
    num_iterations: int = 1,
) -> tf.Tensor:
    """The direction in which a divergence that is least at 0 grows most, by power iterations.

    Near 0 it is r^T H r / 2, so that its gradient at probe * d is probe * H d.

    Args:
        divergence: of perturbations [B, ...], [B].
        start: directions of any length, [B, ...].
        probe: how far from 0 the gradient is taken.
        num_iterations: one in Miyato et al. 2018.

    Returns:
        Vectors of norm 1, [B, ...], without gradient.
    """
    direction = unit(start)
    for _ in range(num_iterations):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(r := probe * direction)
            total = tf.reduce_sum(divergence(r))
        direction = unit(tape.gradient(total, r))
    return tf.stop_gradient(direction)


def unit(x: tf.Tensor) -> tf.Tensor:
    """Each row of [B, ...] over its norm; a row of 0 stays."""
    axes = list(range(1, x.shape.rank))
    x = tf.math.divide_no_nan(x, tf.reduce_max(tf.abs(x), axes, keepdims=True))  # no underflow
    return tf.math.divide_no_nan(x, tf.sqrt(tf.reduce_sum(tf.square(x), axes, keepdims=True)))


def kl(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """KL divergence of the classes by `logits` from those by `target`, [B, K] each, [B]."""
    p, q = tf.nn.log_softmax(target), tf.nn.log_softmax(logits)
    return tf.reduce_sum(tf.exp(p) * (p - q), axis=1)


def make(config: Config, data: dict, *_) -> SemiSupervisedLearner:
    """The learner of a run, unlearned."""
    shape = (config.batch_size, config.size, config.size, data["channels"])
    num_classes = len(data.get("labels", [0]))
    net = VatNet(VATS[config.method], shape[1:], num_classes, config.width, config.seed)
    return SemiSupervisedLearner(net, config, shape, RATE)
