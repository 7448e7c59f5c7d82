"""The tables of a density, from facts that are known."""

import math

import numpy as np

from mgconv.config import Dynamics
from mgconv.evaluation.density.annealing import Constants
from mgconv.evaluation.density.grids import GridDensity, LongChains
from mgconv.reporting.density import chains_table, constants_table

STEPS = Dynamics(5, 0.02, 0.1)
RHAT = {"U": 1.5, "color": math.inf, "contrast": math.nan}


def density(size, effective=None):
    """A grid; with the counting chains of three temperatures, those of its constant."""
    chains = [
        LongChains("as trained", STEPS, None, RHAT, -8.0),
        LongChains("adjusted", STEPS, 0.125, RHAT, -9.0),
    ]
    constants = effective and Constants(
        np.array([4.0, 2.0, 0.25]), np.array([5.0, 6.0, 7.0]), np.array([0.1, 0.2, 0.3]),
        np.array(effective), np.full(32, -7.0),
    )  # fmt: skip
    return GridDensity(size, 0.25, 0.0, -4.0, chains, constants)


def test_a_row_has_its_temperatures_acceptance_and_rhat():
    _, rows = chains_table([density(4)]).cells()
    assert rows == [
        ["4 x 4, as trained", "0.25 -> 0", "0.02", "0.1", "-", "1.50", "none moves", "-",
         "-4.0 -> -8.0"],
        ["4 x 4, adjusted", "0.25 -> 0", "0.02", "0.1", "12.5%", "1.50", "none moves", "-",
         "-4.0 -> -9.0"],
    ]  # fmt: skip


def test_a_constant_that_few_chains_know_is_a_bound_without_an_error():
    grids = [density(2, [30.0, 20.0, 16.0]), density(4, [30.0, 20.0, 9.0]), density(8, [9.0] * 3)]
    _, rows = constants_table([*grids, density(16)]).cells()
    assert rows == [
        ["2 x 2", "0.25", "7.00 ± 0.30", "16.0 of 32", "-7.0", "0.25", "7.00 ± 0.30"],
        ["4 x 4", "0.25", "at least 7.0", "9.0 of 32", "-7.0", "2", "6.00 ± 0.20"],
        ["8 x 8", "0.25", "at least 7.0", "9.0 of 32", "-7.0", "-", "-"],
        ["16 x 16", "0.25", "not run", "-", "-", "-", "-"],
    ]
