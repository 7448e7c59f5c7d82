"""Scores of samples as rows of a table."""

import hashlib
from pathlib import Path

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.samples import LabeledSamples
from mgconv.evaluation.scorers.table import Scorer, predict, predict_real
from mgconv.evaluation.synthesis import score_samples
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.tables import Table

REFERENCE = "Real images (test)"

HELD_OUT = "Real images (held out)"  # the reference where a run has its own


def score_all(
    systems: dict[str, LabeledSamples], scorer: Scorer, reads_classes: bool, cache: Path
) -> list[dict]:
    """A row of numbers a system, against the first one of them, the reference."""
    predictions = {
        name: predict_once(scorer, drawn.images, name, cache) for name, drawn in systems.items()
    }
    rows, reference = [], next(iter(systems))
    for name, drawn in systems.items():
        scores = score_samples(
            drawn, systems[reference], predictions[name], predictions[reference], reads_classes
        )
        facts = {"system": name, "classes": len(np.unique(drawn.labels))}
        rows.append(facts | scores._asdict())
    return rows


def predict_once(scorer: Scorer, images: np.ndarray, about: str, cache: Path) -> Predictions:
    """Predictions of these images; those of real images are kept, found again by their content."""
    print(f"{scorer.name}: {len(images)} images, {about}", flush=True)
    if not about.startswith("Real"):
        return predict(scorer, images, about)
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    return predict_real(scorer, images, {"images": digest}, cache)


def about_scorer(scorer: Scorer, reads_classes: bool, test: ImageSet) -> str:
    """What a table by this scorer shows, and how often the scorer itself is right."""
    words = (
        f"Scorer: {scorer.name}. The score is the mean over up to 10 parts of the samples ± their "
        "standard deviation. A part has 50 images for each class of the scorer, or 5,000; fewer "
        "samples are one part, and no deviation stands. Distances are squared, in the scorer's "
        "features, to the test images; the kernel distance ± its standard error over disjoint "
        "subsets. "
    )
    if not reads_classes:
        return words + "Real training images show what the distances are by chance alone."
    read = predict(scorer, test.pixels, "test images").probabilities.argmax(axis=1)
    accuracy = (read == test.labels).mean()
    return words + (
        f"It is trained on the training images, and classifies {accuracy:.1%} of the {len(read)} "
        "test images correctly: real training images are no measure of chance here, it knows them."
    )


def score_columns(scorer: Scorer, reads_classes: bool) -> list[Column]:
    """Columns of what `score_records` has of a row."""
    recognized = Column("classified as its class", ("{recognized:.1%}",))
    return [
        Column("classes", ("{:.0f}",), "note"),
        Column("images", ("{:.0f}",), "note"),
        Column(scorer.score_name, ("{score:.2f}",)),
        *([recognized] if reads_classes else []),
        Column("distance in class / real", ("{spread:.2f}",)),
        Column(scorer.distance_name, ("{frechet:.1f}",)),
        Column(_kernel_title(reads_classes), ("{kernel:.2f}",)),
        Column("precision", ("{:.2f}",)),
        Column("recall", ("{:.2f}",)),
        Column("density", ("{:.2f}",)),
        Column("coverage", ("{:.2f}",)),
    ]


def _kernel_title(reads_classes: bool) -> str:
    scaled = ", features over their rms" if reads_classes else ""
    return f"kernel distance x 1000{scaled}"


def score_records(row: dict, seed: int | None) -> list[Record]:
    """A row of `score_all`; the reference has no distance to itself."""
    distances = {
        "frechet": (row["frechet"], None),
        "kernel": (1000 * row["kernel"], 1000 * row["kernel_error"]),
        "precision": (row["precision"], None),
        "recall": (row["recall"], None),
        "density": (row["density"], None),
        "coverage": (row["coverage"], None),
    }
    name = row["system"]
    values = {
        "classes": (row["classes"], None),
        "images": (row["num_samples"], None),
        "score": (row["score"], row["score_std"] if row["score_parts"] > 1 else None),
        "recognized": (row["recognized"], None),
        "spread": (row["spread"], None),
        **({"frechet": ("reference", None)} if name in (REFERENCE, HELD_OUT) else distances),
    }
    return [Record(name, quantity, *pair, seed) for quantity, pair in values.items()]


def error_table(rows: list[dict], seed: int) -> Table:
    """How often a classifier is wrong: % ± the standard error that so few images leave."""
    records = []
    for row in rows:
        error, num = row["error"], row["num_images"]
        spread = 100 * (error * (1 - error) / num) ** 0.5
        records.append(Record(row["images"], "images", num, seed=seed))
        records.append(Record(row["images"], "error in %", 100 * error, spread, seed))
    columns = Column("images", ("{:.0f}",)), Column("error in %", ("{:.1f}",))
    return Table(columns, tuple(records), "images")


def score_table(rows: list[dict], scorer: Scorer, reads_classes: bool, seed: int) -> Table:
    """Rows of `score_all` as a table."""
    records = [record for row in rows for record in score_records(row, seed)]
    return Table(tuple(score_columns(scorer, reads_classes)), tuple(records))
