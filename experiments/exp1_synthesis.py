"""Experiment 1: learn, sample, compare multi-grid with single-grid, persistent CD and CD-1.

python -m experiments.exp1_synthesis
python -m experiments.exp1_synthesis --datasets=digits --methods=multigrid,pcd --minutes=1
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from experiments.common import (
    define_config_flags,
    given_settings,
    load_split,
    main,
    start_tensorflow,
)
from mgconv.config import METHODS, UserError, choose

OUT = "runs/exp1"
NUM_SHOWN = 64  # samples of a data set that is only looked at
NAMES = {
    "multigrid": "Multi-grid",
    "single_grid": "Single-grid",
    "pcd": "Persistent CD",
    "cd1": "One-step CD",
}
PAGE_TABLE_1 = {"Real images": "11.237", "DCGAN": "6.581", "Multi-grid": "6.565"}  # CIFAR-10
HEADER = [
    "", "classes", "images", "inception-style score", "read as its class",
    "distance in class / real", "Frechet distance to test", "updates / seconds a model",
    "page: Inception score, CIFAR-10",
]  # fmt: skip
COMMAND = "make exp1 SCALE=cpu FLAGS=--datasets=cifar10"
NOT_RUN = ["DCGAN", *["not run"] * 6, COMMAND, PAGE_TABLE_1["DCGAN"]]


@dataclass(frozen=True)
class Panel:
    """How the experiment shows one data set."""

    classes: str = "all"
    few: tuple[str, ...] | None = None  # the classes that methods besides multi-grid learn
    scored: bool = False  # by a classifier, in a table
    quick: dict = dataclasses.field(default_factory=dict)  # settings at scale quick


PANELS = {
    "photos": Panel(quick={"minutes": 1.0, "batch_size": 16}),
    "digits": Panel(
        "each", ("1", "3", "8"), scored=True, quick={"minutes": 0.28, "batch_size": 32}
    ),
}


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("datasets", None, "data sets [photos,digits]", flag_values=values)
    flags.DEFINE_list("methods", list(METHODS), "methods to compare", flag_values=values)
    define_config_flags(values)


def run(values) -> None:
    """Learns every panel's models; writes results.json, report.md, report.html."""
    from experiments.report import Report
    from mgconv.tracking import provenance, write_json

    methods = [choose("method", method, METHODS) for method in values["methods"].value]
    if "multigrid" not in methods:
        raise UserError("--methods leaves out", "multigrid", "Every figure shows it; add it.")
    settings = {"scale": "quick"} | given_settings(values)
    datasets = values["datasets"].value or [settings.get("dataset")]
    datasets = list(PANELS) if datasets == [None] else datasets
    folder = Path(settings.pop("out", None) or f"{OUT}/{settings['scale']}")
    start_tensorflow()
    report = Report(folder, "Experiment 1: synthesis and diagnosis")
    report.text(
        "Gao, Lu, Zhou, Zhu, Wu: Learning Generative ConvNets via Multi-grid Modeling and "
        f"Sampling, CVPR 2018. Scale {settings['scale']}: learned in minutes, the paper's in days."
    )
    panels = {
        dataset: run_panel(dataset, methods, settings, folder / dataset, report)
        for dataset in datasets
    }
    results = {"settings": settings, "panels": panels} | provenance()
    write_json(folder / "results.json", results)
    report.heading("How this was made")
    report.code(results["command"])
    report.text(f"Commit {results['commit']}; {results['device']}; {results['versions']}.")
    print(f"Report: {report.write()}")


