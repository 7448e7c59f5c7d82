"""Arithmetic of the scores of synthesized images (paper: table 1). NumPy only."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mgconv.errors import UserError

_BLOCK = 2**24  # distances held at once: 64 MB of float32
_FEWEST_OF_CLASS = 50  # images of a part of an inception score
_MOST_OF_PART = 5000  # the same, as published
_FEWEST_SUBSETS = 10  # of a kernel distance: a standard error of fewer is itself a guess


class Predictions(NamedTuple):
    """What a network says of N images."""

    features: np.ndarray  # float32 [N, D]
    probabilities: np.ndarray  # float32 [N, K], each row a distribution


def inception_score(probabilities: np.ndarray) -> float:
    """Exponential of the mean KL(p(y|x) || p(y)), between 1 and K (Salimans et al. 2016).

    Args:
        probabilities: [N, K], a classifier's, each row a distribution. The name is right only for
            the Inception network; with another classifier it is an inception-*style* score.

    Raises:
        UserError: no row, a value that is not finite, or a row that is no distribution.
    """
    (p,) = _checked("inception score", 1, probabilities)
    p = p.astype(np.float64)
    wrong = (p.min(axis=1) < 0) | (np.abs(p.sum(axis=1) - 1) > 1e-2)  # a float16 softmax passes
    if wrong.any():
        found = f"{wrong.sum()} of {len(p)} rows are no distribution"
        raise UserError("The inception score needs probabilities", found, "Apply the softmax.")
    marginal = p.mean(axis=0)
    ratio = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(marginal, 1e-300))
    return float(np.exp((p * ratio).sum(axis=1).mean()))


def inception_score_splits(
    probabilities: np.ndarray, num_splits: int = 10, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of `inception_score` over equal parts (Salimans et al. 2016).

    The rows are shuffled first: samples are often sorted by class, and a part of a single class
    would score 1. The published figures are such means: a score grows with the images of a part,
    of which `num_score_parts` says how many there may be.

    Args:
        probabilities: [N, K], each row a distribution.
        num_splits: parts, from 1 to N.
        seed: of the shuffle.

    Returns:
        The mean, and the deviation of one part (not the standard error of the mean).

    Raises:
        UserError: fewer rows than parts, and as `inception_score`.
    """
    if num_splits < 1:
        raise UserError("The inception score needs parts", num_splits, "Ask for 1 or more.")
    (p,) = _checked(f"inception score of {num_splits} parts", num_splits, probabilities)
    order = np.random.default_rng(seed).permutation(len(p))
    scores = [inception_score(p[rows]) for rows in np.array_split(order, num_splits)]
    return float(np.mean(scores)), float(np.std(scores))


