"""What a trained model's grids sample: temperature, acceptance, R-hat, the constant."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from mgconv.config import Dynamics
from mgconv.errors import UserError
from mgconv.evaluation.density.annealing import Constants, log_constants
from mgconv.evaluation.density.mixing import Advance, adjusted, as_trained, split_rhat, trace
from mgconv.langevin import EnergyFn
from mgconv.models import MultigridModel

Make = Callable[[EnergyFn, Dynamics], Advance]
TURN = 5  # Langevin steps between two draws of a long chain
MOST_PIXELS = 8 * 8  # of a grid whose constant is estimated


class Amount(NamedTuple):
    """How much is computed."""

    num_chains: int = 64
    num_draws: int = 200  # of a long chain; the first half is left out
    num_rungs: int = 2000  # of annealing


WHOLE = Amount()


class LongChains(NamedTuple):
    """Long chains of one sampler, from the model's samples."""

    name: str
    dynamics: Dynamics
    acceptance: float | None  # None: steps as in training, all taken
    rhat: dict[str, float]  # by mixing.SUMMARIES
    energy: float  # mean U of the second half


class GridDensity(NamedTuple):
    """One grid."""

    size: int
    temperature: float  # of a chain's first step
    last_temperature: float
    sample_energy: float  # mean U of the model's samples, where long chains start
    chains: list[LongChains]
    constants: Constants | None  # None: the grid is large, or its temperature 0


def grid_densities(model: MultigridModel, amount: Amount, seed: int) -> list[GridDensity]:
    """Each grid with a net, coarse to fine.

    Raises:
        UserError: the energy of an image depends on its batch, or arviz-stats is not installed.
    """
    if any(norm.sees_batch for net in model.nets for norm in net.norms):
        found, remedy = "--normalization=batch", "Give a run of --recipe=modern."
        raise UserError("An image has a density where its energy is its own", found, remedy)
    split_rhat(np.zeros([4, 2]))  # says at once where it is not installed
    samples = model.chains(model.colors(amount.num_chains, seed), seed)
    pairs = list(zip(model.learner.grids, samples))
    return [
        _density(grid.energy(), grid.synthesis_dynamics, x0, seed, amount)
        for grid, x0 in tqdm(pairs, "density", unit=" grids", disable=None)
    ]


def _density(energy_fn, dynamics, x0, seed, amount) -> GridDensity:
    temperature, size = dynamics.temperature, x0.shape[1]
    chains = [
        _long_chains(name, energy_fn, at, make, x0, seed, amount)
        for name, (at, make) in _samplers(dynamics).items()
    ]
    constants = None
    if temperature and size**2 <= MOST_PIXELS:
        num = (amount.num_chains, amount.num_rungs)
        constants = log_constants(energy_fn, x0.shape[1:], temperature, *num, seed)
    last = dataclasses.replace(
        dynamics, noise=dynamics.noise * dynamics.noise_end,
        drift=dynamics.drift * dynamics.drift_end,
    )  # fmt: skip
    start = float(np.mean(energy_fn(x0)))
    return GridDensity(size, temperature, last.temperature, start, chains, constants)


def _samplers(dynamics: Dynamics) -> dict[str, tuple[Dynamics, Make]]:
    """Steps of the first step's temperature, by name."""
    whole = Dynamics(TURN, dynamics.drift, dynamics.noise)
    quarter = Dynamics(TURN, dynamics.drift / 4, dynamics.noise / 2)
    plain: dict[str, tuple[Dynamics, Make]] = {"as trained": (whole, as_trained)}
    if not dynamics.temperature:
        return plain
    return plain | {"adjusted": (whole, adjusted), "adjusted, drift / 4": (quarter, adjusted)}


def _long_chains(name, energy_fn, dynamics, make, x0, seed, amount) -> LongChains:
    found = trace(energy_fn, make(energy_fn, dynamics), x0, amount.num_draws, seed)
    rhat = {name: split_rhat(draws) for name, draws in found.draws.items()}
    acceptance = None if make is as_trained else found.acceptance
    return LongChains(name, dynamics, acceptance, rhat, float(found.draws["U"].mean()))
