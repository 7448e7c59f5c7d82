"""Learned maps as features of images (paper: experiment 2, Radford et al.'s procedure)."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from mgconv.datasets.batches import Allocate, in_batches, in_memory
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.evaluation.reading import POOLS, Part, Reading
from mgconv.io.files import replacing
from mgconv.io.images import to_float
from mgconv.models import FeatureExtractor

Rows = Callable[[tf.Tensor], tf.Tensor]  # [B, S, S, C] -> features [B, D]
POOLED = 4  # side to which every map is pooled; Radford et al. 2015
NUM_COPIES = 4  # of an image, each with noise of its own


def pooled(maps: list[tf.Tensor], pool: str = "max") -> tf.Tensor:
    """All maps pooled to 4 x 4, flattened, concatenated, [B, D]; smaller maps as they are.

    Args:
        maps: [B, h, w, K] each.
        pool: "max" or "mean" of each block.
    """
    take = tf.nn.max_pool2d if pool == "max" else tf.nn.avg_pool2d
    flat = []
    for x in maps:
        side = max(1, -(-x.shape[1] // POOLED))
        x = take(x, side, side, "SAME")
        flat.append(tf.reshape(x, [x.shape[0], -1]))
    return tf.concat(flat, axis=1)


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


def extract(
    rows: Rows,
    images: np.ndarray,
    about: str = "features",
    batch_size: int = 100,
    allocate: Allocate = in_memory,
) -> np.ndarray:
    """Features of any number of images in bounded memory, float32 [N, D].

    Args:
        rows: of frozen nets, so that an image's features depend on it alone.
        images: uint8 [N, S, S, C], may be memory-mapped.
        about: what the progress bar says.
        batch_size: images at once.
        allocate: where the features go, from their shape.
    """
    run = tf.function(rows, autograph=False)
    size = min(batch_size, len(images))  # one shape, one trace

    def padded(batch):
        missing = size - len(batch)
        whole = np.pad(to_float(batch), [(0, missing), (0, 0), (0, 0), (0, 0)])
        return [run(tf.constant(whole)).numpy()[: len(batch)]]

    return in_batches(padded, images, about, size, allocate)[0]


def cached(rows: Callable[[], Rows], images: np.ndarray, key: dict, folder: Path) -> np.ndarray:
    """Features of images, kept in `folder` under all that decides them, memory-mapped.

    Args:
        rows: makes what `extract` takes; called only where they are not there.
        images: uint8 [N, S, S, C].
        key: JSON values: weights, data, procedure.
        folder: of the files.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    path = Path(folder) / f"features-{digest}.npy"
    if not path.exists():
        extract_to(path, rows(), images)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def extract_to(path: Path, rows: Rows, images: np.ndarray) -> None:
    """The features of images as a .npy, written whole or not at all; memory is bounded."""
    with replacing(path) as draft:
        mapped = functools.partial(np.lib.format.open_memmap, draft, "w+", np.float32)
        extract(rows, images, allocate=mapped)


def save_features(path: Path, rows: Rows, images: ImageSet) -> int:
    """Writes an .npz of features, labels, class_names and names of images; memory is bounded.

    Returns:
        The number of features of an image.
    """
    table = path.with_name(f".{path.stem}.npy")
    try:
        extract_to(table, rows, images.pixels)
        features = np.load(table, mmap_mode="r", allow_pickle=False)
        names = np.array(images.class_names)
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(
                file, features=features, labels=images.labels, names=images.names,
                class_names=names,
            )  # fmt: skip
    finally:
        table.unlink(missing_ok=True)
    return features.shape[1]