def num_score_parts(num_images: int, num_classes: int) -> int:
    """How many parts of these images `inception_score_splits` may take, from 1 to 10.

    A score of n images is low by about (K - 1) / 2n of itself, up to a half for 10 parts of 140
    images. So a part has 50 images for each of the scorer's K classes, for an error below 1 %; or
    5,000, as the parts of the published scores have.
    """
    return max(1, min(10, num_images // min(_MOST_OF_PART, _FEWEST_OF_CLASS * num_classes)))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of Gaussians fitted to features [N, D], [M, D] (Heusel et al. 2017).

    ||mean_a - mean_b||^2 + tr(A + B - 2 (A B)^1/2) for covariances A = R'R, B = S'S: then the trace
    of the root is the sum of the singular values of R S'. A square root of the product itself may
    turn out complex, and with fewer images than features it is inaccurate too.

    Raises:
        UserError: a set of fewer than 2, other widths, or a value that is not finite.
    """
    (mean_a, root_a), (mean_b, root_b) = map(_moments, _checked("Frechet distance", 2, a, b))
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    difference = mean_a - mean_b
    distance = difference @ difference + (root_a**2).sum() + (root_b**2).sum() - 2 * cross
    return max(0.0, float(distance))  # rounding


def kernel_distance(
    a: np.ndarray, b: np.ndarray, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Squared MMD of features under the kernel (x.y / D + 1)^3 (KID, Binkowski et al. 2018).

    Mean of the unbiased estimate over subsets, which can be below 0. Subsets that are drawn anew
    each time, as is usual, share images: their deviation / sqrt(num_subsets) falls with their
    number, whatever the data, and is no error of the mean. Departure: here the subsets are
    disjoint in both sets, so independent, and their standard error is one.

    Args:
        a: features [N, D].
        b: features [M, D].
        num_subsets: subsets at most; as many as the smaller set allows.
        subset_size: images of a subset at most; fewer where that leaves less than 10 subsets.
        seed: of the choice of subsets.

    Returns:
        The distance, and its standard error; NaN where there is one subset only (2 or 3 images).

    Raises:
        UserError: a set of fewer than 2, other widths, or a value that is not finite.
    """
    if num_subsets < 1 or subset_size < 2:
        found = f"{num_subsets} subsets of {subset_size}"
        raise UserError("The kernel distance needs subsets", found, "Ask for 1 or more of 2 up.")
    a, b = _checked("kernel distance", 2, a, b)
    fewest = min(len(a), len(b))
    size = max(2, min(subset_size, fewest // min(num_subsets, _FEWEST_SUBSETS)))
    count = min(num_subsets, fewest // size)
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(len(x))[: count * size].reshape(count, size) for x in (a, b)]
    values = [_squared_mmd(a[rows], b[others]) for rows, others in zip(*parts)]
    error = np.std(values, ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return float(np.mean(values)), float(error)


def precision_recall(real: np.ndarray, synthesized: np.ndarray, k: int = 3) -> tuple[float, float]:
    """How much of the synthesized is near the real, and the reverse (Kynkaanniemi et al. 2019).

    A point is near a set when it lies in the ball of one of its points, whose radius is the
    distance to that point's k-th nearest neighbor in the set. Distances are computed in blocks:
    memory grows with N + M. Compare sets of equal sizes only: balls shrink as a set grows.

    Args:
        real: features [N, D].
        synthesized: features [M, D].
        k: neighbor that a ball reaches, from 1 to the smaller of N, M less 1.

    Returns:
        Precision (share of the synthesized near the real) and recall (of the real near the
        synthesized).

    Raises:
        UserError: k or fewer points, other widths, or a value that is not finite.
    """
    if k < 1:
        raise UserError("Precision and recall need a neighbor", k, "Give k of 1 or more.")
    real, synthesized = _centered(f"precision at k = {k}", k + 1, real, synthesized)
    real_radii, synthesized_radii = _squared_radii(real, k), _squared_radii(synthesized, k)
    precise, recalled = np.zeros(len(synthesized), bool), np.zeros(len(real), bool)
    for rows, squares in _squared_distances(real, synthesized):
        precise |= (squares <= real_radii[rows, None]).any(axis=0)
        recalled[rows] = (squares <= synthesized_radii).any(axis=1)
    return float(precise.mean()), float(recalled.mean())


def density_coverage(real: np.ndarray, synthesized: np.ndarray, k: int = 5) -> tuple[float, float]:
    """What samples that sit in the middle of the real ones cannot win (Naeem et al. 2020).

    Precision counts a sample that lies in one ball of the real set, however large, so it is above
    the real images' own where samples are concentrated. Density counts the balls that a sample lies
    in, over the number k that a real one lies in on average; coverage the real images whose ball
    holds a sample.

    Args:
        real: features [N, D].
        synthesized: features [M, D].
        k: neighbor that a ball reaches, from 1 to N less 1.

    Returns:
        Density (about 1 for real images, above 1 for concentrated ones) and coverage, in [0, 1].

    Raises:
        UserError: k or fewer points, other widths, or a value that is not finite.
    """
    if k < 1:
        raise UserError("Density and coverage need a neighbor", k, "Give k of 1 or more.")
    real, synthesized = _centered(f"density at k = {k}", k + 1, real, synthesized)
    radii, num_inside, covered = _squared_radii(real, k), 0, np.zeros(len(real), bool)
    for rows, squares in _squared_distances(real, synthesized):
        inside = squares <= radii[rows, None]
        num_inside += int(inside.sum())
        covered[rows] = inside.any(axis=1)
    return num_inside / (k * len(synthesized)), float(covered.mean())


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance of two different images of a set [N, ...], N >= 2."""
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    squares = (flat**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0))
    np.fill_diagonal(distances, 0)  # rounding
    return float(distances.sum() / (len(flat) * (len(flat) - 1)))


def within_class_distance(images: np.ndarray, labels: np.ndarray) -> float:
    """`mean_pairwise_distance` inside each class of two or more, averaged over these classes."""
    classes, counts = np.unique(labels, return_counts=True)
    several = classes[counts > 1]
    return float(np.mean([mean_pairwise_distance(images[labels == c]) for c in several]))


def _checked(what: str, at_least: int, *sets: np.ndarray) -> list[np.ndarray]:
    """Features as arrays [N, D], of one width, finite, `at_least` rows each; or a UserError."""
    arrays = [np.asarray(x) for x in sets]
    for x in arrays:
        if x.ndim != 2:
            raise UserError(f"The {what} needs rows [N, D]", list(x.shape), "Flatten each image.")
        if len(x) < at_least:
            raise UserError(f"The {what} needs {at_least} images", len(x), "Give more images.")
        wrong = np.count_nonzero(~np.isfinite(x).all(axis=1))
        if wrong:
            found = f"{wrong} of {len(x)} rows have NaN or infinity"
            raise UserError(f"The {what} needs finite values", found, "Check scorer and images.")
    widths = [x.shape[1] for x in arrays]
    if len(set(widths)) > 1:
        found = " and ".join(map(str, widths))
        raise UserError(f"The {what} needs features of one width", found, "Use one scorer.")
    return arrays


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] in float64, and R [min(N, D), D] with R'R the unbiased covariance.

    R grows by QR over blocks of rows: no float64 copy of them all.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    root: np.ndarray = np.empty([0, x.shape[1]])
    for start in range(0, len(x), 4096):
        rows = np.concatenate([root, x[start : start + 4096] - mean])
        root = np.asarray(np.linalg.qr(rows, mode="r"))
    return mean, root / np.sqrt(len(x) - 1)


def _squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased estimate for features [m, D], [m, D]: no point is compared with itself."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    num, width = a.shape
    within = 0.0
    for x in (a, b):
        kernel = (x @ x.T / width + 1) ** 3
        within += (kernel.sum() - np.trace(kernel)) / (num * (num - 1))
    return within - 2 * ((a @ b.T / width + 1) ** 3).mean()


def _centered(
    what: str, fewest: int, real: np.ndarray, synthesized: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both sets around the middle of the real one: squares far from 0 would drown differences."""
    real, synthesized = _checked(what, fewest, real, synthesized)
    middle = real.mean(axis=0, dtype=np.float64)
    return (real - middle).astype(np.float32), (synthesized - middle).astype(np.float32)


def _squared_radii(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distance [N] of each row to its k-th nearest other row."""
    radii = np.empty(len(x), np.float32)
    for rows, squares in _squared_distances(x, x):
        radii[rows] = np.partition(squares, k, axis=1)[:, k]  # the row itself is number 0
    return radii


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Pairs of some rows of `a` and their squared distances [rows, M] to all rows of `b`."""
    num_rows = max(1, _BLOCK // len(b))
    squares_b = (b**2).sum(axis=1)
    for start in range(0, len(a), num_rows):
        rows = slice(start, start + num_rows)
        sums = (a[rows] ** 2).sum(axis=1)[:, None] + squares_b
        squares = sums - 2 * (a[rows] @ b.T)
        squares[squares < 1e-6 * sums] = 0  # rounding: equal images are at distance 0
        yield rows, squares
