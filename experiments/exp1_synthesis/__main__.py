"""Experiment 1: train, sample, compare, diagnose; table 1 and figures 1 to 5 of the paper.

python -m experiments.exp1_synthesis
python -m experiments.exp1_synthesis --scale=cpu --datasets=cifar10 --data_dir=/data/tfds
python -m experiments.exp1_synthesis --datasets=digits --methods=multigrid,pcd --minutes=1
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from absl import flags

from experiments.comparison import alarm, end, entries, parts
from experiments.exp1_synthesis.panels import PANELS, Panel
from experiments.exp1_synthesis.tried import Choice, chosen
from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    compared_methods,
    define_config_flags,
    define_scorer_flags,
    given_settings,
    one_budget,
    scorer_settings,
    scorers_as_text,
    suffix_of,
)
from mgconv.cli.shared.jobs import Part, asked_place, define_jobs_flags, train_at_once, train_only
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.table import DATASETS, load_split
from mgconv.errors import choose
from mgconv.recipes import METHODS, TITLES
from mgconv.reporting.tables import cost
from mgconv.training.compare import (
    Entry,
    has_failed,
    train_or_reuse,
    without_tiny_classes,
)

PROGRAM = "experiments.exp1_synthesis"
OUT = "runs/exp1"
NUM_SHOWN = 64  # samples of a data set that is only looked at


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("datasets", None, f"panels [photos,digits]: {', '.join(PANELS)}",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_list("methods", None, "methods to compare, baselines among them [the panel's]",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_string("learned_classes", None, "classes that get a model each: names or all "
                        "[the panel's]", flag_values=values)  # fmt: skip
    flags.DEFINE_bool("chosen", True, "train each method by the settings that trials chose, where "
                      "results/trials has some of this scale and recipe",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_integer("num_samples", 5000, "samples to score; never more than test images", 20,
                         flag_values=values)  # fmt: skip
    text = f"networks that score the samples, classifier and another: {scorers_as_text()}"
    flags.DEFINE_list("scorers", ["classifier"], text, flag_values=values)
    define_jobs_flags(values, "models")
    define_scorer_flags(values)
    define_config_flags(values, SHARED_FIELDS, scales={})


def run(values) -> None:
    """Trains every panel's models; writes results.json, report.md, report.html."""
    from mgconv.io.files import write_json
    from mgconv.reporting.report import Report
    from mgconv.training.provenance import hide_paths, provenance

    given = scorer_settings(values, values["scorers"].value)
    settings = {"scale": "quick"} | given_settings(values)
    folder = Path(settings.pop("out", None) or f"{OUT}/{settings['scale']}")
    asked = values["datasets"].value or ([settings["dataset"]] if "dataset" in settings else None)
    suffix = suffix_of(asked)
    panels = {name: _panel(name, values) for name in asked or ["photos", "digits"]}
    plans = {name: one_budget(panel.fields(settings)) for name, panel in panels.items()}
    asked_place(values)
    start_tensorflow(settings.get("devices"))
    from mgconv.evaluation.scorers.table import make_scorer

    choices = {  # what a person gives is not overridden
        name: chosen(name, plan.get("recipe", Config.recipe), plan["scale"], settings)
        for name, plan in plans.items()
        if values["chosen"].value
    }
    compared = {
        name: systems_of(panel, plans[name], folder / name, choices.get(name, {}))
        for name, panel in panels.items()
    }
    trainings: dict[str, Part] = {}
    for name, pair in compared.items():
        trainings |= parts(*pair, name)
    if train_only(values, trainings):
        return
    scorers = {  # those of given weights are checked before hours of training
        name: None if name == "classifier" else make_scorer(name, **given)
        for name in values["scorers"].value
    }
    scorers = Scorers(scorers, values["num_samples"].value)
    prepared = {  # what is wrong with any of them is reported before hours of training
        name: prepare(panel, *compared[name], folder / name, scorers, choices.get(name, {}))
        for name, panel in panels.items()
    }
    train_at_once(values, PROGRAM, trainings, folder)
    report = Report(folder, "Experiment 1: synthesis and diagnosis", suffix)
    report.text(
        "Gao, Lu, Zhou, Zhu, Wu: Learning Generative ConvNets via Multi-grid Modeling and "
        f"Sampling, CVPR 2018. Scale {settings['scale']}."
    )
    report.made_by(provenance())
    kept = {}
    for name, ready in prepared.items():
        kept[name] = run_panel(name, ready, folder / name, report, scorers)
        results = hide_paths({"settings": settings, "panels": kept}) | provenance()
        write_json(folder / f"results{suffix}.json", results)
        page = report.write()
    end(page, kept)


class Scorers(NamedTuple):
    """Who scorers the samples, and how many of them."""

    scorers: dict  # name -> Scorer, or None for the classifier, which is trained on the panel
    num_samples: int  # at most


