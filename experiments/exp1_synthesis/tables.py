"""Table 1: samples of every method by each scorer, with controls, beside the project page."""

import dataclasses
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments import paper
from mgconv.datasets.cache import cache_root
from mgconv.datasets.table import labels_of
from mgconv.evaluation.samples import LabeledSamples, class_mean_control
from mgconv.evaluation.scorers.table import make_scorer
from mgconv.evaluation.synthesis import draw, weights_key
from mgconv.recipes import TITLES
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.scores import REFERENCE, about_scorer, score_all, score_columns, score_records
from mgconv.reporting.tables import COST, Table, cost_records
from mgconv.training.compare import Entry, has_failed

MORE = (
    dataclasses.replace(COST, heading="models x updates / seconds"),
    Column("chosen in trials", ("{trials}",), "note"),
    Column("parameters a model", ("{:,.0f}",), "note"),
    Column("project page: Inception score, CIFAR-10", ("{reported:.3f}",), "paper"),
)


class Made(NamedTuple):
    """What was made of every method.

    Attributes:
        samples: method -> LabeledSamples.
        facts: what it cost, or that it failed.
        trials: by which settings, and of how many it was the best; of some methods.
    """

    samples: dict[str, LabeledSamples]
    facts: dict[str, dict]
    trials: dict[str, str]


def draw_all(learned: dict[str, Entry], like, most: int, seed: int) -> dict[str, LabeledSamples]:
    """Samples of every method, kept in the folder of its run.

    Args:
        learned: method -> what was trained.
        like: an ImageSet; up to `most` labels, spread evenly over those that any method knows.
        most: images of a method.
        seed: of the draws.
    """
    asked = _labels_asked(learned, like, most)
    return {method: _draw(entry.folder, asked[method], seed) for method, entry in learned.items()}


def _labels_asked(learned: dict[str, Entry], like, most: int) -> dict[str, np.ndarray]:
    known = {method: _learned_labels(entry, like) for method, entry in learned.items()}
    rows = np.flatnonzero(np.isin(like.labels, np.unique(np.concatenate(list(known.values())))))
    labels = like.labels[rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]]
    return {method: labels[np.isin(labels, classes)] for method, classes in known.items()}


def _learned_labels(entry: Entry, images) -> list[int]:
    if entry.config.classes != "each":
        return list(np.unique(images.labels))
    return labels_of(entry.classes or images.class_names, images.class_names)


def _draw(folder: Path, labels: np.ndarray, seed: int) -> LabeledSamples:
    import mgconv

    key = f"{weights_key(folder)}-{seed}-{zlib.crc32(labels.tobytes()):08x}"
    path = folder / "drawn" / f"{key}.npy"
    return LabeledSamples(draw(mgconv.load(folder), labels, seed, path), labels)


def rehearse(systems: dict[str, Entry], training, test, folder: Path, config, scorers) -> None:
    """Scores real test images as samples will be, so that what cannot be scored fails early.

    Raises:
        UserError: too few images for a predict, or of too few classes.
    """
    fewest = min(_labels_asked(systems, test, scorers.num_samples).values(), key=len)
    real = LabeledSamples(test.pixels, test.labels).like(fewest, config.seed)
    LabeledSamples(training.pixels, training.labels).like(fewest, config.seed)
    cache = cache_root(config.cache_dir) / "predictions"
    for name, given in scorers.scorers.items():
        scorer = given or make_scorer(name, images=training, folder=folder)
        score_all({REFERENCE: real}, scorer, name == "classifier", cache)


def add_tables(report, made: Made, training, test, folder, config, scorers) -> dict:
    """A table a scorer: over all classes, then over those that all methods were trained on.

    Args:
        report: gets the tables.
        made: samples of every method, and what they cost.
        training: labeled training images, an ImageSet; the classifier is trained on them.
        test: real test images, an ImageSet.
        folder: of the panel.
        config: of multi-grid.
        scorers: name -> Scorer, or None for the classifier, which is trained here.

    Returns:
        What results.json keeps: by scorer, rows as numbers and as a table.
    """
    named = {TITLES[method]: drawn for method, drawn in made.samples.items()}
    class_sets = sorted({tuple(np.unique(s.labels)) for s in named.values()}, key=len, reverse=True)
    sets = [_systems(named, list(labels), training, test, config.seed) for labels in class_sets]
    kept = {}
    for name, given in scorers.items():
        scorer = given or make_scorer(name, images=training, folder=folder)
        reads_classes = name == "classifier"
        report.text(about_scorer(scorer, reads_classes, test))
        cache = cache_root(config.cache_dir) / "predictions"
        rows = [row for systems in sets for row in score_all(systems, scorer, reads_classes, cache)]
        columns = (*score_columns(scorer, reads_classes), *MORE)
        table = Table(columns, tuple(_records(rows, made, config.seed)))
        report.table(table)
        kept[name] = {"identity": scorer.identity, "scores": rows, "table": table.to_json()}
    return {"scorers": kept}


def _records(rows: list[dict], made: Made, seed: int) -> list[Record]:
    """Scores, costs, what the project page reports; a method that failed is a row, too."""
    spent = {TITLES[method]: found for method, found in made.facts.items()}
    trials = {TITLES[method]: found for method, found in made.trials.items()}
    records = []
    for row in rows:
        name = row["system"]
        records += score_records(row, seed) + cost_records(name, spent.get(name), seed)
        records.append(Record(name, "parameters a model", _parameters(spent.get(name)), seed=seed))
        tried = trials.get(name, "no trials") if name in spent else None
        records.append(Record(name, "trials", tried, seed=seed))
        records.append(Record(name, "reported", _reported(name), seed=seed))
    failed = [name for name, found in spent.items() if has_failed(found)]
    return records + [Record(name, "classes", "diverged", seed=seed) for name in failed]


def _parameters(facts: dict[str, dict] | None) -> int | None:
    """Of one model; None where none was trained."""
    return facts and sum(next(iter(facts.values()))["parameters"].values())


def _systems(named, labels, training, test, seed) -> dict[str, LabeledSamples]:
    """What a table compares over some classes: the same number of images of each."""
    drawn = {n: s.of(labels) for n, s in named.items() if set(labels) <= set(np.unique(s.labels))}
    wanted = next(iter(drawn.values())).labels
    again = LabeledSamples(training.pixels, training.labels)
    return {
        REFERENCE: LabeledSamples(test.pixels, test.labels).like(wanted, seed),
        "Real images (training)": again.like(wanted, seed),
        "class mean + noise": class_mean_control(again, wanted, seed),
    } | drawn


def _reported(name: str) -> float | None:
    return paper.TABLE_1.get("Real images" if name.startswith("Real") else name)
