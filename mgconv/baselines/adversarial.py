"""What learners of two nets against each other share: sizes, weights, optimizers, cross entropy."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from mgconv.errors import UserError


def stage_filters(what: str, size: int, first: int, width: float) -> list[int]:
    """Filters of the strided layers from `size` down to 4 x 4, doubled at each.

    Args:
        what: what cannot be done at another size; begins the error.
        size: pixels a side.
        first: of the finest layer, before `width`.
        width: factor of all filters.

    Raises:
        UserError: `size` is not 4 times a power of 2, from 8 up.
    """
    if size < 8 or not math.log2(size / 4).is_integer():
        raise UserError(what, f"{size} pixels", "Give 8, 16, 32, ...")
    return [max(1, round(width * first * 2**index)) for index in range(int(math.log2(size / 4)))]


def cross_entropy(logits: tf.Tensor, target: float) -> tf.Tensor:
    """Mean over a batch of logits, [B], that should say `target`."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(logits.shape, target), logits)
    return tf.reduce_mean(losses)


class AdversarialLearner(tf.Module):
    """Nets that are trained in turn, each with an optimizer of its own.

    Args:
        nets: built.
        make_optimizer: for one of them.
        seed: of what is drawn in training.
    """

    def __init__(
        self,
        nets: tuple[keras.Model, ...],
        make_optimizer: Callable[[], keras.optimizers.Optimizer],
        seed: int,
    ):
        super().__init__()
        self._nets = nets
        self.optimizers = {net.name: make_optimizer() for net in nets}
        for net in nets:
            self.optimizers[net.name].build(net.trainable_variables)
        self.update_count = tf.Variable(0, dtype=tf.int64)
        self.seed = tf.Variable([seed, 0], dtype=tf.int32)

    @property
    def rates(self) -> list:
        """Variables of all learning rates."""
        return [optimizer.learning_rate for optimizer in self.optimizers.values()]

    @property
    def weights(self) -> list:
        """All weights that are trained."""
        return [weight for net in self._nets for weight in net.trainable_variables]

    @property
    def parameters(self) -> dict[str, int]:
        """How many there are, by net."""
        return {net.name: net.count_params() for net in self._nets}

    def _apply(self, net: keras.Model, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        weights = net.trainable_variables
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        self.optimizers[net.name].apply(gradients, weights)
