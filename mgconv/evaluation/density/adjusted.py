"""Langevin steps that are accepted or rejected, so that they keep exp(-beta U) on the box."""

from typing import NamedTuple

import tensorflow as tf

from mgconv.langevin import EnergyFn, energy_gradient, fold_in


class State(NamedTuple):
    """Chains, and what a step needs of where they are."""

    x: tf.Tensor  # [B, s, s, C] in [-1, 1]
    energies: tf.Tensor  # U, [B]
    gradient: tf.Tensor  # dU/dx, [B, s, s, C]


def state_at(energy_fn: EnergyFn, x: tf.Tensor) -> State:
    """The state of chains at x."""
    gradient, energies = energy_gradient(energy_fn, x)
    return State(x, energies, gradient)


def adjusted_langevin(
    energy_fn: EnergyFn,
    state: State,
    beta: tf.Tensor | float,
    noise: tf.Tensor | float,
    num_steps: int,
    seed: tf.Tensor,
) -> tuple[State, tf.Tensor]:
    """Metropolis-adjusted Langevin steps (Roberts, Tweedie 1996), which keep exp(-beta U).

    A step proposes reflect(clip(x - drift dU/dx) + noise z), drift = beta noise^2 / 2, and takes
    it with the probability that makes exp(-beta U) on [-1, 1] stationary, at any drift.

    Unlike in `langevin`, noise is reflected at a bound, not clipped: clipped chains are on the
    bounds with a probability above 0, which no density has.

    Args:
        energy_fn: U, [B, s, s, C] -> [B], of each image alone.
        state: the start, as `state_at` gives it.
        beta: 1 / T; 0 for the uniform density.
        noise: standard deviation, 1 or less: a third reflection in one step is not counted.
        num_steps: Langevin steps.
        seed: int32 [2].

    Returns:
        The end, and the mean probability with which a step was taken, a scalar.
    """

    def step(t, state, total):
        state, acceptance = _adjusted_step(energy_fn, state, beta, noise, fold_in(seed, t))
        return t + 1, state, total + tf.reduce_mean(acceptance)

    start = (tf.constant(0), State(*map(tf.stop_gradient, state)), tf.constant(0.0))
    _, state, total = tf.while_loop(lambda t, *_: t < num_steps, step, start)
    return state, total / num_steps


def _adjusted_step(energy_fn, state, beta, noise, seed) -> tuple[State, tf.Tensor]:
    """One step, and the probability with which each chain takes it, [B]."""
    drift = beta * noise**2 / 2
    center = _center(state, drift)
    z = tf.random.stateless_normal(tf.shape(center), fold_in(seed, 0))
    there = state_at(energy_fn, _reflect(center + noise * z))
    back = _log_proposal(state.x, _center(there, drift), noise)
    log_ratio = beta * (state.energies - there.energies) + back
    log_ratio -= _log_proposal(there.x, center, noise)
    taken = tf.math.log(tf.random.stateless_uniform(log_ratio.shape, fold_in(seed, 1))) < log_ratio
    rows = tf.reshape(taken, [-1, 1, 1, 1])
    chosen = State(
        tf.where(rows, there.x, state.x),
        tf.where(taken, there.energies, state.energies),
        tf.where(rows, there.gradient, state.gradient),
    )
    return chosen, tf.exp(tf.minimum(0.0, log_ratio))


def _center(state, drift):
    return tf.clip_by_value(state.x - drift * state.gradient, -1.0, 1.0)


def _reflect(x):
    """Back into [-1, 1], as by mirrors on its bounds."""
    return 1 - tf.abs(tf.math.floormod(x + 1, 4.0) - 2)


def _log_proposal(y, center, noise):
    """Log density of y where noise around the center is reflected, [B], but for a constant."""
    images = tf.stack([y, 2 - y, -2 - y, y - 4, y + 4])  # all that bounds reflect to y
    exponents = -tf.square((images - center) / noise) / 2
    return tf.reduce_sum(tf.reduce_logsumexp(exponents, axis=0), axis=[1, 2, 3])
