"""Drawing samples and scoring them (paper: table 1), by measures that a class mean cannot win."""

import shutil
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgconv.errors import UserError
from mgconv.evaluation.metrics import (
    Predictions,
    density_coverage,
    frechet_distance,
    inception_score_splits,
    kernel_distance,
    num_score_parts,
    precision_recall,
    within_class_distance,
)
from mgconv.evaluation.samples import LabeledSamples
from mgconv.io.files import replacing, save_array
from mgconv.io.images import to_float, to_uint8
from mgconv.langevin import derived_seed
from mgconv.models import Synthesizer
from mgconv.training.layouts import index_files

CHUNK = 1024  # images drawn between two that are kept
MOST_PAIRED = 2000  # images whose distances to each other are taken, at most


def draw(system: Synthesizer, labels: np.ndarray, seed: int, path: Path) -> np.ndarray:
    """Images of these classes, uint8 [len(labels), S, S, C], memory-mapped from the .npy `path`.

    They are drawn and kept chunk by chunk: memory is bounded, and an interrupted draw resumes.
    """
    from tqdm.auto import tqdm

    if not path.exists():
        parts = path.with_suffix(".parts")
        starts = range(0, len(labels), CHUNK)
        for index, first in enumerate(tqdm(starts, "drawing", unit=" x 1024", disable=None)):
            part = parts / f"{index:06d}.npy"
            if not part.exists():
                chunk = labels[first : first + CHUNK]
                images = system.synthesize(chunk, derived_seed(seed, index))
                save_array(part, to_uint8(images))
        _join(sorted(parts.glob("[0-9]*.npy")), len(labels), path)
        shutil.rmtree(parts)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _join(parts: list[Path], num: int, path: Path) -> None:
    shape = (num, *np.load(parts[0], allow_pickle=False).shape[1:])
    with replacing(path) as draft:
        whole = np.lib.format.open_memmap(draft, "w+", np.uint8, shape)
        for index, part in enumerate(parts):
            whole[index * CHUNK : (index + 1) * CHUNK] = np.load(part, allow_pickle=False)
        whole.flush()


def weights_key(folder: Path) -> str:
    """A name for the weights in a run's folder."""
    key = 0
    for file in index_files(Path(folder)):
        key = zlib.crc32(file.read_bytes(), key)
    return f"{key:08x}"


class SynthesisScores(NamedTuple):
    """One row of the table."""

    num_samples: int
    score: float  # inception-style, of the scorer
    score_std: float  # over its parts; NaN where there is one
    recognized: float  # share classified as the class meant; NaN where the scorer has other classes
    spread: float  # mean pairwise distance within a class over that of the real test images
    frechet: float  # squared, in the scorer's features, to the real test images
    kernel: float  # squared kernel distance (KID) there
    kernel_error: float
    precision: float
    recall: float
    density: float
    coverage: float
    score_parts: int  # that the score is a mean over


def score_samples(
    samples: LabeledSamples,
    test: LabeledSamples,
    predictions: Predictions,
    predictions_of_test: Predictions,
    reads_classes: bool = False,
) -> SynthesisScores:
    """Scores samples against as many real test images of the same classes.

    Args:
        samples: what is scored.
        test: real images.
        predictions: what the scorer says of the samples.
        predictions_of_test: what it says of the test images.
        reads_classes: the scorer's classes are the labels of the samples.

    Raises:
        UserError: no more images than features, or what the metrics refuse.
    """
    num, width = predictions.features.shape
    if num <= width:
        found, remedy = (
            f"{num} images, {width} features",
            "Score more images, or by another scorer.",
        )
        raise UserError("Too few images for a Frechet distance", found, remedy)
    parts = num_score_parts(num, predictions.probabilities.shape[1])
    score, score_std = inception_score_splits(predictions.probabilities, parts)
    read = predictions.probabilities.argmax(axis=1) == samples.labels
    # the classifier's features have no scale of their own; the distance grows with its 4th power
    scale = _root_mean_square(predictions_of_test.features) if reads_classes else 1.0
    kernel, kernel_error = kernel_distance(
        predictions.features / scale, predictions_of_test.features / scale
    )
    precision, recall = precision_recall(predictions_of_test.features, predictions.features)
    density, coverage = density_coverage(predictions_of_test.features, predictions.features)
    return SynthesisScores(
        len(samples.images),
        score,
        score_std if parts > 1 else float("nan"),
        recognized=float(read.mean()) if reads_classes else float("nan"),
        spread=_spread(samples) / _spread(test),
        frechet=frechet_distance(predictions.features, predictions_of_test.features),
        kernel=kernel,
        kernel_error=kernel_error,
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
        score_parts=parts,
    )


def _root_mean_square(features: np.ndarray) -> np.float32:
    return np.sqrt(np.mean(np.square(features), dtype=np.float64)).astype(np.float32)


def _spread(samples: LabeledSamples) -> float:
    few = slice(None, None, -(-len(samples.labels) // MOST_PAIRED))
    return within_class_distance(to_float(samples.images[few]), samples.labels[few])
