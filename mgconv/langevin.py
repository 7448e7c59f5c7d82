"""Finite-step Langevin dynamics (paper: Langevin update). Knows functions, not networks."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.config import Dynamics

fold_in = tf.random.experimental.stateless_fold_in
EnergyFn = Callable[[tf.Tensor], tf.Tensor]  # [B, s, s, C] -> [B]


def derived_seed(seed: int, index: int) -> int:
    """`fold_in` where a seed is one number: another for every pair, both of 0 or more.

    By a sum, (seed 0, class 1) and (seed 1, class 0) would have the same noise.
    """
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] % 2**30)


class ChainInfo(NamedTuple):
    """What a batch of chains did, as scalars."""

    drift_rms: tf.Tensor  # root mean square of what one step's drift adds to a pixel
    saturated: tf.Tensor  # share of pixels that end on a bound of [-1, 1]
    energies: tf.Tensor  # mean U before each step, [num_langevin_steps]


def energy_gradient(energy_fn: EnergyFn, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """dU/dx of every image of the batch, [B, s, s, C], and U, [B]."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        energies = energy_fn(x)
        total = tf.reduce_sum(energies)  # sum, not mean: the drift must not shrink with B
    return tape.gradient(total, x), energies


def langevin(
    energy_fn: EnergyFn,
    x0: tf.Tensor,
    dynamics: Dynamics,
    seed: tf.Tensor,
    project: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> tuple[tf.Tensor, ChainInfo]:
    """Runs x <- project(clip(x - drift dU/dx + noise z, -1, 1)) for a finite number of steps.

    With T = noise^2 / (2 drift) it samples exp(-U / T) on the box, up to discretization. Where
    dynamics.noise_end or drift_end is not 1, noise or drift change linearly along the chain.

    Args:
        energy_fn: U, [B, s, s, C] -> [B].
        x0: the start, float32 [B, s, s, C] in [-1, 1].
        dynamics: number of Langevin steps, drift, noise.
        seed: int32 [2]; equal seeds give equal chains.
        project: applied after every step, to hold known pixels.

    Returns:
        The end of the chains, [B, s, s, C], without gradient to the start, and their ChainInfo.
    """

    def langevin_step(t, x, squared_drift, trace):
        gradient, energies = energy_gradient(energy_fn, x)
        progress = tf.cast(t, tf.float32) / max(1, dynamics.num_langevin_steps - 1)
        drift = dynamics.drift * (1 + (dynamics.drift_end - 1) * progress) * gradient
        moved = x - drift
        if dynamics.noise > 0:
            z = tf.random.stateless_normal(tf.shape(x), fold_in(seed, t))
            moved += dynamics.noise * (1 + (dynamics.noise_end - 1) * progress) * z
        x = project(tf.clip_by_value(moved, -1.0, 1.0))
        x = tf.ensure_shape(x, x0.shape)  # a projection must not lose what the loop relies on
        squared_drift += tf.reduce_mean(tf.square(drift))
        return t + 1, x, squared_drift, trace.write(t, tf.reduce_mean(energies))

    trace = tf.TensorArray(tf.float32, dynamics.num_langevin_steps, element_shape=[])
    _, x, squared_drift, trace = tf.while_loop(
        lambda t, *_: t < dynamics.num_langevin_steps,
        langevin_step,
        (tf.constant(0), tf.stop_gradient(x0), tf.constant(0.0), trace),
    )
    x = tf.stop_gradient(x)
    drift_rms = tf.sqrt(squared_drift / dynamics.num_langevin_steps)
    saturated = tf.reduce_mean(tf.cast(tf.abs(x) >= 1.0, tf.float32))
    return x, ChainInfo(drift_rms, saturated, trace.stack())
