"""The energy of one grid (paper: model): a bottom-up ConvNet f and a white-noise reference."""

import keras
import tensorflow as tf

from mgconv.config import GridSpec
from mgconv.convolution import Convolution
from mgconv.langevin import EnergyFn

BLACK = -1.0  # where the reference distribution is centered, on [-1, 1]
EPSILON = 1e-5  # author code 2018-01


class BatchStatistics(keras.layers.Layer):
    """Normalizes each channel by the mean and variance of the batch at hand, always.

    The authors' batch normalization runs in training mode everywhere, also inside the chain, and
    keeps no averages; Keras's layer would rewrite its averages at every Langevin step. For features
    `frozen` is set to a mean and a variance, [C] each: a map then depends on its own image alone.
    """

    frozen: tuple[tf.Tensor, tf.Tensor] | None = None

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")

    def call(self, x):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if self.frozen is not None:
            return tf.nn.batch_normalization(x, *self.frozen, beta, gamma, EPSILON)
        return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]


NORMALIZATIONS = {"batch": BatchStatistics, "none": keras.layers.Identity}


class EnergyNet(keras.Model):
    """U(x) = ||x - black||^2 / (2 sigma^2) - f(x) of one grid.

    Args:
        spec: size and convolutions.
        channels: C of the images.
        seed: of the initial weights.
        normalization: a key of NORMALIZATIONS.
        activation: of Keras; "leaky_relu" has there the slope of author code 2018-04, 0.2.
        reference_sigma: sigma of the reference on [-1, 1]; None leaves the reference out.
        precision: in which convolutions compute; all else, also their weights, is float32.
    """

    def __init__(
        self,
        spec: GridSpec,
        channels: int,
        seed: int = 0,
        normalization: str = "batch",
        activation: str = "relu",
        reference_sigma: float | None = None,
        precision: str = "float32",
    ):
        super().__init__(name=f"grid_{spec.size}")
        self.spec, self.reference_sigma = spec, reference_sigma
        policy = "mixed_bfloat16" if precision == "bfloat16" else precision
        self.convolutions = [
            Convolution(conv.filters, conv.kernel, conv.stride, "same", dtype=policy)
            for conv in spec.convs
        ]
        self.norms = [NORMALIZATIONS[normalization]() for _ in spec.convs]
        self.activations = [keras.layers.Activation(activation) for _ in spec.convs]
        for index, layer in enumerate((*self.convolutions, *self.norms)):
            setattr(self, f"layer_{index}", layer)  # tf.train.Checkpoint does not look into lists
        self.scalar = keras.layers.Dense(1)
        self.call(tf.zeros([2, spec.size, spec.size, channels]))  # builds every layer
        self.built = True  # else Keras traces the whole of it once more
        self.initialize(seed)

    def initialize(self, seed: int) -> None:
        """Draws fresh weights: Glorot-uniform kernels, zero biases, unit gammas."""
        for index, weight in enumerate(self.weights):
            if len(weight.shape) > 1:
                weight.assign(keras.initializers.GlorotUniform(seed=seed + index)(weight.shape))
            else:
                weight.assign(tf.fill(weight.shape, 1.0 if weight.name == "gamma" else 0.0))

    def fixed(self) -> EnergyFn:
        """U with the weights as they stand: what a chain needs of them alone is made once."""
        matrices = [convolve.matrix() for convolve in self.convolutions]
        return lambda x: self.call(x, matrices)

    def features(self, x: tf.Tensor, matrices=None) -> list[tf.Tensor]:
        """Map of every convolutional layer after its activation, each [B, h, w, K]."""
        maps = []
        for index, convolve in enumerate(self.convolutions):
            x = self.norms[index](convolve(x, matrices and matrices[index]))
            x = self.activations[index](x)
            maps.append(x)
        return maps

    def f(self, x: tf.Tensor, matrices=None) -> tf.Tensor:
        """The scalar of the bottom-up ConvNet, [B]."""
        top = self.features(x, matrices)[-1]
        return self.scalar(tf.reshape(top, [-1, top.shape[1:].num_elements()]))[:, 0]

    def call(self, x, matrices=None):
        """The energy U of each image, [B, s, s, C] -> [B]."""
        if self.reference_sigma is None:
            return -self.f(x, matrices)
        distance = tf.reduce_sum(tf.square(x - BLACK), axis=[1, 2, 3])
        return distance / (2 * self.reference_sigma**2) - self.f(x, matrices)
