"""Long chains, and whether they have forgotten where they started."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.config import Dynamics
from mgconv.errors import UserError
from mgconv.evaluation.density.adjusted import State, adjusted_langevin, state_at
from mgconv.langevin import EnergyFn, fold_in, langevin

Advance = Callable[[State, tf.Tensor], tuple[State, tf.Tensor]]  # (state, seed) -> it, acceptance
SUMMARIES = ("U", "color", "contrast")  # of an image: energy, mean and spread of its pixels


def as_trained(energy_fn: EnergyFn, dynamics: Dynamics) -> Advance:
    """Langevin steps as `langevin` takes them, every one; drift and noise as given, throughout."""

    def advance(state, seed):
        x, _ = langevin(energy_fn, state.x, dynamics, seed)
        return state_at(energy_fn, x), tf.constant(1.0)

    return advance


def adjusted(energy_fn: EnergyFn, dynamics: Dynamics) -> Advance:
    """The same steps, adjusted to keep exp(-U / T) of their temperature."""
    beta, num = 1 / dynamics.temperature, dynamics.num_langevin_steps
    return lambda state, seed: adjusted_langevin(energy_fn, state, beta, dynamics.noise, num, seed)


class Trace(NamedTuple):
    """What chains were like after each of `num_draws` turns, the first half left out."""

    acceptance: float  # mean probability of a step
    draws: dict[str, np.ndarray]  # of SUMMARIES, [num_draws / 2, B]


def trace(
    energy_fn: EnergyFn, advance: Advance, x0: np.ndarray, num_draws: int, seed: int
) -> Trace:
    """Runs chains from x0, [B, s, s, C], for `num_draws` turns; the first half warms them up."""

    @tf.function(autograph=False)
    def run(x):
        def turn(t, state, accepted, draws):
            state, acceptance = advance(state, fold_in([seed, 3], t))
            return t + 1, state, accepted.write(t, acceptance), draws.write(t, _summarize(state))

        accepted = tf.TensorArray(tf.float32, num_draws, element_shape=[])
        draws = tf.TensorArray(tf.float32, num_draws, element_shape=[len(SUMMARIES), x.shape[0]])
        start = (tf.constant(0), state_at(energy_fn, x), accepted, draws)
        _, _, accepted, draws = tf.while_loop(lambda t, *_: t < num_draws, turn, start)
        return accepted.stack(), draws.stack()

    accepted, draws = (values.numpy()[num_draws // 2 :] for values in run(tf.constant(x0)))
    return Trace(float(accepted.mean()), dict(zip(SUMMARIES, draws.swapaxes(0, 1))))


def _summarize(state):
    spread = tf.math.reduce_std(state.x, axis=[1, 2, 3])
    return tf.stack([state.energies, tf.reduce_mean(state.x, axis=[1, 2, 3]), spread])


def split_rhat(draws: np.ndarray) -> float:
    """Split R-hat of a scalar: spread of all half chains over that within one; 1 where they mix.

    Args:
        draws: [num_draws, B].

    Returns:
        Infinity where no chain moves; nan where all stand at one value.

    Raises:
        UserError: arviz-stats is not installed.
    """
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        remedy = "Run: pip install 'mgconv[density]'"
        raise UserError("R-hat needs arviz-stats", "not installed", remedy) from None
    with np.errstate(divide="ignore", invalid="ignore"):
        chains = draws.astype(np.float64)
        return float(array_stats.rhat(chains, chain_axis=1, draw_axis=0, method="split"))