def _panel(name: str, values) -> Panel:
    """The row of PANELS, or one that only shows a data set, as the flags change it."""
    choose("data set", name, (*PANELS, *DATASETS))
    panel = PANELS.get(name) or Panel(DATASETS[name].about, name)
    drawn_from = [name for name, row in METHODS.items() if "synthesize" in row.can]
    methods = compared_methods(values["methods"].value or panel.methods, drawn_from)
    learned = values["learned_classes"].value
    if learned:
        classes = None if learned == "all" else tuple(learned.split(","))
        panel = dataclasses.replace(panel, learned=classes, compared=classes)
    return dataclasses.replace(panel, methods=methods)


class Prepared(NamedTuple):
    """A panel whose models can be trained."""

    panel: Panel
    systems: dict[str, Entry]
    training: ImageSet
    test: ImageSet | None  # where samples are scored
    choices: dict[str, Choice]  # of trials, by method


def systems_of(
    panel: Panel, settings: dict, folder: Path, choices: dict[str, Choice]
) -> tuple[dict[str, Entry], ImageSet]:
    """What a panel compares, by method, and its training images."""
    classes = {m: panel.learned if m == "multigrid" else panel.compared for m in panel.methods}
    own = {method: choice.settings for method, choice in choices.items()}
    systems = entries(folder, classes, settings, own)
    training = load_split(systems["multigrid"].config)
    return {m: without_tiny_classes(entry, training) for m, entry in systems.items()}, training


def prepare(
    panel: Panel,
    systems: dict[str, Entry],
    training: ImageSet,
    folder: Path,
    scorers: Scorers,
    choices: dict[str, Choice],
) -> Prepared:
    """Loads the test images of a panel, and scores real ones."""
    from experiments.exp1_synthesis.tables import rehearse

    config = systems["multigrid"].config
    test = load_split(config, "test") if panel.scored else None
    if test:
        rehearse(systems, training, test, folder, config, scorers)
    return Prepared(panel, systems, training, test, choices)


def run_panel(name: str, ready: Prepared, folder: Path, report, scorers: Scorers) -> dict:
    """One data set: trains, then adds its figures and tables to the report.

    Returns:
        What results.json keeps of it.
    """
    from experiments.exp1_synthesis.tables import Made, add_tables, draw_all

    panel, systems, training, test, choices = ready
    config = systems["multigrid"].config
    facts = {method: train_or_reuse(entry, training) for method, entry in systems.items()}
    _describe(report, name, panel, config, training, facts)
    trials = {method: choice.about for method, choice in choices.items()}
    kept = {"config": dataclasses.asdict(config), "models": facts, "trials": trials}
    learned = {m: entry for m, entry in systems.items() if not has_failed(facts[m])}
    alarm(report, facts, f" on {name}")
    if "multigrid" not in learned:
        return kept
    shown, most = (test, scorers.num_samples) if test else (training, NUM_SHOWN)
    samples = draw_all(learned, shown, most, config.seed)
    folders = {method: entry.folder for method, entry in learned.items()}
    kept |= add_figures(report, name, folders, samples, training, test, config)
    if test:
        made = Made(samples, facts, trials)
        kept |= add_tables(report, made, training, test, folder, config, scorers.scorers)
    return kept


def _describe(report, name, panel, config, training, facts) -> None:
    report.heading(f"{name}: {panel.about}, {len(training)} at {config.size} x {config.size}")
    spent = ", ".join(f"{TITLES[method]} {cost(rows)}" for method, rows in facts.items())
    report.text(
        f"Recipe {config.recipe}, seed {config.seed}, width {config.width}, batch "
        f"{config.batch_size}. Models x updates / seconds a model: {spent}."
    )


def add_figures(report, dataset, learned, samples, training, test, config) -> dict:
    """Figures 1 to 5 of one data set, and the diagnosis of its models."""
    import mgconv
    from experiments.exp1_synthesis import diagnosis, figures
    from mgconv.reporting import pictures

    name, seed = dataset.replace("/", "-"), config.seed
    energy_based = {m: path for m, path in learned.items() if METHODS[m].is_energy_based}
    system, silent = (mgconv.load(learned["multigrid"], **d) for d in ({}, {"noise": 0.0}))
    report.figure(f"{name}-1-grids", *pictures.grids(system, seed))
    shown = {TITLES[method]: drawn for method, drawn in samples.items()}
    report.figure(f"{name}-2-methods", *figures.methods(training, shown, seed))
    if system.labels:
        drawn, names = samples["multigrid"], training.class_names
        rows = {names[c]: drawn.images[drawn.labels == c] for c in sorted(set(drawn.labels))}
        report.figure(f"{name}-4-classes", *figures.classes(rows))
    picture, caption, facts = figures.diversity(system, silent, seed)
    report.figure(f"{name}-5-diversity", picture, caption)
    report.figure(f"{name}-6-health", *figures.health(energy_based, training.some(1000)))
    kept = {"diversity": facts}
    subjects = {
        method: diagnosis.Subject.of(learned[method], training, test)
        for method in diagnosis.DIAGNOSED
        if method in learned
    }
    for title, (method, draw) in diagnosis.FIGURES.items():
        if method in subjects:
            picture, caption, kept[title] = draw(subjects[method], seed)
            report.figure(f"{name}-{title}", picture, caption)
    return {"diagnosis": kept}


if __name__ == "__main__":
    main(run, define_flags, __doc__)
