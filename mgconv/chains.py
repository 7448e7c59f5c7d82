"""Where training chains start (paper: multi-grid, CD-1, persistent CD)."""

import tensorflow as tf

from mgconv.grids import upsample


class ChainStart(tf.Module):
    """Gives a training chain its start and takes its end."""

    def begin(self, observed: tf.Tensor, coarser: tf.Tensor) -> tf.Tensor:
        """x0 of the chains, [B, s, s, C].

        Args:
            observed: [B, s, s, C], this update's training images at this grid.
            coarser: [B, s', s', C], the samples of the grid below; the 1 x 1 colors at first.
        """
        raise NotImplementedError

    def end(self, samples: tf.Tensor) -> None:
        """Takes the end of the chains, [B, s, s, C]."""

    def reset(self) -> None:
        """Forgets all chains."""


class FromCoarser(ChainStart):
    """Multi-grid and single-grid: expand the sample of the grid below (1 x 1 at first)."""

    def begin(self, observed, coarser):
        return upsample(coarser, observed.shape[1])


class FromData(ChainStart):
    """Contrastive divergence: start from the observed images."""

    def begin(self, observed, coarser):
        return observed


class Persistent(ChainStart):
    """Persistent CD: a pool of chains, visited a batch at a time, round-robin.

    A slot's first visit starts from the observed batch. The pool is float32: in 8 bits the chains
    would lose noise below a gray level.

    Args:
        pool_size: number of chains, a multiple of the batch size.
        shape: (B, s, s, C) of a batch.
    """

    def __init__(self, pool_size: int, shape: tuple[int, int, int, int]):
        super().__init__()
        self.num_slots = pool_size // shape[0]
        self.pool = tf.Variable(tf.zeros([self.num_slots, *shape]), trainable=False)
        self.num_visits = tf.Variable(0, trainable=False, dtype=tf.int64)

    def begin(self, observed, coarser):
        first_visit = self.num_visits < self.num_slots
        return tf.where(first_visit, observed, tf.gather(self.pool, self._slot()))

    def end(self, samples):
        self.pool.scatter_nd_update([[self._slot()]], samples[tf.newaxis])
        self.num_visits.assign_add(1)

    def reset(self):
        self.pool.assign(tf.zeros_like(self.pool))
        self.num_visits.assign(0)

    def _slot(self):
        return self.num_visits % self.num_slots
