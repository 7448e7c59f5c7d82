"""Arithmetic of the scores of synthesized images (paper: table 1). NumPy only."""

import numpy as np


def inception_score(probabilities: np.ndarray) -> float:
    """Exponential of the mean KL(p(y|x) || p(y)), between 1 and K (Salimans et al. 2016).

    Args:
        probabilities: [N, K], a classifier's, each row a distribution. The name is right only for
            the Inception network; with another classifier it is an inception-*style* score.
    """
    p = np.asarray(probabilities, np.float64)
    marginal = p.mean(axis=0)
    ratio = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(marginal, 1e-300))
    return float(np.exp((p * ratio).sum(axis=1).mean()))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of Gaussians fitted to features [N, D], [M, D] (Heusel et al. 2017).

    ||mean_a - mean_b||^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2) by symmetric eigen-decompositions: the
    product A B is not symmetric, and a general square root of it may turn out complex.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    difference = a.mean(axis=0) - b.mean(axis=0)
    distance = difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return max(0.0, float(distance))  # rounding


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance of two different images of a set [N, ...], N >= 2."""
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    squares = (flat**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0))
    np.fill_diagonal(distances, 0)  # rounding
    return float(distances.sum() / (len(flat) * (len(flat) - 1)))


def within_class_distance(images: np.ndarray, labels: np.ndarray) -> float:
    """`mean_pairwise_distance` inside each class, averaged over the classes."""
    classes = np.unique(labels)
    return float(np.mean([mean_pairwise_distance(images[labels == c]) for c in classes]))
