"""Table 1: samples of every method judged by each scorer, with controls, beside the page."""

import hashlib
import zlib
from pathlib import Path

import numpy as np

from experiments import page
from experiments.panels import NAMES
from experiments.runner import cost, parameters
from mgconv.datasets import cache_root
from mgconv.evaluation.samples import LabeledSamples, class_mean_control
from mgconv.evaluation.scorers import Judgement, Scorer, judge_real, make_scorer
from mgconv.evaluation.synthesis import draw, score_samples, weights_key

REFERENCE = "Real images (test)"
MORE = ["models x updates / seconds", "parameters", "page: Inception score, CIFAR-10"]


def draw_labeled(folder: Path, labels: np.ndarray, seed: int) -> LabeledSamples:
    """Samples of a run, one for each of the labels that it has learned; kept in its folder."""
    import mgconv

    system = mgconv.load(folder)
    labels = labels[np.isin(labels, getattr(system, "labels", labels))]
    key = f"{weights_key(folder)}-{seed}-{zlib.crc32(labels.tobytes()):08x}"
    return LabeledSamples(draw(system, labels, seed, folder / "drawn" / f"{key}.npy"), labels)


def add_tables(report, samples, facts, training, test, folder, seed, scorers) -> dict:
    """A table a scorer: over all classes, then over those that all methods learned.

    Args:
        report: gets the tables.
        samples: method -> LabeledSamples.
        facts: method -> what it cost.
        training: labeled training images, an ImageSet; the classifier learns from them.
        test: real test images, an ImageSet.
        folder: of the panel.
        seed: of controls.
        scorers: name -> Scorer, or None for the classifier, which is learned here.

    Returns:
        What results.json keeps: by scorer, rows as numbers and as a table.
    """
    costs = {NAMES[method]: (cost(rows), parameters(rows)) for method, rows in facts.items()}
    named = {NAMES[method]: drawn for method, drawn in samples.items()}
    class_sets = sorted({tuple(np.unique(s.labels)) for s in named.values()}, key=len, reverse=True)
    sets = [_systems(named, list(labels), training, test, seed) for labels in class_sets]
    kept = {}
    for name, given in scorers.items():
        scorer = given or make_scorer(name, images=training, folder=folder)
        reads_classes = name == "classifier"
        report.text(_about(scorer, reads_classes, test))
        rows = [row for systems in sets for row in score_all(systems, scorer, reads_classes)]
        table = {
            "header": header(scorer, reads_classes) + MORE,
            "rows": [[*cells(row), *costs.get(row["system"], "--"), _page(row)] for row in rows],
        }
        report.table(**table)
        kept[scorer.name] = {"identity": scorer.identity, "scores": rows, "table": table}
    return {"scorers": kept}


def _systems(named, labels, training, test, seed) -> dict[str, LabeledSamples]:
    """What a table compares over some classes: the same number of images of each."""
    drawn = {n: s.of(labels) for n, s in named.items() if set(labels) <= set(np.unique(s.labels))}
    wanted = next(iter(drawn.values())).labels
    again = LabeledSamples(training.pixels, training.labels).of(labels)
    return {
        REFERENCE: LabeledSamples(test.pixels, test.labels).of(labels).like(wanted, seed),
        "Real images (training)": again.like(wanted, seed),
        "class mean + noise": class_mean_control(again, wanted, seed),
    } | drawn


def score_all(
    systems: dict[str, LabeledSamples], scorer: Scorer, reads_classes: bool
) -> list[dict]:
    """A row of numbers a system, against the first one of them, the reference."""
    judged = {name: _judge(scorer, drawn.images, name) for name, drawn in systems.items()}
    rows = []
    for name, drawn in systems.items():
        scores = score_samples(
            drawn, systems[REFERENCE], judged[name], judged[REFERENCE], reads_classes
        )
        facts = {"system": name, "classes": len(np.unique(drawn.labels))}
        rows.append(facts | scores._asdict())
    return rows


def _judge(scorer: Scorer, images: np.ndarray, about: str) -> Judgement:
    """Judged once, found again by the content of the images."""
    print(f"{scorer.name}: {len(images)} images, {about}", flush=True)
    digest = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
    return judge_real(scorer, images, {"images": digest}, cache_root(None) / "judged")


def _about(scorer, reads_classes, test) -> str:
    words = f"Judge: {scorer.name}. Distances are squared, in its features, to the test images; "
    words += "real training images show what they are by chance alone."
    if reads_classes:
        accuracy = (scorer.probabilities(test.pixels).argmax(axis=1) == test.labels).mean()
        words += f" It reads {accuracy:.1%} of the {len(test.labels)} test images right."
    return words


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
        f"{row['frechet']:.1f}", f"{1000 * row['kernel']:.2f}",
        f"{row['precision']:.2f}", f"{row['recall']:.2f}",
    ]  # fmt: skip
    return [
        name, str(row["classes"]), str(row["num_samples"]), f"{row['score']:.2f}", *recognized,
        f"{row['spread']:.2f}", *(["reference", *"---"] if name == REFERENCE else distances),
    ]  # fmt: skip


def _page(row: dict) -> str:
    name = row["system"]
    return page.TABLE_1.get("Real images" if name.startswith("Real") else name, "-")
