"""Training and sampling at all grids (paper: Algorithm 1)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from mgconv.chains import ChainStart
from mgconv.config import Dynamics
from mgconv.energy import EnergyNet
from mgconv.grids import downsample, masked_downsample, upsample
from mgconv.langevin import ChainInfo, EnergyFn, fold_in, langevin

HELD_SHARE = 0.25  # chosen on training images held out: results/held-share


class GridLearner(tf.Module):
    """One grid: its net, the start of its training chains, its optimizer.

    Args:
        net: the energy of this grid.
        start: where training chains start.
        training_dynamics: of training chains.
        synthesis_dynamics: of chains from up-scaled colors or coarser samples.
        optimizer: this grid's own; built here.
        data_noise: standard deviation of the noise on observed images.
        averaged: a second net for the running average of the weights; synthesis then uses it.
        average_decay: decay of that average.
        readout_limit: the largest norm of the weights that make f of the last map; None: any.
        penalize: (net, gradients, images, number of the update, seed) -> the gradients, with those
            of what is taken from the likelihood.
        whole_batch: gradients of this device's part of a batch -> those of the whole batch.
        change_gradients: (net, gradients of the whole batch) -> what the optimizer gets.
        jit_compile: chains are compiled by XLA.
        rate: the learning rate, where the optimizer has a schedule that begins with it.
    """

    def __init__(
        self,
        net: EnergyNet,
        start: ChainStart,
        training_dynamics: Dynamics,
        synthesis_dynamics: Dynamics,
        optimizer: keras.optimizers.Optimizer,
        data_noise: float = 0.0,
        averaged: EnergyNet | None = None,
        average_decay: float = 0.0,
        readout_limit: float | None = None,
        penalize: Callable[..., list[tf.Tensor]] = lambda net, gradients, *of: gradients,
        whole_batch: Callable[[list[tf.Tensor]], list[tf.Tensor]] = lambda gradients: gradients,
        change_gradients: Callable[..., list[tf.Tensor]] = lambda net, gradients: gradients,
        jit_compile: bool = False,
        rate: tf.Variable | None = None,
    ):
        super().__init__()
        self.net, self.start, self.optimizer = net, start, optimizer
        self.training_dynamics = training_dynamics
        self.synthesis_dynamics = synthesis_dynamics
        self.data_noise, self.penalize = data_noise, penalize
        self.whole_batch, self.change_gradients = whole_batch, change_gradients
        self.averaged, self.average_decay = averaged, average_decay
        self.readout_limit = readout_limit
        self.langevin = tf.function(langevin, jit_compile=True) if jit_compile else langevin
        self.size = net.spec.size
        self.rate = optimizer.learning_rate if rate is None else rate
        self._initial_rate = self.rate.numpy()
        optimizer.build(net.trainable_variables)

    def reset(self, seed: int) -> None:
        """Fresh weights and optimizer, no memory of chains: another model by the same trace."""
        for net in filter(None, (self.net, self.averaged)):
            net.initialize(seed)
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        self.rate.assign(self._initial_rate)
        self.start.reset()

    def synthesize(self, x0, seed, project=tf.identity) -> tuple[tf.Tensor, ChainInfo]:
        """Samples of the trained model by the full chain from x0, [B, s, s, C]."""
        return self.langevin(self.energy(), x0, self.synthesis_dynamics, seed, project)

    def energy(self) -> EnergyFn:
        """The energy by which samples are drawn: of averaged weights, where there are some."""
        return (self.averaged or self.net).fixed()

    def update(self, observed, coarser, seed, begin=tf.identity, hold=tf.identity):
        """Runs the training chains from their start, then learns from what they end at.

        Args:
            observed: [B, s, s, C], the training images at this grid.
            coarser: [B, s', s', C], what `ChainStart.begin` takes.
            seed: int32 [2].
            begin: [B, s, s, C] -> the same, what known pixels make of the chain start.
            hold: the same after each Langevin step.

        Returns:
            The synthesized images, [B, s, s, C], and scalars for the log.
        """
        z = tf.random.stateless_normal(observed.shape, fold_in(seed, 0))
        observed = hold(tf.clip_by_value(observed + self.data_noise * z, -1.0, 1.0))
        x0 = begin(self.start.begin(observed, coarser))
        chain = (self.net.fixed(), x0, self.training_dynamics, fold_in(seed, 1), hold)
        synthesized, info = self.langevin(*chain)
        gap, gradients = self._ascend(observed, synthesized, fold_in(seed, 2))
        self.start.end(synthesized)
        return synthesized, {
            "gap": gap, "gradient_norm": tf.linalg.global_norm(gradients),
            "contrast": tf.math.divide_no_nan(*map(tf.math.reduce_std, (synthesized, observed))),
            "drift_rms": info.drift_rms, "saturated": info.saturated,
        }  # fmt: skip

    def _ascend(self, observed, synthesized, seed) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step of the optimizer up mean f(observed) - mean f(synthesized).

        Returns:
            That difference before the step, and the whole batch's gradients of what is descended.
        """
        weights = self.net.trainable_variables
        values = [weight.value for weight in weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            # batch statistics of observed and synthesized images stay apart
            f_observed, f_synthesized = self.net.f_of_each(observed, synthesized)
            gap = tf.reduce_mean(f_observed) - tf.reduce_mean(f_synthesized)
            loss = -gap
        images, count = tf.concat([observed, synthesized], axis=0), self.optimizer.iterations
        gradients = self.penalize(self.net, tape.gradient(loss, values), images, count, seed)
        gradients = self.whole_batch(gradients)
        self.optimizer.apply(self.change_gradients(self.net, gradients), weights)
        return gap, gradients

    def bound(self) -> None:
        """Keeps the readout within its limit, where there is one.

        Departure: Adam lets the readout grow without end, and with it the steepest slope that U can
        have, until one batch of chains overshoots and the next update makes it steeper still.
        """
        if self.readout_limit is not None:
            self.net.limit_readout(self.readout_limit)

    def average(self) -> None:
        """Moves the averaged weights, where there are some, toward those that learn."""
        count = tf.cast(self.optimizer.iterations, tf.float32)
        decay = tf.minimum(self.average_decay, count / (9 + count))  # the start is soon forgotten
        averages = self.averaged.trainable_variables if self.averaged else []
        for average, weight in zip(averages, self.net.trainable_variables):
            average.assign(decay * average + (1 - decay) * weight)


class MultigridLearner(tf.Module):
    """Algorithm 1 over the grids that have a net; with the top grid alone, each of its baselines.

    Attributes:
        held_share: of a coarse pixel's block; so much visible, it is held while holes are filled.

    Args:
        grids: learners from coarse to fine.
        seed: of all chains.
        colors: [N, 1, 1, C] of training images, from which samples start.
        reference: [B, S, S, C], observed images that fill up a batch; B chains run at once.
    """

    def __init__(self, grids: list[GridLearner], seed: int, colors, reference):
        super().__init__()
        self.grids, self.batch_size, self.held_share = grids, len(reference), HELD_SHARE
        self.update_count = tf.Variable(0, dtype=tf.int64)
        self.seed = tf.Variable([seed, 0], dtype=tf.int32)
        # the number of colors may differ from model to model
        self.colors = tf.Variable(colors, shape=[None, *colors.shape[1:]], dtype=tf.float32)
        self.reference = tf.Variable(reference, dtype=tf.float32)

    @property
    def weights(self) -> list:
        """All weights that are trained."""
        return [weight for grid in self.grids for weight in grid.net.trainable_variables]

    @property
    def rates(self) -> list:
        """Variables of all learning rates."""
        return [grid.rate for grid in self.grids]

    @property
    def parameters(self) -> dict[str, int]:
        """How many there are, by net."""
        return {grid.net.name: grid.net.count_params() for grid in self.grids}

    def reset(self, seed: int, colors: np.ndarray, reference: np.ndarray) -> None:
        """Becomes an unlearned model of other data, without being traced anew."""
        for index, grid in enumerate(self.grids):
            grid.reset(weight_seed(seed, index))
        self.update_count.assign(0)
        self.seed.assign([seed, 0])
        self.colors.assign(colors)
        self.reference.assign(reference)

    @tf.function(autograph=False)
    def train_step(self, images, visible=None) -> dict[str, tf.Tensor]:
        """An update of every grid.

        Args:
            images: [B, S, S, C], observed.
            visible: bool [B, S, S, 1]; given, the conditional of the hidden pixels is learned.

        Returns:
            Scalars `quantity/size`.
        """
        scalars = self.update_grids(images, visible, fold_in(self.seed, self.update_count))
        self.finish_update()
        return scalars

    def update_grids(self, images, visible, seed) -> dict[str, tf.Tensor]:
        """One iteration of Algorithm 1; devices make it side by side, each of a part of the batch.

        Each replica has a seed of its own.
        """
        scalars: dict[str, tf.Tensor] = {}
        coarser = self._start(images, visible)  # step 1: every image averaged to 1 x 1
        for index, grid in enumerate(self.grids):  # from coarse to fine
            observed = downsample(images, grid.size)
            begin, hold = _known(images, visible, grid.size)
            # step 2: Langevin from the up-scaled sample of the grid below; step 3: this grid's net
            # learns from observed minus synthesized
            coarser, info = grid.update(observed, coarser, fold_in(seed, index), begin, hold)
            scalars |= {f"{name}/{grid.size}": value for name, value in info.items()}
        return scalars

    def finish_update(self) -> None:
        """Bounds and averages the weights, once for all devices."""
        for grid in self.grids:
            grid.bound()
            grid.average()
        self.update_count.assign_add(1)

    @tf.function(autograph=False)
    def sample(self, colors, seed, images=None, visible=None) -> list[tf.Tensor]:
        """Chains from colors [B, 1, 1, C] through all grids: [B, s, s, C] each, coarse to fine.

        From images of a grid, [B, s, s, C] instead of colors, through the finer ones alone.
        Where `visible`, bool [B, S, S, 1], is True, pixels of images [B, S, S, C] are held.
        """
        return self.run_chains(colors, seed, images, visible)

    def run_chains(self, colors, seed, images, visible) -> list[tf.Tensor]:
        """`sample` as devices do it side by side."""
        samples = [colors]
        for index, grid in enumerate(self.grids):
            if grid.size <= colors.shape[1]:  # where the start is an image of a grid
                continue
            begin, hold = _known(images, visible, grid.size, self.held_share)
            x0 = begin(upsample(samples[-1], grid.size))
            samples.append(grid.synthesize(x0, fold_in(seed, index), hold)[0])
        return samples[1:]

    def fill(self, images: tf.Tensor, visible: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        """Samples given the visible pixels; what stands at hidden ones has no influence."""
        return self.sample(self._start(images, visible), seed, images, visible)

    def _start(self, images, visible):
        """Means of images, or of their visible pixels: where all chains start, [B, 1, 1, C]."""
        if visible is None:
            return downsample(images, 1)
        means, share = masked_downsample(images, visible, 1)
        return tf.where(share > 0, means, tf.reduce_mean(self.colors, axis=0))

    def preview(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """For a person to look at: reference images and samples from their colors, energies [B]."""
        samples, shown = self.sample(downsample(self.reference, 1), seed), {}
        for grid, synthesized in zip(self.grids, samples):
            observed = downsample(self.reference, grid.size)
            energy_fn = grid.energy()
            for name, images in (("observed", observed), ("synthesized", synthesized)):
                shown[f"{name}/{grid.size}"] = images
                shown[f"energy_{name}/{grid.size}"] = energy_fn(images)
        return shown


def weight_seed(seed: int, index: int) -> int:
    """Seed of the first weights of the grid at `index`."""
    return 1000 * seed % 2**30 + 100 * index


def _known(images, visible, size, held_share=1.0):
    """What the visible pixels say at one grid: (for the chain start, after each Langevin step).

    A block that is visible enough is held; every other starts from the mean of its visible pixels.
    """
    if visible is None:
        return tf.identity, tf.identity
    means, share = masked_downsample(images, visible, size)
    start, held = share > 0, share >= held_share
    return lambda x: tf.where(start, means, x), lambda x: tf.where(held, means, x)
