"""Classification from few labels (paper: experiment 2): subsets of labels, the L2-SVM."""

from typing import NamedTuple

import numpy as np

from mgconv.errors import UserError

C_GRID = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)  # of standardised features
NUM_FOLDS = 2  # of 1,000 labels as sure as 3, in a third of the time; 500 labels chose worse
NUM_CHOOSING = 1000  # labels at most by which C is chosen
TOLERANCE, MAX_ITERATIONS = 1e-2, 1000  # of the primal solver; liblinear's own


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
        UserError: fewer than two a class, more than there are, a class missing.
    """
    counts = np.bincount(labels, minlength=num_classes)
    least = NUM_FOLDS * num_classes  # a label of every class in each fold
    if not least <= num <= len(labels):
        remedy = f"Give between {least} and {len(labels)}."
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
    while wanted.sum() > num:  # many rare classes
        wanted[wanted.argmax()] -= 1
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
        features: float [N, D], of the labeled subset, in random order.
        labels: int [N].
        test: float [M, D], may be memory-mapped.
        seed: of folds and solver.
    """
    c = _choose_c(features[:NUM_CHOOSING], labels[:NUM_CHOOSING], seed)
    standard = _Standard(features)
    model = _make_svm(c, seed).fit(standard(features), labels)
    parts = [model.predict(standard(test[i : i + 1000])) for i in range(0, len(test), 1000)]
    return SvmResult(np.concatenate(parts), c, bool(model.n_iter_ < MAX_ITERATIONS))


class _Standard:
    """Standardised features, in an orthonormal basis of the known ones' span.

    An SVM there is the one in all dimensions, several times faster where there are fewer images
    than features.
    """

    def __init__(self, known: np.ndarray):
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(known)
        self._basis = None
        if known.shape[0] < known.shape[1]:
            self._basis = np.linalg.qr(self._scaler.transform(known).T.astype(np.float64))[0]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        standard = self._scaler.transform(features).astype(np.float64)
        return standard if self._basis is None else standard @ self._basis


def _choose_c(features, labels, seed):
    """The C of most right answers, from the least up until they grow fewer."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    parts = []
    for known, held in folds.split(features, labels):
        standard = _Standard(features[known])
        pairs = [(standard(features[rows]), labels[rows]) for rows in (known, held)]
        parts.append(pairs)
    scores = []
    for c in C_GRID:
        right = [_make_svm(c, seed).fit(*known).score(*held) for known, held in parts]
        scores.append(np.mean(right))
        if scores[-1] < max(scores):
            break
    return C_GRID[int(np.argmax(scores))]  # the smallest of equal ones


def _make_svm(c: float, seed: int):
    from sklearn.svm import LinearSVC

    return LinearSVC(C=c, dual=False, tol=TOLERANCE, max_iter=MAX_ITERATIONS, random_state=seed)
