"""The sampler on energies of one's own: a formula, and a small Keras model.

python examples/own_energy.py    # writes own_energy.png

Images of a single pixel have a density that can be computed: exp(-U) over its integral.
"""

import keras
import numpy as np
import tensorflow as tf
from matplotlib import pyplot

from mgconv.config import Dynamics
from mgconv.langevin import langevin

DYNAMICS = Dynamics(num_langevin_steps=1000, drift=5e-4, noise=1e-3**0.5)  # noise^2 = 2 drift
keras.utils.set_random_seed(1)
hidden = keras.layers.Dense(16, "tanh", kernel_initializer=keras.initializers.RandomNormal(0, 3))
net = keras.Sequential([keras.Input([1, 1, 1]), keras.layers.Flatten(), hidden,
                        keras.layers.Dense(1)])  # fmt: skip
ENERGIES = {  # [B, 1, 1, 1] -> [B]
    "two wells": lambda x: tf.reduce_sum(tf.square(tf.square(x) - 0.25), [1, 2, 3]) / 0.02,
    "a Keras model": lambda x: 2 * net(x)[:, 0] + 20 * x[:, 0, 0, 0] ** 8,  # away from the bounds
}


def sample(energy, num: int = 20_000) -> np.ndarray:
    """The ends of chains from everywhere in [-1, 1], [num]."""
    x0 = tf.random.stateless_uniform([num, 1, 1, 1], [0, 0], -1, 1)
    x, _ = tf.function(langevin)(energy, x0, DYNAMICS, seed=tf.constant([0, 1]))
    return x.numpy().ravel()


def density(energy, x: np.ndarray) -> np.ndarray:
    """exp(-U) over its integral on [-1, 1], at each of the evenly spread x."""
    unscaled = np.exp(-energy(tf.constant(x.reshape(-1, 1, 1, 1), tf.float32)).numpy())
    return unscaled / (unscaled.mean() * 2)


if __name__ == "__main__":
    x = np.linspace(-1, 1, 401)
    for place, (name, energy) in enumerate(ENERGIES.items(), 1):
        axis = pyplot.subplot(1, 2, place, title=name)
        axis.hist(sample(energy), bins=50, range=(-1, 1), density=True, label="chains")
        axis.plot(x, density(energy, x), label="exp(-U) / Z")
    axis.legend()
    pyplot.savefig("own_energy.png")
