"""What the learners of all baselines share: nets, their optimizers, their weights."""

from collections.abc import Callable

import keras
import tensorflow as tf


class NetsLearner(tf.Module):
    """Nets, each with an optimizer of its own.

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
        values = [weight.value for weight in weights]
        gradients = tape.gradient(loss, values, unconnected_gradients="zero")
        self.optimizers[net.name].apply(gradients, weights)
