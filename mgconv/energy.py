"""The energy of one grid (paper: model): a bottom-up ConvNet f and a white-noise reference."""

import math

import keras
import tensorflow as tf

from mgconv.langevin import EnergyFn
from mgconv.layers import NORMALIZATIONS, Convolution, standard_keras
from mgconv.recipes import GridSpec

BLACK = -1.0  # where the reference distribution is centered, on [-1, 1]


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

    @standard_keras()
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
        self.scalar, shape = keras.layers.Dense(1), (None, spec.size, spec.size, channels)
        for convolve, norm in zip(self.convolutions, self.norms):
            convolve.build(shape)
            norm.build(shape := convolve.compute_output_shape(shape))
        self.scalar.build((None, math.prod(shape[1:])))
        self.built = True
        self.initialize(seed)

    @standard_keras()
    def initialize(self, seed: int) -> None:
        """Draws fresh weights: Glorot-uniform kernels, zero biases, unit gammas."""
        for index, weight in enumerate(self.weights):
            if len(weight.shape) > 1:
                weight.assign(keras.initializers.GlorotUniform(seed=seed + index)(weight.shape))
            else:
                weight.assign(tf.fill(weight.shape, 1.0 if weight.name == "gamma" else 0.0))

    def limit_readout(self, limit: float) -> None:
        """Scales the weights that make f of the last map back to norm `limit` where it is above."""
        readout = self.scalar.kernel
        readout.assign(readout * tf.minimum(1.0, limit / tf.norm(readout)))  # 1: the same bits

    def fixed(self) -> EnergyFn:
        """U with the weights as they stand: what a chain needs of them is made once."""
        layers = self._fixed_layers()
        return lambda x: self._energy(x, self._scalar(self._maps(x, layers)[-1]))

    def features(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Map of every convolutional layer after its activation, each [B, h, w, K]."""
        return self._maps(x, self._fixed_layers())

    def f(self, x: tf.Tensor) -> tf.Tensor:
        """The scalar of the bottom-up ConvNet, [B]."""
        return self._scalar(self.features(x)[-1])

    def f_of_each(self, *batches: tf.Tensor) -> list[tf.Tensor]:
        """The scalars of each batch; in one pass, unless a map sees the others of its batch."""
        if any(norm.sees_batch for norm in self.norms):
            return [self.f(x) for x in batches]
        tops = self.features(tf.concat(batches, axis=0))[-1]
        # apart, so that the last bias, which a gap does not see, has a gradient of exactly 0
        return [self._scalar(top) for top in tf.split(tops, [x.shape[0] for x in batches])]

    def call(self, x):
        """The energy U of each image, [B, s, s, C] -> [B]."""
        return self.fixed()(x)

    def _fixed_layers(self):
        return [
            (convolve.fixed(norm.fold), norm, activate)
            for convolve, norm, activate in zip(self.convolutions, self.norms, self.activations)
        ]

    def _maps(self, x, layers):
        maps = []
        for convolve, norm, activate in layers:
            maps.append(x := activate(norm(convolve(x))))
        return maps

    def _scalar(self, top):
        return self.scalar(tf.reshape(top, [-1, top.shape[1:].num_elements()]))[:, 0]

    def _energy(self, x, f):
        if self.reference_sigma is None:
            return -f
        distance = tf.reduce_sum(tf.square(x - BLACK), axis=[1, 2, 3])
        return distance / (2 * self.reference_sigma**2) - f