def run_panel(dataset: str, methods: list[str], settings: dict, folder: Path, report) -> dict:
    """One data set: learns, then adds its figures and table to the report.

    Returns:
        What results.json keeps of it.
    """
    from experiments.runner import cost, entries, has_failed, train_or_reuse

    panel = PANELS.get(dataset, Panel())
    quick = panel.quick if settings["scale"] == "quick" else {}
    settings = {"classes": panel.classes} | quick | settings | {"dataset": dataset}
    if "num_updates" in settings:
        settings.pop("minutes", None)
    classes = {method: None if method == "multigrid" else panel.few for method in methods}
    systems = entries(folder, classes, settings)
    config = systems["multigrid"].config
    training = load_split(config)
    facts = {method: train_or_reuse(entry, training) for method, entry in systems.items()}

    spent = {method: cost(rows) for method, rows in facts.items()}
    report.heading(f"{dataset}: {len(training)} images at {config.size} x {config.size}")
    report.text(
        f"Recipe {config.recipe}, seed {config.seed}, width {config.width}. Updates / seconds a "
        "model: " + ", ".join(f"{NAMES[method]} {words}" for method, words in spent.items()) + "."
    )
    kept = {"config": dataclasses.asdict(config), "models": facts}
    learned = {m: entry.folder for m, entry in systems.items() if not has_failed(facts[m])}
    if "multigrid" not in learned:
        report.text(f"Multi-grid failed. {facts['multigrid']['failed']['failed']}")
        return kept
    test = load_split(config, "test") if panel.scored else None
    labels = test.labels if panel.scored else training.labels[:: -(-len(training) // NUM_SHOWN)]
    samples = {method: draw(path, labels, config.seed) for method, path in learned.items()}
    add_figures(report, dataset, learned, samples, training, config.seed)
    if panel.scored:
        kept |= add_table(report, samples, spent, training, test, folder, config.seed)
    return kept


def draw(folder: Path, labels, seed: int):
    """LabeledSamples of a run, one for each of the labels that it has learned."""
    import numpy as np

    import mgconv
    from mgconv.evaluation.synthesis import LabeledSamples
    from mgconv.images import to_uint8

    system = mgconv.load(folder)
    labels = labels[np.isin(labels, getattr(system, "labels", labels))]
    return LabeledSamples(to_uint8(system.synthesize(labels, seed)), labels)


def add_figures(report, dataset, learned, samples, training, seed) -> None:
    """Figures 1 to 5 of one data set, and the health curves."""
    import mgconv
    from experiments import figures

    name = dataset.replace("/", "-")
    system, silent = (mgconv.load(learned["multigrid"], **d) for d in ({}, {"noise": 0.0}))
    report.figure(f"{name}-1-grids", *figures.grids(system, seed))
    shown = {NAMES[method]: drawn for method, drawn in samples.items()}
    report.figure(f"{name}-2-methods", *figures.methods(training, shown, seed))
    if hasattr(system, "labels"):
        drawn, names = samples["multigrid"], training.class_names
        rows = {names[c]: drawn.images[drawn.labels == c] for c in system.labels}
        report.figure(f"{name}-4-classes", *figures.classes(rows))
    report.figure(f"{name}-5-diversity", *figures.diversity(system, silent, seed))
    report.figure(f"{name}-6-health", *figures.health(learned))


def add_table(report, samples, spent, training, test, folder, seed) -> dict:
    """Scores beside the page's table 1: over all classes, then over those all methods learned."""
    import numpy as np

    from mgconv.evaluation.scorers import Classifier
    from mgconv.evaluation.synthesis import LabeledSamples, class_mean_control, score_samples

    classifier = Classifier(training, folder)
    real = LabeledSamples(np.asarray(test.pixels), test.labels)
    again = LabeledSamples(np.asarray(training.pixels), training.labels)
    accuracy = (classifier.probabilities(real.images).argmax(axis=1) == real.labels).mean()
    report.text(
        f"Scores by a classifier learned from the training images, {accuracy:.1%} right on the "
        f"{len(real.labels)} test images. The Frechet distance is squared, in its last hidden "
        "layer, to the test images; real training images show what it is by chance alone."
    )
    rows: list[dict] = []
    class_sets = {tuple(np.unique(drawn.labels)): None for drawn in samples.values()}
    for labels in sorted(class_sets, key=len, reverse=True):
        here = real.of(labels)
        systems = {
            "Real images (test)": here,
            "Real images (training)": again.of(labels).like(here.labels, seed),
            "class mean + noise": class_mean_control(again.of(labels), here.labels, seed),
        }
        systems |= {
            NAMES[method]: drawn.of(labels)
            for method, drawn in samples.items()
            if set(labels) <= set(drawn.labels)
        }
        names = {NAMES[method]: words for method, words in spent.items()}
        for name, drawn in systems.items():
            scores = score_samples(drawn, here, classifier)._asdict()
            rows.append(
                {"system": name, "classes": len(labels), "cost": names.get(name, "-")} | scores
            )
    table = {"header": HEADER, "rows": [_row(row) for row in rows] + [NOT_RUN]}
    report.table(**table)
    return {"classifier_accuracy": float(accuracy), "scores": rows, "table": table}


def _row(row: dict) -> list[str]:
    page = PAGE_TABLE_1.get("Real images" if row["system"].startswith("Real") else row["system"])
    return [
        row["system"], str(row["classes"]), str(row["num_samples"]), f"{row['score']:.2f}",
        f"{row['recognized']:.1%}", f"{row['spread']:.2f}", f"{row['frechet']:.1f}",
        row["cost"], page or "-",
    ]  # fmt: skip


if __name__ == "__main__":
    main(run, define_flags, __doc__)
