"""Scorers of images behind one interface: a table of networks, run in bounded memory."""

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mgconv.datasets.batches import in_batches
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError, choose
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.scorers.weights import INCEPTION, MOBILENET, TORCH, Weights
from mgconv.io.fetching import fetch
from mgconv.io.files import draft_of, save_array
from mgconv.io.images import check_images


class Scorer(Protocol):
    """A network that scores images; its figures are called after it."""

    name: str
    score_name: str  # "Inception score" of the 2015 network alone
    distance_name: str  # "FID" of the 2015 network alone
    identity: str  # changes whenever the network does: part of a cache's key

    def predict(self, images: np.ndarray) -> Predictions:
        """Scores one batch, uint8 [B, S, S, C], C 1 or 3."""


def predict(
    scorer: Scorer, images: np.ndarray, about: str = "scoring", batch_size: int = 50
) -> Predictions:
    """Scores any number of images in batches, with a progress bar.

    Args:
        scorer: the network.
        images: uint8 [N, S, S, C], C 1 or 3, in memory or memory-mapped.
        about: what the progress bar says.
        batch_size: images in memory at once.

    Raises:
        UserError: other images, or a size that the scorer does not take.
    """
    check_images(images)
    return Predictions(*in_batches(scorer.predict, images, about, batch_size))


def predict_real(scorer: Scorer, images: np.ndarray, key: dict, cache_dir: Path) -> Predictions:
    """`predict`, kept in `cache_dir` and found again, memory-mapped.

    Args:
        scorer: the network.
        images: uint8 [N, S, S, C], C 1 or 3.
        key: all that decides `images`, as JSON values: data set, split, size and so on.
        cache_dir: folder of the files, made where it is not there.

    Raises:
        UserError: as `predict`, or the folder cannot be written.
    """
    facts = json.dumps([scorer.identity, key], sort_keys=True, default=str)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:32]
    paths = [Path(cache_dir) / f"{digest}-{field}.npy" for field in Predictions._fields]
    kept = _kept(paths, len(images))
    if kept is not None:
        return kept
    predictions = predict(scorer, images)
    for path, rows in zip(paths, predictions):
        save_array(path, rows)
    return _kept(paths, len(images)) or predictions


@dataclass(frozen=True)
class ScorerRow:
    """One row of SCORERS: what it is, and how it is made of `make_scorer`'s arguments."""

    about: str
    make: Callable[..., Scorer]
    weights: Weights | None = None  # that --scorer_download fetches
    package: str | None = None  # that it needs besides


def _classifier(images: ImageSet | None, folder: Path | None, **_) -> Scorer:
    from mgconv.evaluation.scorers.classifier import Classifier

    if images is None or folder is None or len(np.unique(images.labels)) < 2:
        found = "none" if images is None or folder is None else f"{len(images)} of one class"
        remedy = "Choose a labeled --dataset, or another scorer."
        raise UserError("The classifier is trained on images of 2 classes or more", found, remedy)
    return Classifier(images, folder)


def _keras(path, sha256, **_) -> Scorer:
    from mgconv.evaluation.scorers.keras_application import KerasApplication

    return KerasApplication(path, sha256)


def _inception2015(path, sha256, **_) -> Scorer:
    from mgconv.evaluation.scorers.inception import Inception2015

    return Inception2015(path, sha256 or INCEPTION.sha256)


def _torch_fidelity(path, sha256, **_) -> Scorer:
    from mgconv.evaluation.scorers.inception import TorchFidelity

    return TorchFidelity(path, sha256 or TORCH.sha256)


SCORERS = {  # TensorFlow is imported when one is made
    "classifier": ScorerRow("a small CNN trained on the data set's labels", _classifier),
    "keras": ScorerRow("MobileNet with ImageNet weights", _keras, MOBILENET),
    "inception2015": ScorerRow(
        "the Inception network of the Inception score", _inception2015, INCEPTION
    ),
    "torch_fidelity": ScorerRow(
        "torch-fidelity's copy of that network", _torch_fidelity, TORCH, "torch_fidelity"
    ),
}


def make_scorer(
    name: str,
    *,
    path: str | None = None,
    sha256: str | None = None,
    download: Path | None = None,
    images: ImageSet | None = None,
    folder: Path | None = None,
) -> Scorer:
    """The scorer of a row of SCORERS.

    Args:
        name: of the row.
        path: weights; for all but "classifier".
        sha256: expected of the weights; else, where there is one, the published one.
        download: folder where the published weights are kept, and fetched to where they are not
            there; None downloads nothing.
        images: labeled training images; for "classifier".
        folder: where the classifier's weights are kept.

    Raises:
        UserError: an unknown name, or weights, package or images that are missing or wrong; what
            is fetched and wrong is not kept.
    """
    row = SCORERS[choose("scorer", name, SCORERS)]
    if row.package:
        _check_package(name, row.package)
    if download and row.weights:
        return _downloaded(row, row.weights, download / name, sha256)
    return row.make(path=path, sha256=sha256, images=images, folder=folder)


def _check_package(name: str, package: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        remedy = f"Run: pip install {package.replace('_', '-')}"
        raise UserError(f"The scorer {name} lacks a package", error, remedy) from None


def _downloaded(row: ScorerRow, weights: Weights, folder: Path, sha256: str | None) -> Scorer:
    """The scorer of the published weights, which it checks before they are kept."""
    file, expected = weights.url.rpartition("/")[2], sha256 or weights.sha256
    if (folder / file).exists():
        return row.make(path=folder / file, sha256=expected)
    print(f"Fetching {weights.url}", flush=True)
    with draft_of(folder, file) as draft:
        (draft / file).write_bytes(fetch(weights.url))
        return row.make(path=draft / file, sha256=expected)


def _kept(paths: list[Path], num_rows: int) -> Predictions | None:
    """What `predict_real` kept, memory-mapped; None where a file is missing or broken."""
    try:
        kept = Predictions(*(np.load(path, mmap_mode="r", allow_pickle=False) for path in paths))
    except (OSError, ValueError, EOFError):
        return None
    return kept if all(len(rows) == num_rows for rows in kept) else None
