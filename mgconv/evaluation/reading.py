"""How the maps of a network become the features of an image, and a search among the ways."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from mgconv.errors import UserError
from mgconv.evaluation.features import POOLED, Rows, pooled
from mgconv.models import FeatureExtractor

GRIDS, POOLS = ("top", "all"), ("max", "mean")
NUM_COPIES = 4  # of an image, each with noise of its own


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


def reader(model: FeatureExtractor, reading: Reading) -> Rows:
    """The features that a reading makes of images [B, S, S, C], as `extract` takes it.

    Raises:
        UserError: the model has none of the layers; raised at the first images.
    """

    def rows(images):
        grids = [model.features(images)] if reading.grids == "top" else model.grid_features(images)
        maps = [x for x, is_top, layer in _numbered(grids) if reading.reads(is_top, layer)]
        if not maps:
            found = ",".join(map(str, reading.layers))
            most = max(len(grid) for grid in grids)
            raise UserError("No such layer is in the networks", found, f"Give 1 to {most}.")
        return pooled(maps, reading.pool)

    def read(images):
        features = _mean_of_copies(rows, images, reading.noise)
        return tf.sign(features) * tf.sqrt(tf.abs(features)) if reading.signed_root else features

    return read


def _numbered(grids):
    """(map, whether it is of the top grid, number of its layer) of every map."""
    for grid in grids:
        for layer, x in enumerate(grid, 1):
            yield x, grid is grids[-1], layer


def _mean_of_copies(rows: Rows, images, noise):
    """The noise is the same for every image: its features depend on it alone."""
    if not noise:
        return rows(images)
    copies = [
        rows(images + noise * tf.random.stateless_normal([1, *images.shape[1:]], [copy, 0]))
        for copy in range(NUM_COPIES)
    ]
    return tf.add_n(copies) / NUM_COPIES


# -- all readings of one noise from one table


class Part(NamedTuple):
    """Neighboring columns of a table of all maps, pooled in all ways."""

    is_top: bool
    layer: int
    pool: str
    width: int


def all_maps(model: FeatureExtractor, noise: float = 0.0) -> Rows:
    """Every layer of every grid by every pooling: the features from which `select` takes."""
    whole = Reading("all", noise=noise)
    readers = [reader(model, dataclasses.replace(whole, pool=pool)) for pool in POOLS]
    return lambda images: tf.concat([read(images) for read in readers], axis=1)


def parts_of(model: FeatureExtractor, shape: Iterable[int]) -> list[Part]:
    """The parts of `all_maps`'s columns, in their order.

    Args:
        model: that is read.
        shape: (S, S, C) of an image.
    """
    found = []
    for x, is_top, layer in _numbered(model.grid_features(tf.zeros([1, *shape]))):
        width = min(POOLED, x.shape[1]) ** 2 * x.shape[3]
        found.append((is_top, layer, width))
    return [Part(is_top, layer, pool, width) for pool in POOLS for is_top, layer, width in found]


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
