"""Judges of images behind one interface: a table of networks, judging in bounded memory."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from mgconv.config import UserError, choose
from mgconv.datasets import ImageSet
from mgconv.evaluation.inception import (
    INCEPTION_SHA256,
    TORCH_SHA256,
    Inception2015,
    TorchFidelity,
)
from mgconv.evaluation.networks import (
    Classifier,
    Judgement,
    KerasApplication,
    check_images,
    in_batches,
)
from mgconv.images import save_array


class Scorer(Protocol):
    """A network that judges images; its figures are called after it."""

    name: str
    score_name: str  # "Inception score" of the 2015 network alone
    distance_name: str  # "FID" of the 2015 network alone
    identity: str  # changes whenever the network does: part of a cache's key

    def judge(self, images: np.ndarray) -> Judgement:
        """Judges one batch, uint8 [B, S, S, C], C 1 or 3."""


def judge(
    scorer: Scorer, images: np.ndarray, about: str = "scoring", batch_size: int = 50
) -> Judgement:
    """Judges any number of images in batches, with a progress bar.

    Args:
        scorer: the network.
        images: uint8 [N, S, S, C], C 1 or 3, in memory or memory-mapped.
        about: what the progress bar says.
        batch_size: images in memory at once.

    Raises:
        UserError: other images, or a size that the scorer does not take.
    """
    check_images(images)
    return Judgement(*in_batches(scorer.judge, images, about, batch_size))


def judge_real(scorer: Scorer, images: np.ndarray, key: dict, cache_dir: Path) -> Judgement:
    """`judge`, kept in `cache_dir` and found again, memory-mapped.

    Args:
        scorer: the network.
        images: uint8 [N, S, S, C], C 1 or 3.
        key: all that decides `images`, as JSON values: data set, split, size and so on.
        cache_dir: folder of the files, made where it is not there.

    Raises:
        UserError: as `judge`, or the folder cannot be written.
    """
    facts = json.dumps([scorer.identity, key], sort_keys=True, default=str)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:32]
    paths = [Path(cache_dir) / f"{digest}-{field}.npy" for field in Judgement._fields]
    kept = _kept(paths, len(images))
    if kept is None:
        for path, rows in zip(paths, judge(scorer, images)):
            save_array(path, rows)
        kept = _kept(paths, len(images))
    return kept


def _learned_classifier(images: ImageSet | None, folder: Path | None) -> Classifier:
    if images is None or folder is None or len(np.unique(images.labels)) < 2:
        found = "none" if images is None or folder is None else f"{len(images)} of one class"
        remedy = "Choose a labeled --dataset, or another scorer."
        raise UserError("The classifier learns from images of 2 classes or more", found, remedy)
    return Classifier(images, folder)


SCORERS: dict[str, Callable[..., Scorer]] = {
    "inception2015": lambda path, sha256, **_: Inception2015(path, sha256 or INCEPTION_SHA256),
    "torch_fidelity": lambda path, sha256, **_: TorchFidelity(path, sha256 or TORCH_SHA256),
    "keras": lambda path, sha256, **_: KerasApplication(path, sha256),
    "classifier": lambda images, folder, **_: _learned_classifier(images, folder),
}


def make_scorer(
    name: str,
    *,
    path: str | None = None,
    sha256: str | None = None,
    images: ImageSet | None = None,
    folder: Path | None = None,
) -> Scorer:
    """The scorer of a row of SCORERS.

    Args:
        name: of the row.
        path: weights; for all but "classifier".
        sha256: expected of the file at `path`; else, where there is one, the published one.
        images: labeled training images; for "classifier".
        folder: where the classifier's weights are kept.

    Raises:
        UserError: an unknown name, or weights, package or images that are missing or wrong.
    """
    build = SCORERS[choose("scorer", name, SCORERS)]
    return build(path=path, sha256=sha256, images=images, folder=folder)


def _kept(paths: list[Path], num_rows: int) -> Judgement | None:
    """What `judge_real` kept, memory-mapped; None where a file is missing, broken or of others."""
    try:
        kept = Judgement(*(np.load(path, mmap_mode="r", allow_pickle=False) for path in paths))
    except (OSError, ValueError, EOFError):
        return None
    return kept if all(len(rows) == num_rows for rows in kept) else None
