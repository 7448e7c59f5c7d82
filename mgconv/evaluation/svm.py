"""Classification of features from few labels (paper: experiment 2): the L2-SVM."""

import warnings
from typing import NamedTuple

import numpy as np

C_GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)  # of standardised features
NUM_FOLDS = 2  # of 1,000 labels as sure as 3, in a third of the time; 500 labels chose worse
NUM_CHOOSING = 1000  # labels at most by which C is chosen
TOLERANCE, MAX_ITERATIONS = 1e-2, 1000  # of the primal solver; liblinear's own


class SvmResult(NamedTuple):
    """How one L2-SVM did."""

    predictions: np.ndarray  # int [M], of the test images
    c: float  # chosen inside the labeled subset
    converged: bool


def unseen_error(
    features: np.ndarray, labels: np.ndarray, rows: np.ndarray, seed: int, standardized: bool = True
) -> float:
    """Share of images that an L2-SVM classifies wrong, of those whose labels it has not seen.

    Args:
        features: float [N, D].
        labels: int [N].
        rows: int [L], of the images whose labels it sees, in random order.
        seed: as `svm` takes it.
        standardized: as `svm` takes it.
    """
    others = np.setdiff1d(np.arange(len(labels)), rows)
    result = svm(features[rows], labels[rows], features[others], seed, standardized)
    return float((result.predictions != labels[others]).mean())


def svm(
    features: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int, standardized: bool = True
) -> SvmResult:
    """An L2-SVM on features; its C by cross-validation inside the labeled subset.

    Args:
        features: float [N, D], of the labeled subset, in random order.
        labels: int [N].
        test: float [M, D], may be memory-mapped.
        seed: of folds and solver.
        standardized: each feature is divided by its own spread, else all by their common one.
    """
    c = _choose_c(features[:NUM_CHOOSING], labels[:NUM_CHOOSING], seed, standardized)
    standard = _Standard(features, standardized)
    model = _fitted(c, seed, standard(features), labels)
    parts = [model.predict(standard(test[i : i + 1000])) for i in range(0, len(test), 1000)]
    return SvmResult(np.concatenate(parts), c, bool(model.n_iter_ < MAX_ITERATIONS))


class _Standard:
    """Standardised features, in an orthonormal basis of the known ones' span.

    An SVM there is the one in all dimensions, several times faster where there are fewer images
    than features.
    """

    def __init__(self, known: np.ndarray, standardized: bool):
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(known)
        if not standardized:  # one factor for all: C means about the same
            common = np.sqrt(self._scaler.var_.mean()) or 1.0
            self._scaler.scale_ = np.full_like(self._scaler.scale_, common)
        self._basis = None
        if known.shape[0] < known.shape[1]:
            self._basis = np.linalg.qr(self._scaler.transform(known).T.astype(np.float64))[0]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        standard = self._scaler.transform(features).astype(np.float64)
        return standard if self._basis is None else standard @ self._basis


def _choose_c(features, labels, seed, standardized):
    """The C of most right answers, from the least up until they grow fewer."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    parts = []
    for known, held in folds.split(features, labels):
        standard = _Standard(features[known], standardized)
        pairs = [(standard(features[rows]), labels[rows]) for rows in (known, held)]
        parts.append(pairs)
    scores = []
    for c in C_GRID:
        right = [_fitted(c, seed, *known).score(*held) for known, held in parts]
        scores.append(np.mean(right))
        if scores[-1] < max(scores):
            break
    return C_GRID[int(np.argmax(scores))]  # the smallest of equal ones


def _fitted(c, seed, features, labels):
    """A trained L2-SVM; one that stopped early says so in its `n_iter_`, not on the terminal."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _make_svm(c, seed).fit(features, labels)


def _make_svm(c: float, seed: int):
    from sklearn.svm import LinearSVC

    return LinearSVC(C=c, dual=False, tol=TOLERANCE, max_iter=MAX_ITERATIONS, random_state=seed)
