"""Algorithm 1, spelled out: digits of 8 x 8 pixels, one class after another, in about a minute.

python examples/algorithm1.py    # writes algorithm1.png

Two grids, of 4 x 4 and 8 x 8 pixels, train together. mgconv/multigrid.py is the same with what
large images and long trainings need.
"""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from mgconv.config import Dynamics
from mgconv.energy import EnergyNet
from mgconv.grids import downsample, upsample
from mgconv.io.images import enlarge, save_png, tile, to_uint8
from mgconv.langevin import fold_in, langevin
from mgconv.recipes import Conv, GridSpec

COARSE = GridSpec(4, (Conv(24, 5, 2), Conv(32, 3, 1), Conv(64, 3, 1)))
FINE = GridSpec(8, (Conv(24, 5, 2), Conv(32, 3, 1), Conv(64, 3, 1), Conv(128, 3, 1)))
DYNAMICS = Dynamics(num_langevin_steps=10, drift=0.05, noise=0.1, noise_end=0.0)  # of a grid
NUM_UPDATES, BATCH_SIZE, LEARNING_RATE, DATA_NOISE = 80, 50, 5e-3, 0.05


class Grid:
    """One resolution: a network f, whose energy is U = -f, and its optimizer."""

    def __init__(self, spec: GridSpec):
        self.size = spec.size
        self.net = EnergyNet(spec, 1, 0, "standardized", "silu", reference_sigma=None)
        rate = tf.keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, NUM_UPDATES, 0.0)
        self.optimizer = tf.keras.optimizers.Adam(rate, beta_1=0.5)
        self.optimizer.build(self.net.trainable_variables)

    def reset(self):
        """Forgets what it has learned."""
        self.net.initialize(seed=self.size)
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))


@tf.function(autograph=False)
def train_step(grids: list[Grid], images, seed):
    """One iteration of Algorithm 1, from images [B, 8, 8, 1]; returns the gap of every grid."""
    coarser, gaps = downsample(images, 1), []  # step 1: every image averaged to 1 x 1
    for index, grid in enumerate(grids):  # from coarse to fine
        observed = downsample(images, grid.size)
        observed += DATA_NOISE * tf.random.stateless_normal(observed.shape, fold_in(seed, index))
        # step 2: Langevin from the up-scaled sample of the grid below
        x0 = upsample(coarser, grid.size)
        coarser, _ = langevin(grid.net.fixed(), x0, DYNAMICS, fold_in(seed, 10 + index))
        with tf.GradientTape() as tape:  # step 3: U falls at observed, rises at synthesized images
            u = grid.net.fixed()
            loss = tf.reduce_mean(u(observed)) - tf.reduce_mean(u(coarser))
        weights = grid.net.trainable_variables
        grid.optimizer.apply(tape.gradient(loss, weights), weights)
        gaps.append(-loss)
    return gaps


@tf.function(autograph=False)
def sample(grids: list[Grid], colors, seed):
    """Chains from colors [B, 1, 1, 1] through all grids: their ends, [B, s, s, 1] each."""
    samples = [colors]
    for index, grid in enumerate(grids):
        x0 = upsample(samples[-1], grid.size)
        samples.append(langevin(grid.net.fixed(), x0, DYNAMICS, fold_in(seed, index))[0])
    return samples


def digits(num: int, seed: int = 0) -> list[np.ndarray]:
    """Trains a model of each class and draws from it.

    Returns:
        Where `num` chains of each class stood at every grid, [10, num, s, s, 1] each.
    """
    data, rng, grids = load_digits(), np.random.default_rng(seed), [Grid(COARSE), Grid(FINE)]
    drawn = []
    for label in range(10):
        images = (data.images[data.target == label, ..., np.newaxis] / 8 - 1).astype(np.float32)
        for grid in grids:
            grid.reset()
        for update in range(NUM_UPDATES):
            batch = images[rng.integers(0, len(images), BATCH_SIZE)]
            gaps = train_step(grids, batch, tf.constant([seed, 1000 * label + update]))
        print(f"digit {label}: gaps {', '.join(f'{gap:.2f}' for gap in gaps)}", flush=True)
        colors = downsample(images[rng.integers(0, len(images), num)], 1)
        drawn.append(sample(grids, colors, tf.constant([seed + 1, label])))
    return [np.stack(stages) for stages in zip(*drawn)]


if __name__ == "__main__":
    colors, coarse, fine = digits(num=5)
    rows = [colors[:, 0], coarse[:, 0], *fine.swapaxes(0, 1)]  # a digit a column
    save_png(
        "algorithm1.png", tile(np.concatenate([enlarge(to_uint8(x), 64) for x in rows]), 10, 4)
    )
