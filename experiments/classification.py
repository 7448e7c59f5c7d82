"""Experiment 2's rows: features of a system, classifiers on draws of labels, each result kept."""

import functools
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgconv.datasets import ImageSet
from mgconv.evaluation import cnn
from mgconv.evaluation.classify import labeled_subset, svm
from mgconv.evaluation.features import extract, freeze
from mgconv.images import to_float
from mgconv.systems import System
from mgconv.tracking import read_json, write_json

NUM_FROZEN = 2000  # observed images that freeze the statistics


@dataclass(frozen=True)
class Task:
    """What is classified.

    Args:
        training: labeled images; a draw takes some of their labels.
        test: images that are read; their labels are looked at by `error` alone.
        nums: numbers of labels.
        num_draws: of each.
        folder: where results are kept.
    """

    training: ImageSet
    test: ImageSet
    nums: tuple[int, ...]
    num_draws: int
    folder: Path

    @property
    def draws(self) -> list[tuple[int, int]]:
        """(number of labels, seed) of every draw."""
        return [(num, seed) for num in self.nums for seed in range(self.num_draws)]

    def subset(self, num: int, seed: int):
        """The labeled subset of a draw."""
        return labeled_subset(self.training.labels, num, len(self.training.class_names), seed)

    def subsets(self) -> list:
        """All of them; a UserError where there are too few labels."""
        return [self.subset(*draw) for draw in self.draws]

    @functools.cached_property
    def identity(self) -> str:
        """Changes with the data and its labels."""
        parts = (self.training.pixels, self.training.labels, self.test.pixels, self.test.labels)
        return "-".join(f"{zlib.crc32(np.ascontiguousarray(part)):08x}" for part in parts)

    def error(self, predictions: np.ndarray) -> float:
        """Share of test images that are read wrong."""
        return float((predictions != self.test.labels).mean())


Classify = Callable[
    [np.ndarray, int], tuple[np.ndarray, dict]
]  # (rows, seed) -> predictions, facts


def results(task: Task, name: str, key: str, make: Callable[[], Classify]) -> list[dict]:
    """A row a draw of one classifier on one system, from the folder where they were made before.

    Args:
        task: what is classified.
        name: of the row, a file's name.
        key: changes with the weights of the system.
        make: makes the classifier; called only when a draw is missing.
    """
    path = task.folder / f"{name}.json"
    kept, key = read_json(path) if path.exists() else {}, f"{key} {task.identity}"
    if kept.get("key") != key:
        kept = {"key": key, "draws": {}}
    classify = None
    for num, seed in task.draws:
        if f"{num}-{seed}" not in kept["draws"]:
            classify = classify or make()
            subset, start = task.subset(num, seed), time.perf_counter()
            predictions, facts = classify(subset.rows, seed)
            kept["draws"][f"{num}-{seed}"] = {
                "labels": num, "draw": seed, "error": task.error(predictions),
                "balanced": subset.balanced, "seconds": time.perf_counter() - start,
                "confusion": _confusion(task, predictions), **facts,
            }  # fmt: skip
            write_json(path, kept)
            print(f"{name}, {num} labels, draw {seed}: {task.error(predictions):.1%}", flush=True)
    return [kept["draws"][f"{num}-{seed}"] for num, seed in task.draws]


def _confusion(task, predictions):
    size = len(task.test.class_names)
    counts = np.zeros([size, size], int)
    np.add.at(counts, (task.test.labels, predictions), 1)
    return counts.tolist()


def svm_on(task: Task, features: Callable[[np.ndarray], np.ndarray]) -> Classify:
    """An L2-SVM on rows of features, float [N, D], of uint8 images."""
    known = np.unique(np.concatenate([subset.rows for subset in task.subsets()]))
    table, test = features(task.training.pixels[known]), features(task.test.pixels)

    def classify(rows, seed):
        places = np.searchsorted(known, rows)
        result = svm(table[places], task.training.labels[rows], test, seed)
        return result.predictions, {"c": result.c, "converged": result.converged}

    return classify


def features_of(system: System, observed: ImageSet) -> Callable[[np.ndarray], np.ndarray]:
    """Pooled maps of a system, its statistics frozen on observed images."""
    freeze(system.features, system.norms, _some(observed))
    return lambda images: extract(system.features, images)


def _some(images: ImageSet) -> np.ndarray:
    few = np.linspace(0, len(images) - 1, min(NUM_FROZEN, len(images))).astype(int)
    return images.pixels[few]


def pixels(images: np.ndarray) -> np.ndarray:
    """The images themselves: a control."""
    return to_float(images).reshape(len(images), -1)


def hog(images: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients by scikit-image, an optional package: a control."""
    from skimage.feature import hog as describe

    side = images.shape[1] // 4
    return np.stack([
        describe(image, pixels_per_cell=(side, side), cells_per_block=(2, 2), channel_axis=-1)
        for image in images
    ])  # fmt: skip


def cnn_on(task: Task, system: System, observed: ImageSet) -> Classify:
    """The two-layer CNN on a system's maps at all grids."""
    freeze(system.grid_features, system.norms, _some(observed))
    return _cnn(task, lambda: (system.grid_features, []))


def supervised(task: Task, make: Callable[[], System]) -> Classify:
    """The same nets and CNN, learned end to end from the labels alone."""

    def fresh():
        system = make()
        return system.grid_features, system.nets

    return _cnn(task, fresh)


def _cnn(task, fresh):
    side = min(8, task.training.pixels.shape[1] // 2)

    def classify(rows, seed):
        maps, nets = fresh()
        result = cnn.classify(
            maps, side, task.training.pixels[rows], task.training.labels[rows], task.test.pixels,
            len(task.training.class_names), seed, nets,
        )  # fmt: skip
        facts = {"validation_error": result.validation_error, "epochs": result.epochs}
        return result.predictions, facts

    return classify
