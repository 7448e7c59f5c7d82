"""What the maps of each layer are like: scale, dead and saturated units, effective rank."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mgconv.config import Config
from mgconv.datasets.few_labels import labeled_subset
from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.features import pooled
from mgconv.evaluation.frozen import NUM_FROZEN, freeze, in_tensors, watched
from mgconv.evaluation.reading import POOLS
from mgconv.evaluation.svm import unseen_error
from mgconv.models import FeatureExtractor, load, untrained

NUM_IMAGES, NUM_LABELS = 3000, 1000  # that a run is judged by
DEAD = 0.01  # of a layer's scale: a channel of less spread between images and places
FLAT = 0.1  # slope of an activation; SiLU's is below it left of -1.07


class LayerFacts(NamedTuple):
    """Of one layer's maps after the activation, over many images."""

    scale: float  # root mean square
    dead: float  # share of channels that hardly change
    saturated: float  # share of values at which the activation is flat
    bend: float  # how much the activation's slope varies within a channel; 0: the layer is linear
    ranks: dict[str, float]  # effective rank of the pooled features, by pooling
    features: dict[str, np.ndarray]  # float32 [N, D], by pooling


def effective_rank(features: np.ndarray) -> float:
    """Number of directions in which features [N, D] vary: exp of an entropy (Roy, Vetterli 2007).

    The entropy is that of the covariance's eigenvalues over their sum: k equal ones have rank k.
    """
    centered = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    narrow = centered if len(centered) >= centered.shape[1] else centered.T
    values = np.linalg.eigvalsh(narrow.T @ narrow)  # those of the covariance, but for a factor
    shares = values[values > 1e-12 * max(values.sum(), 1e-300)]
    if not len(shares):
        return 0.0
    shares = shares / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def dead_share(spreads: np.ndarray, scale: float) -> float:
    """Share of channels, of these standard deviations [K], that hardly change in their layer."""
    return float(np.mean(spreads <= DEAD * scale))


def slopes(activation: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> np.ndarray:
    """Derivative of an activation at each of its inputs x."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activation(x)
    return tape.gradient(y, x).numpy().astype(np.float64)


class _Moments:
    """Running mean and standard deviation of each channel, [K]."""

    def __init__(self):
        self.count, self.total, self.squares = 0, np.zeros(1), np.zeros(1)

    def add(self, values: np.ndarray) -> None:
        self.count += values[..., 0].size
        self.total = self.total + values.sum((0, 1, 2))
        self.squares = self.squares + np.square(values).sum((0, 1, 2))

    @property
    def spreads(self) -> np.ndarray:
        variance = self.squares / self.count - np.square(self.total / self.count)
        return np.sqrt(np.maximum(0, variance))


class _Sums:
    """What is seen of one layer, batch by batch."""

    def __init__(self, activation: keras.layers.Layer):
        self._activate = activation.call  # before it is watched
        self.maps, self.slopes, self.num_flat = _Moments(), _Moments(), 0
        self.features: dict[str, list[np.ndarray]] = {pool: [] for pool in POOLS}

    def look(self, x: tf.Tensor, _) -> None:
        """At inputs of the activation."""
        slope = slopes(self._activate, x)
        self.slopes.add(slope)
        self.num_flat += int(np.sum(np.abs(slope) < FLAT))

    def add(self, maps: tf.Tensor) -> None:
        """Maps, its outputs."""
        self.maps.add(maps.numpy().astype(np.float64))
        for pool in POOLS:
            self.features[pool].append(pooled([maps], pool).numpy())

    def facts(self) -> LayerFacts:
        """Of all that was seen."""
        scale = float(np.sqrt(np.mean(self.maps.squares) / self.maps.count))
        features = {pool: np.concatenate(parts) for pool, parts in self.features.items()}
        return LayerFacts(
            scale, dead_share(self.maps.spreads, scale),
            self.num_flat / (self.slopes.count * len(self.slopes.spreads)),
            float(self.slopes.spreads.mean()),
            {pool: effective_rank(rows) for pool, rows in features.items()}, features,
        )  # fmt: skip


def layer_facts(model: FeatureExtractor, images: np.ndarray) -> list[LayerFacts]:
    """Facts of every layer of each grid, coarse to fine, from the image up.

    Args:
        model: whose statistics of normalization layers are frozen.
        images: uint8 [N, S, S, C], some thousands at most: features are kept in memory.
    """
    layers = [_Sums(activation) for activation in model.activations]
    with contextlib.ExitStack() as stack:
        for activation, layer in zip(model.activations, layers):
            stack.enter_context(watched(activation, layer.look))
        for batch in in_tensors(images):
            maps = [x for grid in model.grid_features(batch) for x in grid]
            for layer, x in zip(layers, maps, strict=True):
                layer.add(x)
    return [layer.facts() for layer in layers]


# -- a run before and after training


class Layers(NamedTuple):
    """What a run has made of its layers."""

    names: list[str]  # of the layers, coarse to fine, from the image up
    facts: dict[str, list[LayerFacts]]  # of each layer, by state
    errors: dict[tuple[str, str, str], float]  # of a layer, a grid or all, by state and pooling


def compare_layers(folder: Path, config: Config, images: ImageSet, seed: int = 0) -> Layers:
    """Facts of every layer of a run, with its first weights and with those that it has learned.

    Args:
        folder: of the run.
        config: of the run; it says where the images lie.
        images: of its training; labels count where there are two classes or more.
        seed: of the draw of labels.
    """
    rows = np.linspace(0, len(images) - 1, min(NUM_IMAGES, len(images))).astype(int)
    some = images.at(np.unique(rows))
    models: dict[str, Any] = {"fresh": untrained(config, images), "trained": load(folder)}
    facts = {}
    for state, model in models.items():
        freeze(model.grid_features, model.norms, some.pixels[:NUM_FROZEN])
        facts[state] = layer_facts(model, some.pixels)
    grids = _grids(config, models["trained"], some)
    names = [name for layers in grids.values() for name in layers]
    return Layers(names, facts, _errors(grids, facts, some, seed))


def _grids(config, model, images) -> dict[str, list[str]]:
    """Names of the layers of each grid."""
    maps = model.grid_features(next(in_tensors(images.pixels[:2])))
    sizes = config.learned_sizes
    return {
        f"{size} x {size}": [f"{size} x {size}, {number}" for number, _ in enumerate(grid, 1)]
        for size, grid in zip(sizes, maps, strict=True)
    }


def _errors(grids, facts, images, seed):
    """Of an L2-SVM on the features of each layer, of each grid's together, and of all."""
    counts = np.bincount(images.labels)
    if np.count_nonzero(counts) < 2 or counts[counts > 0].min() < 4:
        return {}
    labels = np.unique(images.labels, return_inverse=True)[1]
    num = min(NUM_LABELS, len(images) // 2)
    drawn = labeled_subset(labels, num, labels.max() + 1, seed).rows
    names = [name for layers in grids.values() for name in layers]
    groups = {name: [name] for name in names} | {
        f"{grid}, all": layers for grid, layers in grids.items()
    }
    groups |= {"all grids": names} if len(grids) > 1 else {}
    pairs = [(state, pool) for state in facts for pool in POOLS]
    found = {}
    for name in tqdm(groups, "errors", unit=" rows", disable=None):
        for state, pool in pairs:
            parts = [facts[state][names.index(layer)].features[pool] for layer in groups[name]]
            features = np.concatenate(parts, axis=1)
            found[name, state, pool] = unseen_error(features, labels, drawn, seed)
    return found
