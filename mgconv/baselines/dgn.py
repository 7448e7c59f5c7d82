"""DGN: M1 + M2, deep generative models of images and classes (Kingma et al. 2014).

M1 is a variational autoencoder of whitened pixels. M2 explains its latent variable by a class and
a second one. The page's row "DGN" is that of this paper.

Departure: both learn at once, M2 from samples of M1 as it is then, not after 3,000 passes of M1;
200 principal components instead of 600, and narrower layers; a batch has one labeled image in four,
the same for both; KL terms come in over the first 1,000 updates.
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

HIDDEN_1, LATENT_1 = (400, 400), 64  # of M1; ours, Kingma et al. have 600, 600 and 50
HIDDEN_2, LATENT_2 = (300,), 32  # of M2; ours, Kingma et al. have 500 and 50
RATE = 1e-3  # ours; 3e-4 for 3,000 passes in Kingma et al. 2014


class DgnNet(LatentClassifier):
    """M1, and M2 on its latent variable; a PartlyLabeledNet.

    Args:
        image_shape: (S, S, C).
        num_classes: K.
        alpha: weight of cross entropy.
        seed: of the weights.
    """

    def __init__(self, image_shape: tuple, num_classes: int, alpha: float, seed: int):
        super().__init__(image_shape, num_classes, alpha)

        def mlp(index, inputs, hidden, outputs):
            return Mlp(inputs, hidden, outputs, "softplus", seed + 10 * index)

        pixels, k = self.whiten.length, num_classes
        self.q_z1 = mlp(0, pixels, HIDDEN_1, 2 * LATENT_1)
        self.p_x = mlp(1, LATENT_1, HIDDEN_1, 2 * pixels)
        self.q_y = mlp(2, LATENT_1, HIDDEN_2, k)
        self.q_z2 = mlp(3, LATENT_1 + k, HIDDEN_2, 2 * LATENT_2)
        self.p_z1 = mlp(4, k + LATENT_2, HIDDEN_2, 2 * LATENT_1)
        self.built = True

    def logits(self, images, seed=None):
        """As PartlyLabeledNet.logits: of a sample of q(z1 | x), or of its mean."""
        z1 = self.q_z1.gaussian(self.whiten(images))
        return self.q_y(z1.mean if seed is None else z1.sample(fold_in(seed, 0)))

    def losses(self, images, labels, seed, update) -> tuple[Scalars, Scalars]:
        """Bounds of M1 and M2, and cross entropy where labels are known."""
        x, weight = self.whiten(images), warm(update)
        encoded = self.q_z1.gaussian(x)
        z1 = encoded.sample(fold_in(seed, 0))
        autoencoder = weight * encoded.kl() - self.p_x.observed(z1).log_density(x)
        z1 = tf.stop_gradient(z1)
        logits = self.q_y(z1)
        per_class = self.bound(z1, fold_in(seed, 1), weight)
        explained, _ = bound_over_classes(per_class, logits, labels)
        losses = {
            "m1": tf.reduce_mean(autoencoder),
            "m2": tf.reduce_mean(explained),
            "cross_entropy": self.alpha * cross_entropy(logits, labels),
        }
        return losses, {"class_entropy": class_entropy(logits)}

    def bound(self, z1, seed, weight=1.0):
        """M2's negative bound of log p(z1, y) for every class, [B, K]."""
        y = every_class(z1.shape[0], self.num_classes)
        inferred = self.q_z2.gaussian(z1, y)
        z2 = inferred.sample(seed)
        likelihood = self.p_z1.gaussian(y, z2).log_density(z1[:, tf.newaxis])
        return weight * inferred.kl() - likelihood + np.log(self.num_classes)

    def shown(self, images, seed):
        """What M1 makes of the images, and images of each class in turn."""
        encoded = self.q_z1.gaussian(self.whiten(images))
        z2 = tf.random.stateless_normal([NUM_SHOWN, LATENT_2], seed)
        drawn = self.p_z1.gaussian(self.classes_in_turn(), z2).mean
        return {"reconstructed": self._images(encoded.mean), "synthesized": self._images(drawn)}

    def _images(self, z1):
        return self.whiten.images(self.p_x.observed(z1).mean, self.image_shape)


def make(config: Config, data: dict, start=None, *_) -> SemiSupervisedLearner:
    """The learner of a run, unlearned; with a start, its whitening fitted."""
    return learner_of(DgnNet, config, data, start, RATE)
