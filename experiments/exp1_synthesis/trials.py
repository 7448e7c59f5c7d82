"""Trials before experiment 1: as many settings of every method, the best on held-out images.

python -m experiments.exp1_synthesis.trials --datasets=digits
python -m experiments.exp1_synthesis.trials --datasets=cifar10,faces --data_dir=/data/tfds \
    --image_dir=/data --scorer_path=mobilenet_v1_0.75_224.npz

Each trial has --minutes, shared by its models of a class. A fifth of the training images is held
out: the Frechet distance of samples to them decides. No test image is read. Experiment 1 takes what
--record says; an interrupted program resumes.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from experiments.comparison import entries, parts
from experiments.exp1_synthesis.panels import PANELS, TABLE, Panel
from experiments.exp1_synthesis.tried import RECORDS, record_path, tried, words
from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    config_for,
    define_config_flags,
    define_scorer_flags,
    given_settings,
    one_budget,
    scorer_settings,
)
from mgconv.cli.shared.jobs import asked_place, define_jobs_flags, train_at_once, train_only
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.table import labels_of, load_held_out, load_split
from mgconv.errors import UserError, choose
from mgconv.recipes import METHODS, TITLES
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.tables import COST, Table, cost_records
from mgconv.training.compare import Entry, has_failed, train_or_reuse

OUT = "runs/trials"
MINUTES = 2.0  # of a trial
HELD_OUT = 0.2  # of the training images
LEAST_DRAWN, MOST_HELD = 1000, 2000  # samples and real images of a distance

Row = dict[str, Any]


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("datasets", ["digits"], f"panels of experiment 1: {', '.join(PANELS)}",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_list("methods", list(TABLE), "methods to try", flag_values=values)
    flags.DEFINE_string("record", str(RECORDS), "folder of the records, a JSON a data set",
                        flag_values=values)  # fmt: skip
    define_jobs_flags(values, "trials")
    define_scorer_flags(values)
    names = [name for name in SHARED_FIELDS if name not in ("held_out", "classes", "dataset")]
    define_config_flags(values, names)


def run(values) -> None:
    """Makes the trials of every data set and writes their records."""
    given = given_settings(values)
    folder, record = Path(given.pop("out", OUT)), Path(values["record"].value)
    drawn_from = [name for name, row in METHODS.items() if "synthesize" in row.can]
    methods = [choose("method", name, drawn_from) for name in values["methods"].value]
    panels = {name: PANELS[choose("data set", name, PANELS)] for name in values["datasets"].value}
    judges = {panel.judge for panel in panels.values()}
    weights = scorer_settings(values, judges)
    plans = {name: plan(panel, given) for name, panel in panels.items()}
    places = {
        name: Place(name, folder / name.replace("/", "-"), record_path(record, name))
        for name in panels
    }
    asked_place(values)
    start_tensorflow(given.get("devices"))
    from mgconv.evaluation.scorers.table import make_scorer

    trials = {
        name: trials_of(panel, plans[name], methods, places[name]) for name, panel in panels.items()
    }
    sides = {name: load_sides(panel, plans[name]) for name, panel in panels.items()}
    trainings = {}
    for name, found in trials.items():
        trainings |= parts({trial.name: trial.entry for trial in found}, sides[name][0], name)
    if train_only(values, trainings):
        return
    scorer = make_scorer("keras", **weights) if "keras" in judges else None
    train_at_once(values, "experiments.exp1_synthesis.trials", trainings, folder)
    for name, panel in panels.items():
        try_all(panel, plans[name], trials[name], sides[name], places[name], scorer)


class Place(NamedTuple):
    """The trials of a panel: its name, and where they are kept."""

    name: str
    folder: Path  # of the runs
    record: Path


class Trial(NamedTuple):
    """One method by some settings."""

    name: str
    method: str
    own: dict[str, Any]
    entry: Entry


def trials_of(
    panel: Panel, settings: dict[str, Any], methods: list[str], where: Place
) -> list[Trial]:
    """All trials of a panel, those of a method one after the other."""
    found = []
    for method, own in [(m, own) for m in methods for own in tried(m)]:
        folder, classes = where.folder / words(own), {method: panel.tried}
        entry = entries(folder, classes, settings, {method: own})[method]
        found.append(Trial(f"{TITLES[method]}, {words(own)}", method, own, entry))
    return found


def plan(panel: Panel, given: dict[str, Any]) -> dict[str, Any]:
    """The settings that all trials of a panel share: its own, for the budget of one model."""
    scale = given.get("scale", next(iter(panel.settings), "cpu"))
    settings = panel.fields({"minutes": MINUTES} | given | {"scale": scale})
    if "minutes" in settings:
        settings["minutes"] /= len(panel.tried or (None,))
    return one_budget(settings | {"held_out": HELD_OUT})


def try_all(
    panel: Panel,
    settings,
    trials: list[Trial],
    sides: tuple[ImageSet, ImageSet],
    where: Place,
    scorer,
) -> None:
    """All trials of a panel; its record is written after each.

    Args:
        panel: of experiment 1.
        settings: that all trials share.
        trials: as `trials_of` gives them.
        sides: as `load_sides` gives them.
        where: the trials are kept.
        scorer: of a panel that has no classifier.

    Raises:
        UserError: the record that is there is of other trials.
    """
    from mgconv.evaluation.scorers.table import make_scorer

    if panel.judge == "classifier":
        scorer = make_scorer("classifier", images=sides[0], folder=where.folder)
    asked = _asked(panel, settings) | {"scorer": scorer.identity, "images": sides[0].held_out}
    rows = _read(where.record, asked)
    for name, method, own, entry in trials:
        if name not in rows:
            rows[name] = {"method": method, "settings": own} | try_one(entry, sides, scorer)
            _write(where, asked, rows)
        print(f"{name}: {rows[name].get('frechet', 'diverged')}", flush=True)


def _asked(panel: Panel, settings: dict[str, Any]) -> dict[str, Any]:
    """What all trials of a record have in common; the budget is of all models of a trial."""
    config = config_for(**settings)
    names = ("recipe", "scale", "grids", "seed", "held_out")
    asked = {name: getattr(config, name) for name in names} | {"grids": list(config.grids)}
    budget = "minutes" if "minutes" in settings else "num_updates"
    return asked | {budget: settings[budget] * len(panel.tried or (None,))}


def _read(path: Path, asked: dict[str, Any]) -> dict[str, Row]:
    """The rows of a record that is there, if it is of the same trials."""
    from mgconv.io.files import read_json

    kept = read_json(path) if path.exists() else {"asked": asked, "rows": {}}
    if kept["asked"] != asked:
        differing = ", ".join(name for name in asked if kept["asked"].get(name) != asked[name])
        raise UserError(f"{path} is of trials with another", differing, "Give another --record.")
    return kept["rows"]


def _write(where: Place, asked: dict[str, Any], rows: dict[str, Row]) -> None:
    from mgconv.io.files import write_json
    from mgconv.training.provenance import hide_paths, provenance

    table = {"trials": {"table": _table(rows, asked["seed"]).to_json()}}
    content = {"asked": asked, "chosen": choices(rows), "rows": rows}
    content |= {"panels": {where.name: {"scorers": table}}}
    write_json(where.record, hide_paths(content) | provenance())


def load_sides(panel: Panel, settings: dict[str, Any]) -> tuple[ImageSet, ImageSet]:
    """Images to train on, and of the classes that are tried some of those held out."""
    config = config_for(**settings)
    training, held = load_split(config), load_held_out(config)
    if panel.tried:
        held = held.only(labels_of(panel.tried, held.class_names))
    return training, held.at(slice(None, None, -(-len(held) // MOST_HELD)))


def try_one(entry: Entry, sides: tuple[ImageSet, ImageSet], scorer) -> Row:
    """Trains one method by some settings, or reuses what is there; scores its samples."""
    training, held = sides
    facts = train_or_reuse(entry, training)
    if has_failed(facts):
        return {"facts": facts}
    return {"facts": facts, "frechet": round(distance(entry, held, scorer), 3)}


def distance(entry: Entry, held: ImageSet, scorer) -> float:
    """Squared Frechet distance of samples, classes as often as held out, to held-out images."""
    import mgconv
    from mgconv.datasets.cache import cache_root
    from mgconv.evaluation.metrics import frechet_distance
    from mgconv.evaluation.synthesis import draw, weights_key
    from mgconv.reporting.scores import predict_once

    labels = np.sort(np.resize(held.labels, max(len(held), LEAST_DRAWN)))
    path = entry.folder / "drawn" / f"trial-{weights_key(entry.folder)}-{len(labels)}.npy"
    samples = draw(mgconv.load(entry.folder), labels, entry.config.seed, path)
    cache = cache_root(entry.config.cache_dir) / "predictions"
    shown = {"samples": samples, "Real images, held out": held.pixels}
    drawn, real = (predict_once(scorer, x, name, cache) for name, x in shown.items())
    return frechet_distance(drawn.features, real.features)


def choices(rows: dict[str, Row]) -> dict[str, dict[str, Any]]:
    """The best settings of every method all of whose trials are made."""
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows.values()):
        own = [row for row in rows.values() if row["method"] == method]
        if len(own) == len(tried(method)):
            found[method] = min(own, key=_rank)["settings"]
    return found


def _rank(row: Row) -> float:
    return row.get("frechet", float("inf"))  # of equal ones the first, which is as given


def _table(rows: dict[str, Row], seed: int) -> Table:
    best, records = choices(rows), []
    for name, row in rows.items():
        found = "diverged" if has_failed(row["facts"]) else row["frechet"]
        records += cost_records(name, row["facts"], seed)
        records.append(Record(name, "Frechet distance", found, seed=seed))
        if best.get(row["method"]) == row["settings"]:
            records.append(Record(name, "chosen", "yes", seed=seed))
    columns = (COST, Column("Frechet distance", ("{:.1f}",)), Column("chosen", kind="note"))
    return Table(columns, tuple(records))


if __name__ == "__main__":
    main(run, define_flags, __doc__)
