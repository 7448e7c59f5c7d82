"""What is read of the maps of a network, and a search among the ways. No TensorFlow."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

GRIDS, POOLS = ("top", "all"), ("max", "mean")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What is read of a model's maps. The defaults are those of Radford et al. 2015.

    Attributes:
        grids: one of GRIDS: the top grid, or every grid's version of the image.
        layers: of each grid that are read, counted from 1 at the image; none given: all.
        pool: one of POOLS: what a map keeps of each of its blocks, 4 x 4 of them.
        noise: standard deviation of noise on the image; the mean of a few copies' features is read.
        signed_root: each feature's square root, with its sign.
        standardized: a classifier divides each feature by its own spread, else all by one.
    """

    grids: str = "top"
    layers: tuple[int, ...] = ()
    pool: str = "max"
    noise: float = 0.0
    signed_root: bool = False
    standardized: bool = True

    def reads(self, is_top: bool, layer: int) -> bool:
        """Whether a layer of a grid is read."""
        return (is_top or self.grids == "all") and (not self.layers or layer in self.layers)


# -- all readings of one noise from one table


class Part(NamedTuple):
    """Neighboring columns of a table of all maps, pooled in all ways."""

    is_top: bool
    layer: int
    pool: str
    width: int


def select(table: np.ndarray, parts: list[Part], reading: Reading) -> np.ndarray:
    """The features of a reading from a table of its noise, float32 [N, D]."""
    ends = np.cumsum([part.width for part in parts])
    chosen = [
        table[:, end - part.width : end]
        for part, end in zip(parts, ends)
        if part.pool == reading.pool and reading.reads(part.is_top, part.layer)
    ]
    features = np.concatenate(chosen, axis=1)
    return np.sign(features) * np.sqrt(np.abs(features)) if reading.signed_root else features


# -- the search


def options(parts: list[Part]) -> dict[str, tuple]:
    """What a search tries of each field of a reading; the first is where it starts."""
    depth = max(part.layer for part in parts)
    return {
        "grids": GRIDS,
        "layers": ((), *((layer,) for layer in range(1, depth + 1))),
        "pool": POOLS,
        "signed_root": (False, True),
        "standardized": (True, False),
        "noise": (0.0, 0.02, 0.05, 0.1),
    }


def search(
    error: Callable[[Reading], float], choices: Mapping[str, tuple], num_rounds: int = 2
) -> dict[Reading, float]:
    """Readings and their errors; a field at a time is set to its best value, round after round.

    Args:
        error: of a reading, on labels that are neither trained on nor reported.
        choices: values of each field.
        num_rounds: times that each field is tried, at most; none follows one that changed nothing.

    Returns:
        All that were tried, each once.
    """
    best = Reading()
    found = {best: error(best)}
    for _ in range(num_rounds):
        before = best
        for name, values in choices.items():
            for value in values:
                changed: dict[str, Any] = {name: value}
                tried = dataclasses.replace(best, **changed)
                if tried not in found:
                    found[tried] = error(tried)
            best = min(found, key=found.__getitem__)
        if best == before:
            break
    return found
