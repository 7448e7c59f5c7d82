"""Experiment 2's rows: features of a system, classifiers on draws of labels, each result kept."""

import functools
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgconv.datasets.few_labels import labeled_subset
from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation import cnn
from mgconv.evaluation.features import POOLED, cached, pooled
from mgconv.evaluation.frozen import NUM_FROZEN, freeze
from mgconv.evaluation.svm import svm
from mgconv.io.files import read_json, write_json
from mgconv.io.images import to_float
from mgconv.models import Model

PROTOCOL = 2  # of the classifiers; raised when the same features give other predictions


@dataclass(frozen=True)
class Task:
    """What is classified.

    Args:
        training: labeled images; a draw takes some of their labels.
        test: images that are read; their labels are looked at by `error` alone.
        nums: numbers of labels.
        num_draws: of each; a third of them, and 2 at least, where draws share most of their labels.
        folder: where results are kept.
        num_at_once: draws classified at a time.
    """

    training: ImageSet
    test: ImageSet
    nums: tuple[int, ...]
    num_draws: int
    folder: Path
    num_at_once: int = 1

    @property
    def draws(self) -> list[tuple[int, int]]:
        """(number of labels, seed) of every draw."""
        return [(num, seed) for num in self.nums for seed in range(self._num_draws(num))]

    def _num_draws(self, num):
        overlapping = num > len(self.training) / 2
        return max(2, self.num_draws // 3) if overlapping else self.num_draws

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
        return "-".join(map(_checksum, parts))

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
    kept = read_json(path) if path.exists() else {}
    key = f"{key} {task.identity} {PROTOCOL}"
    if kept.get("key") != key:
        kept = {"key": key, "draws": {}}
    missing = [draw for draw in task.draws if _name(*draw) not in kept["draws"]]
    for row in _classified(task, missing, make):
        kept["draws"][_name(row["labels"], row["draw"])] = row
        write_json(path, kept)
        line = f"{name}, {row['labels']} labels, draw {row['draw']}: {row['error']:.1%}"
        print(line, flush=True)
    return [kept["draws"][_name(*draw)] for draw in task.draws]


def _name(num, seed):
    return f"{num}-{seed}"


def _classified(task: Task, draws: list[tuple[int, int]], make: Callable[[], Classify]):
    """A row of each draw, as soon as it is there."""
    from joblib import Parallel, delayed

    if not draws:
        return

    def row(num, seed):
        subset, start = task.subset(num, seed), time.perf_counter()
        predictions, facts = classify(subset.rows, seed)
        return {
            "labels": num, "draw": seed, "error": task.error(predictions),
            "balanced": subset.balanced, "seconds": time.perf_counter() - start,
            "confusion": _confusion(task, predictions), **facts,
        }  # fmt: skip

    classify = make()
    at_once = Parallel(task.num_at_once, prefer="threads", return_as="generator")
    yield from at_once(delayed(row)(*draw) for draw in draws)


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


def features_of(
    make: Callable[[], Model], observed: ImageSet, folder: Path, key: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Pooled maps of a system, its statistics frozen on observed images.

    Args:
        make: the system; called only where a file is missing.
        observed: images without labels.
        folder: where features are kept by all that decides them.
        key: changes with the weights of the system.
    """
    some = observed.some(NUM_FROZEN)

    @functools.cache
    def frozen():
        system = make()
        freeze(system.features, system.norms, some)
        return lambda x: pooled(system.features(x))

    def rows(images):
        decided = {"weights": key, "frozen": _checksum(some), "images": _checksum(images)}
        return cached(frozen, images, decided | {"side": POOLED}, folder)

    return rows


def _checksum(array):
    return f"{zlib.crc32(np.ascontiguousarray(array)):08x}"


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


def cnn_on(task: Task, system: Model, observed: ImageSet) -> Classify:
    """The two-layer CNN on a system's maps at all grids."""
    freeze(system.grid_features, system.norms, observed.some(NUM_FROZEN))
    return _cnn(task, lambda: (system.grid_features, []))


def supervised(task: Task, make: Callable[[], Model], fine_tuned: bool = False) -> Classify:
    """The same CNN on nets that are trained as well.

    Args:
        task: what is classified.
        make: the nets, anew for each draw.
        fine_tuned: they know something already: the head begins alone, and they follow slowly.
    """

    def fresh():
        system = make()
        return system.grid_features, system.nets

    return _cnn(task, fresh, fine_tuned)


def _cnn(task, fresh, fine_tuned=False):
    side = min(8, task.training.pixels.shape[1] // 2)

    def classify(rows, seed):
        maps, nets = fresh()
        result = cnn.classify(
            maps, side, task.training.pixels[rows], task.training.labels[rows], task.test.pixels,
            len(task.training.class_names), seed, nets, fine_tuned,
        )  # fmt: skip
        facts = {"validation_error": result.validation_error, "epochs": result.epochs}
        return result.predictions, facts

    return classify
