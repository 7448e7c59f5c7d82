"""What chains do, and whether samples are new (paper: experiment 1, diversity of chains)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.evaluation.metrics import mean_pairwise_distance
from mgconv.grids import downsample, upsample
from mgconv.io.images import to_float
from mgconv.langevin import fold_in, langevin
from mgconv.models import MultigridModel


class Blocks(NamedTuple):
    """Chains that share a start, a block each; distances are Euclidean, on [-1, 1]."""

    images: np.ndarray  # [num_blocks, num_chains, S, S, C]

    @property
    def within(self) -> float:
        """Mean distance of two chains from one start, averaged over blocks."""
        return float(np.mean([mean_pairwise_distance(block) for block in self.images]))

    @property
    def between(self) -> float:
        """Mean distance of two chains from different starts."""
        return mean_pairwise_distance(self.images[:, 0])


def blocks(model: MultigridModel, num_blocks: int, num_chains: int, seed: int) -> Blocks:
    """`num_chains` chains from each of `num_blocks` colors."""
    colors = model.colors(num_blocks, seed).repeat(num_chains, axis=0)
    samples = model.chains(colors, seed)[-1]
    return Blocks(samples.reshape(num_blocks, num_chains, *samples.shape[1:]))


def chain_energies(model: MultigridModel, seed: int) -> dict[int, np.ndarray]:
    """Mean energy of a batch of chains before every Langevin step, by the size of the grid."""

    @tf.function(autograph=False)
    def run(x):
        traces = {}
        for index, grid in enumerate(model.learner.grids):
            x0 = upsample(x, grid.size)
            x, info = grid.synthesize(x0, fold_in([seed, 1], index))
            traces[grid.size] = info.energies
        return traces

    traces = run(tf.constant(model.colors(model.learner.batch_size, seed)))
    return {size: trace.numpy() for size, trace in traces.items()}


def chain_paths(model: MultigridModel, start: np.ndarray, seed: int) -> list[np.ndarray]:
    """The chains of `model.chains`, after every Langevin step.

    Args:
        model: its first devices run all chains.
        start: [N, 1, 1, C], or of a grid, [N, s, s, C]; N is a batch at most.
        seed: of the chains.

    Returns:
        For each grid above the start's, coarse to fine, [1 + its Langevin steps, N, s, s, C],
        the up-scaled start first.
    """
    learner, num = model.learner, len(start)
    beside = downsample(learner.reference, start.shape[1])
    x, seed = tf.concat([start, beside], 0)[: learner.batch_size], fold_in([seed, 1], 0)
    paths = []
    for index, grid in enumerate(learner.grids):
        if grid.size > start.shape[1]:
            path = [upsample(x, grid.size)]

            def keep(x, path=path):
                path.append(x)
                return x

            # not as a graph: each step is kept when it is made
            chain = (grid.energy(), path[0], grid.synthesis_dynamics, fold_in(seed, index), keep)
            x, _ = langevin(*chain)
            paths.append(np.stack([step[:num] for step in path]))
    return paths


def nearest(
    images: np.ndarray, known: np.ndarray, own: np.ndarray | None = None, block: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Which of `known` [M, ...] is nearest to each of `images` [N, ...], both uint8.

    Args:
        images: to look for.
        known: worked off in blocks; may be memory-mapped.
        own: places of `images` among the known ones, [N], which then do not count.
        block: how many at once.

    Returns:
        Their indices, [N], and Euclidean distances on [-1, 1], [N].
    """
    flat = to_float(images).reshape(len(images), -1)
    best, where = np.full(len(images), np.inf), np.zeros(len(images), int)
    for first in range(0, len(known), block):
        others = to_float(known[first : first + block]).reshape(-1, flat.shape[1])
        squares = (flat**2).sum(1)[:, None] + (others**2).sum(1) - 2 * flat @ others.T
        if own is not None:
            inside = np.flatnonzero((own >= first) & (own < first + len(others)))
            squares[inside, own[inside] - first] = np.inf
        here = squares.argmin(axis=1)
        closer = squares[np.arange(len(flat)), here] < best
        where[closer] = first + here[closer]
        best[closer] = squares[closer, here[closer]]
    return where, np.sqrt(np.maximum(best, 0))
