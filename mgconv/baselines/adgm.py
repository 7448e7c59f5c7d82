"""Auxiliary and skip deep generative models, ADGM and SDGM (Maaloe et al. 2016).

An auxiliary variable a makes q(z | x, y) richer than a Gaussian, and q(y | a, x) sees it. In ADGM
p(x | y, z) does not, in SDGM p(x | a, z, y) does.

Departure: 200 whitened principal components, as in DGN, and layers of 256 with a and z of 32,
instead of pixels, 500 and 100; a batch has one labeled image in four; KL terms come in over the
first 1,000 updates.
"""

import numpy as np
import tensorflow as tf

from mgconv.baselines.semi_supervised import (
    NUM_SHOWN,
    Scalars,
    SemiSupervisedLearner,
    cross_entropy,
)
from mgconv.baselines.variational import (
    Gaussian,
    LatentClassifier,
    Mlp,
    bound_over_classes,
    class_entropy,
    every_class,
    learner_of,
    warm,
)
from mgconv.config import Config
from mgconv.langevin import fold_in

HIDDEN, LATENT = (256, 256), 32  # ours; Maaloe et al. have 500, 500 and 100
RATE = 1e-3  # ours; Maaloe et al. have 3e-4 for longer


class AdgmNet(LatentClassifier):
    """Five networks of whitened pixels x, auxiliary a, class y, latent z; a PartlyLabeledNet.

    Args:
        image_shape: (S, S, C).
        num_classes: K.
        alpha: weight of cross entropy.
        seed: of the weights.
    """

    p_a_sees_x = True  # and p(x) does not see a

    def __init__(self, image_shape: tuple, num_classes: int, alpha: float, seed: int):
        super().__init__(image_shape, num_classes, alpha)

        def mlp(index, inputs, outputs):
            return Mlp(inputs, HIDDEN, outputs, "relu", seed + 10 * index, normalized=True)

        pixels, k = self.whiten.length, num_classes
        seen_by_a, seen_by_x = (pixels, 0) if self.p_a_sees_x else (0, LATENT)
        self.q_a = mlp(0, pixels, 2 * LATENT)
        self.q_y = mlp(1, LATENT + pixels, k)
        self.q_z = mlp(2, LATENT + pixels + k, 2 * LATENT)
        self.p_a = mlp(3, seen_by_a + k + LATENT, 2 * LATENT)
        self.p_x = mlp(4, seen_by_x + k + LATENT, 2 * pixels)
        self.built = True

    def logits(self, images, seed=None):
        """As PartlyLabeledNet.logits: of a sample of q(a | x), or of its mean."""
        x = self.whiten(images)
        return self._read(x, self.q_a.gaussian(x, training=seed is not None), seed)[1]

    def _read(self, x, inferred: Gaussian, seed):
        """a, and the logits of q(y | a, x)."""
        training = seed is not None
        a = inferred.sample(fold_in(seed, 0)) if training else inferred.mean
        return a, self.q_y(a, x, training=training)

    def losses(self, images, labels, seed, update) -> tuple[Scalars, Scalars]:
        """The bound, summed over classes where they are hidden, and cross entropy elsewhere."""
        x = self.whiten(images)
        inferred = self.q_a.gaussian(x, training=True)
        a, logits = self._read(x, inferred, seed)
        per_class = self.bound(x, a, inferred, fold_in(seed, 1), warm(update))
        explained, _ = bound_over_classes(per_class, logits, labels)
        losses = {
            "bound": tf.reduce_mean(explained),
            "cross_entropy": self.alpha * cross_entropy(logits, labels),
        }
        return losses, {"class_entropy": class_entropy(logits)}

    def bound(self, x, a, q_a: Gaussian, seed, weight=1.0, training=True):
        """The negative bound of log p(x, y) for every class, [B, K]."""
        y = every_class(x.shape[0], self.num_classes)
        q_z = self.q_z.gaussian(a, x, y, training=training)
        z = q_z.sample(seed)
        p_a, p_x = self.explain(x, a, y, z, training)
        observed, auxiliary = x[:, tf.newaxis], a[:, tf.newaxis]
        ratio = q_a.log_density(a)[:, tf.newaxis] - p_a.log_density(auxiliary)
        terms = weight * (q_z.kl() + ratio) - p_x.log_density(observed)
        return terms + np.log(self.num_classes)

    def explain(self, x, a, y, z, training=False) -> tuple[Gaussian, Gaussian]:
        """p(a | x, y, z) and p(x | y, z)."""
        p_a = self.p_a.gaussian(x, y, z, training=training)
        return p_a, self.p_x.observed(y, z, training=training)

    def draw(self, y, z):
        """Mean components of classes and latent values, [B, D]."""
        return self.p_x.observed(y, z).mean

    def shown(self, images, seed):
        """Images of each class in turn."""
        z = tf.random.stateless_normal([NUM_SHOWN, LATENT], seed)
        drawn = self.draw(self.classes_in_turn(), z)
        return {"synthesized": self.whiten.images(drawn, self.image_shape)}


class SdgmNet(AdgmNet):
    """The same with a between z and x."""

    p_a_sees_x = False

    def explain(self, x, a, y, z, training=False):
        """p(a | z, y) and p(x | a, z, y)."""
        p_a = self.p_a.gaussian(y, z, training=training)
        return p_a, self.p_x.observed(a, y, z, training=training)

    def draw(self, y, z):
        """As AdgmNet.draw, a at its mean."""
        return self.p_x.observed(self.p_a.gaussian(y, z).mean, y, z).mean


NETS = {"adgm": AdgmNet, "sdgm": SdgmNet}


def make(config: Config, data: dict, start=None, *_) -> SemiSupervisedLearner:
    """The learner of a run, unlearned; with a start, its whitening fitted."""
    return learner_of(NETS[config.method], config, data, start, RATE)
