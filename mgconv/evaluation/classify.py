"""Classification from few labels (paper: experiment 2): subsets of labels, the L2-SVM."""

import contextlib
import warnings
from typing import NamedTuple

import numpy as np

from mgconv.config import UserError

C_GRID = tuple(10.0**power for power in range(-5, 1))  # of standardised features
NUM_FOLDS = 3
MAX_ITERATIONS = (2_000, 20_000)  # the second where the first did not converge


class Subset(NamedTuple):
    """Which training images are labeled."""

    rows: np.ndarray  # int [num]
    balanced: bool  # as many of each class; else by the classes' frequencies


def labeled_subset(labels: np.ndarray, num: int, num_classes: int, seed: int) -> Subset:
    """A random draw of labeled images, balanced where every class has enough.

    Args:
        labels: int [N], of all training images.
        num: how many to draw.
        num_classes: that must all be there.
        seed: of the draw.

    Raises:
        UserError: fewer than the classes, more than there are, a class missing.
    """
    counts = np.bincount(labels, minlength=num_classes)
    if not num_classes <= num <= len(labels):
        remedy = f"Give between {num_classes} and {len(labels)}."
        raise UserError("Cannot draw so many labels", num, remedy)
    if not counts.all():
        missing = ", ".join(map(str, np.flatnonzero(counts == 0)))
        raise UserError("No labeled image of the classes", missing, "Choose other data.")
    wanted = np.full(num_classes, num // num_classes)
    wanted[: num % num_classes] += 1
    balanced = bool((counts >= wanted).all())
    if not balanced:
        wanted = _by_frequency(counts, num)
    rng = np.random.default_rng([seed, num])
    rows = [
        rng.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in enumerate(wanted)
    ]
    return Subset(rng.permutation(np.concatenate(rows)), balanced)


def _by_frequency(counts: np.ndarray, num: int) -> np.ndarray:
    """Largest remainders: shares of `num`, one of each class at least."""
    exact = num * counts / counts.sum()
    wanted = np.maximum(1, np.floor(exact).astype(int))
    for label in np.argsort(wanted - exact)[: num - wanted.sum()]:
        wanted[label] += 1
    return wanted


class SvmResult(NamedTuple):
    """How one L2-SVM did."""

    predictions: np.ndarray  # int [M], of the test images
    c: float  # chosen inside the labeled subset
    converged: bool


def svm(features: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int) -> SvmResult:
    """An L2-SVM on standardised features; its C by cross-validation inside the labeled subset.

    Args:
        features: float [N, D], of the labeled subset.
        labels: int [N].
        test: float [M, D].
        seed: of folds and solver.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = StratifiedKFold(_num_folds(labels), shuffle=True, random_state=seed)
    converged = []

    def score(c):
        with _noting(converged):
            return cross_val_score(_make_svm(c, seed), features, labels, cv=folds).mean()

    scores = [score(c) for c in C_GRID]
    best = C_GRID[int(np.argmax(scores))]  # the smallest of equal ones
    for most in MAX_ITERATIONS:
        converged = []
        with _noting(converged):
            model = _make_svm(best, seed, most).fit(features, labels)
        if all(converged):
            break
    return SvmResult(model.predict(test), best, all(converged))


def _num_folds(labels: np.ndarray) -> int:
    return int(min(NUM_FOLDS, max(2, np.bincount(labels)[np.unique(labels)].min())))


def _make_svm(c: float, seed: int, max_iter: int = MAX_ITERATIONS[0]):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    svc = LinearSVC(loss="squared_hinge", C=c, dual="auto", max_iter=max_iter, random_state=seed)
    return make_pipeline(StandardScaler(), svc)


@contextlib.contextmanager
def _noting(converged: list[bool]):
    """Notes whether scikit-learn warned that a solver did not converge."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    converged.append(not any(issubclass(w.category, ConvergenceWarning) for w in caught))
