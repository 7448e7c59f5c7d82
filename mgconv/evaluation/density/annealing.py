"""The normalizing constant of exp(-U / T) by annealed importance sampling (Neal 2001)."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.evaluation.density.adjusted import adjusted_langevin, state_at
from mgconv.langevin import EnergyFn, fold_in

WIDEST = 0.3  # noise where the density is flat
TARGET = 0.6  # acceptance; the best of the adjusted step in many dimensions is 0.57
STRIDE = 0.2  # of the first ladder: spread of a rung's log weights,
FACTOR = 1.05  # where chains still move; frozen ones would need rungs without end
RUNG_STEPS = 5  # Langevin steps on each of its rungs
LEAST_EFFECTIVE = 0.5  # of the chains count: with a tenth, runs differed by three of their errors


class Ladder(NamedTuple):
    """Rungs from the uniform density to exp(-U / T)."""

    betas: np.ndarray  # float64 [K], ascending from above 0 to 1 / T
    noises: np.ndarray  # float32 [K], of a step on each rung

    def refined(self, num: int) -> "Ladder":
        """The same ladder with `num` rungs."""
        known = np.arange(len(self.betas) + 1)
        places = np.linspace(0, len(self.betas), num + 1)[1:]
        noises = np.interp(places, known[1:], self.noises).astype(np.float32)
        return Ladder(np.interp(places, known, [0, *self.betas]), noises)


class Constants(NamedTuple):
    """Estimates of log Z in nats, Z = integral of exp(-U / T) over the box, hot to cold."""

    temperatures: np.ndarray  # [K]
    log_z: np.ndarray  # [K]
    errors: np.ndarray  # [K], standard errors, as far as the weights know
    effective: np.ndarray  # [K], chains whose weights count: (sum w)^2 / sum w^2
    energies: np.ndarray  # [B], where the chains end

    @property
    def num_trusted(self) -> int:
        """Temperatures down to which enough chains count to know the error.

        The weights do not see what no chain has found, such as a mode that is far from all.
        """
        few = self.effective < LEAST_EFFECTIVE * len(self.energies)
        return int(few.argmax()) if few.any() else len(few)


def log_constants(
    energy_fn: EnergyFn,
    shape: tuple[int, ...],
    temperature: float,
    num_chains: int,
    num_rungs: int,
    seed: int,
) -> Constants:
    """Log Z of exp(-U / T) on [-1, 1]^shape, from the uniform density, whose Z is 2^pixels.

    A first batch of chains finds where the rungs lie and how wide the steps are. Others, of other
    noise, give the weights: their mean is Z without bias. So log Z is too low on average, and too
    high by b with a probability below exp(-b): where few chains count, it is a bound from below.

    Args:
        energy_fn: U, [B, s, s, C] -> [B], of each image alone.
        shape: (s, s, C).
        temperature: T, the coldest.
        num_chains: B.
        num_rungs: K densities on the way, an adjusted Langevin step at each.
        seed: of both batches.
    """
    x0, other_x0 = (_uniform((num_chains, *shape), seed, batch) for batch in (4, 5))
    ladder = find_ladder(energy_fn, x0, 1 / temperature, seed).refined(num_rungs)
    log_weights, energies = _climb(energy_fn, other_x0, ladder, seed)
    highest = log_weights.max(axis=1)
    weights = np.exp(log_weights - highest[:, None])
    effective = weights.sum(1) ** 2 / (weights**2).sum(1)
    log_volume = math.prod(shape) * math.log(2)
    return Constants(
        temperatures=1 / ladder.betas,
        log_z=log_volume + highest + np.log(weights.mean(1)),
        errors=np.sqrt(np.maximum(0, 1 / effective - 1 / num_chains)),
        effective=effective,
        energies=energies,
    )


def find_ladder(energy_fn: EnergyFn, x0: tf.Tensor, beta: float, seed: int) -> Ladder:
    """Rungs as far apart as STRIDE over the spread of U on each; noise that meets TARGET."""

    @tf.function(autograph=False)
    def run(x):
        def rung(k, state, reached, noise, betas, noises):
            stride = STRIDE / tf.math.reduce_std(state.energies)
            reached = tf.minimum(tf.maximum(reached + stride, FACTOR * reached), beta)
            steps = (reached, noise, RUNG_STEPS, fold_in([seed, 4], k))
            state, acceptance = adjusted_langevin(energy_fn, state, *steps)
            betas, noises = betas.write(k, reached), noises.write(k, noise)
            noise = tf.minimum(WIDEST, noise * tf.exp(acceptance - TARGET))
            return k + 1, state, reached, noise, betas, noises

        arrays = [tf.TensorArray(tf.float32, 0, True, element_shape=[]) for _ in range(2)]
        start = (tf.constant(0), state_at(energy_fn, x), tf.constant(0.0), tf.constant(WIDEST))
        *_, betas, noises = tf.while_loop(
            lambda k, state, reached, *_: reached < tf.cast(beta, tf.float32),
            rung,
            (*start, *arrays),
        )
        return betas.stack(), noises.stack()

    betas, noises = (values.numpy() for values in run(x0))
    return Ladder(np.append(betas[:-1].astype(np.float64), beta), noises)


def _climb(energy_fn, x0, ladder, seed) -> tuple[np.ndarray, np.ndarray]:
    """Log weights on every rung, float64 [K, B], and energies where the chains end, [B]."""
    rises = tf.constant(np.diff(ladder.betas, prepend=0))
    betas, noises = tf.constant(ladder.betas, tf.float32), tf.constant(ladder.noises)
    num = len(ladder.betas)

    @tf.function(autograph=False)
    def run(x):
        def rung(k, state, log_weights, kept):
            log_weights -= rises[k] * tf.cast(state.energies, tf.float64)
            step = (betas[k], noises[k], 1, fold_in([seed, 5], k))
            state, _ = adjusted_langevin(energy_fn, state, *step)
            return k + 1, state, log_weights, kept.write(k, log_weights)

        kept = tf.TensorArray(tf.float64, num, element_shape=[x.shape[0]])
        start = (tf.constant(0), state_at(energy_fn, x), tf.zeros(x.shape[0], tf.float64), kept)
        _, state, _, kept = tf.while_loop(lambda k, *_: k < num, rung, start)
        return kept.stack(), state.energies

    log_weights, energies = run(x0)
    return log_weights.numpy(), energies.numpy()


def _uniform(shape, seed, batch):
    return tf.random.stateless_uniform(shape, [seed, batch], -1.0, 1.0)
