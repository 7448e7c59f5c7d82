"""Scores of samples as rows of a table."""

import hashlib
from pathlib import Path

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.samples import LabeledSamples
from mgconv.evaluation.scorers import Scorer, predict, predict_real
from mgconv.evaluation.synthesis import score_samples

REFERENCE = "Real images (test)"


def score_all(
    systems: dict[str, LabeledSamples], scorer: Scorer, reads_classes: bool, cache: Path
) -> list[dict]:
    """A row of numbers a system, against the first one of them, the reference."""
    predictions = {
        name: predict_once(scorer, drawn.images, name, cache) for name, drawn in systems.items()
    }
    rows = []
    for name, drawn in systems.items():
        scores = score_samples(
            drawn, systems[REFERENCE], predictions[name], predictions[REFERENCE], reads_classes
        )
        facts = {"system": name, "classes": len(np.unique(drawn.labels))}
        rows.append(facts | scores._asdict())
    return rows


def predict_once(scorer: Scorer, images: np.ndarray, about: str, cache: Path) -> Predictions:
    """Real images are predictions once, found again by their content."""
    print(f"{scorer.name}: {len(images)} images, {about}", flush=True)
    if not about.startswith("Real"):
        return predict(scorer, images, about)
    digest = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
    return predict_real(scorer, images, {"images": digest}, cache)


def about_scorer(scorer: Scorer, reads_classes: bool, test: ImageSet) -> str:
    """What a table by this scorer shows, and how often the scorer itself is right."""
    words = (
        f"Scorer: {scorer.name}. The score is the mean over 10 parts of the samples ± their "
        "standard deviation; of fewer images it is lower. Distances are squared, in the scorer's "
        "features, to the test images; the kernel distance ± its standard error over disjoint "
        "subsets. "
    )
    if not reads_classes:
        return words + "Real training images show what the distances are by chance alone."
    read = predict(scorer, test.pixels, "test images").probabilities.argmax(axis=1)
    accuracy = (read == test.labels).mean()
    return words + (
        f"It learned from the training images, and reads {accuracy:.1%} of the {len(read)} test "
        "images right."
    )


def header(scorer: Scorer, reads_classes: bool) -> list[str]:
    """Names of the columns."""
    recognized = ["read as its class"] if reads_classes else []
    return [
        "", "classes", "images", scorer.score_name, *recognized,
        "distance in class / real", scorer.distance_name, "kernel distance x 1000", "precision",
        "recall",
    ]  # fmt: skip


def cells(row: dict) -> list[str]:
    """A row of `score_all` under `header`."""
    name = row["system"]
    recognized = [] if np.isnan(row["recognized"]) else [f"{row['recognized']:.1%}"]
    distances = [
        f"{row['frechet']:.1f}", f"{1000 * row['kernel']:.2f} ± {1000 * row['kernel_error']:.2f}",
        f"{row['precision']:.2f}", f"{row['recall']:.2f}",
    ]  # fmt: skip
    return [
        name, str(row["classes"]), str(row["num_samples"]),
        f"{row['score']:.2f} ± {row['score_std']:.2f}", *recognized,
        f"{row['spread']:.2f}", *(["reference", *"---"] if name == REFERENCE else distances),
    ]  # fmt: skip
