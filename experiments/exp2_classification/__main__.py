"""Experiment 2: features learned without labels, classified from few; tables 2 and 3 of the paper.

python -m experiments.exp2_classification
python -m experiments.exp2_classification --scale=cpu --dataset=svhn_cropped --data_dir=/data/tfds
"""

import dataclasses
import functools
import importlib.util
import os
from pathlib import Path

from absl import flags

from experiments.paper import TABLE_2, TABLE_3
from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    compared_methods,
    define_config_flags,
    given_settings,
    one_budget,
)
from mgconv.cli.shared.jobs import asked_place, define_jobs_flags, train_at_once, train_only
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.table import load_split
from mgconv.errors import UserError, choose
from mgconv.recipes import METHODS

PROGRAM = "experiments.exp2_classification"
OUT = "runs/exp2"
ON_ALL_GRIDS = ("dcgan", "ddgm", "single_grid", "multigrid", "untrained")  # of table 3, by the CNN
FROM_LABELS = tuple(name for name, row in METHODS.items() if row.reads_labels)  # a run a draw
QUOTED = tuple(name for name in FROM_LABELS if name in TABLE_3)  # by the page
COMPARED = {"quick": tuple(TABLE_2)}  # at other scales those that the page quotes, too
NUMS = {"quick": (100, 200, 400), "cpu": (1000, 2000, 4000), "full": (1000, 2000, 4000)}
SETTINGS = {
    "quick": {"dataset": "digits", "minutes": 0.5},
    "cpu": {"dataset": "svhn_cropped", "minutes": 5.0, "width": 0.5},
    "full": {"dataset": "svhn_cropped"},
}


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("methods", None, f"methods to compare [quick {','.join(TABLE_2)}; else also "
                      f"{','.join(QUOTED)}]", flag_values=values)  # fmt: skip
    flags.DEFINE_list("num_labels", None, "numbers of labels [quick 100,200,400; else "
                      "1000,2000,4000]", flag_values=values)  # fmt: skip
    flags.DEFINE_integer("num_draws", 10, "draws of labels for the L2-SVM", 2, flag_values=values)
    flags.DEFINE_integer("num_cnn_draws", 2, "draws of labels for the CNN", 2, flag_values=values)
    flags.DEFINE_bool("fine_tuned", None, "fine-tune multi-grid's networks, and fresh ones, under "
                      "the CNN, too [quick false; else true]", flag_values=values)  # fmt: skip
    flags.DEFINE_bool("inductive", False, "train features without the test images",
                      flag_values=values)  # fmt: skip
    define_jobs_flags(values, "models")
    names = [name for name in SHARED_FIELDS if name not in ("classes", "split")]
    define_config_flags(values, names, SETTINGS)


def run(values) -> None:
    """Trains every system without labels, classifies, writes results.json and the report."""
    from experiments.exp2_classification.tables import write_report

    given = given_settings(values)
    scale = choose("scale", given.get("scale", "quick"), SETTINGS)
    default = COMPARED.get(scale, (*TABLE_2, *QUOTED))
    methods = compared_methods(values["methods"].value or default, (*TABLE_2, *FROM_LABELS))
    settings = one_budget(SETTINGS[scale] | {"scale": scale} | given | {"classes": "all"})
    settings["split"] = "train" if values["inductive"].value else "all"
    nums = _numbers(values["num_labels"].value) or NUMS[scale]
    folder = Path(settings.pop("out", None) or f"{OUT}/{scale}")
    asked_place(values)
    start_tensorflow(given.get("devices"))
    from experiments.comparison import end

    results = compare(methods, settings, nums, values, folder)
    if results is None:
        return
    end(write_report(results, folder), {settings["dataset"]: results})


def _numbers(texts: list[str] | None) -> tuple[int, ...] | None:
    if texts is None:
        return None
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise UserError("--num_labels is no list of numbers", texts, "Give 100,200.") from None


def compare(methods, settings: dict, nums, values, folder: Path) -> dict | None:
    """Trains every system, then makes all rows of both tables; each is kept as soon as it is there.

    Returns:
        What results.json keeps; None where --only was all that was asked.
    """
    from experiments.comparison import entries, parts
    from experiments.exp2_classification import classification, few_labels
    from mgconv.training.compare import has_failed, train_or_reuse
    from mgconv.training.provenance import provenance

    without_labels = [name for name in methods if name not in FROM_LABELS]
    systems = entries(folder, dict.fromkeys(without_labels), settings)
    config = systems["multigrid"].config
    observed, training, test = (load_split(config, split) for split in (None, "train", "test"))
    task = functools.partial(classification.Task, training, test, nums)
    tasks = {
        "svm": task(values["num_draws"].value, folder / "svm", num_at_once=os.cpu_count()),
        "cnn": task(values["num_cnn_draws"].value, folder / "cnn"),
    }
    tasks["svm"].subsets()  # too many labels are reported before hours of training
    task = functools.partial(few_labels.FewDraws, training, test, nums)
    from_labels = [name for name in methods if name in FROM_LABELS]
    most = values["num_draws"].value
    few = few_labels.few_labels(from_labels, settings, task, most, folder)
    trainings = parts(systems, observed)
    for row in few.values():
        trainings |= parts(row.entries(), training)
    if train_only(values, trainings):
        return None
    train_at_once(values, PROGRAM, trainings, folder)
    facts = {method: train_or_reuse(entry, observed) for method, entry in systems.items()}
    learned = {m: entry.folder for m, entry in systems.items() if not has_failed(facts[m])}
    found: dict[str, dict] = {"svm": {}, "cnn": {}}
    tuned = values["fine_tuned"].value
    tuned = config.scale != "quick" if tuned is None else tuned
    for kind, name, key, make in _rows(learned, config, observed, tasks, tuned):
        found[kind][name] = classification.results(tasks[kind], name, key, make)
    rows, costs = few_labels.rows_of(few)
    found["cnn"] |= rows
    facts |= costs
    return {
        "settings": settings, "config": dataclasses.asdict(config), "models": facts,
        "inductive": values["inductive"].value, "num_test": len(test), "nums": nums, **found,
    } | provenance()  # fmt: skip


def _rows(learned: dict[str, Path], config, observed, tasks, tuned: bool):
    """(table, name, key, maker of the classifier) of every row: systems, then controls."""
    import mgconv
    from experiments.exp2_classification import classification as c
    from mgconv.evaluation.synthesis import weights_key
    from mgconv.models import untrained

    svm_task, cnn_task = tasks["svm"], tasks["cnn"]

    def on_system(name, key, make):
        rows = c.features_of(make, observed, svm_task.folder.parent / "features", key)
        yield "svm", name, key, lambda: c.svm_on(svm_task, rows)
        if name in ON_ALL_GRIDS:
            yield "cnn", name, key, lambda: c.cnn_on(cnn_task, make(), observed)

    for method, folder in learned.items():
        yield from on_system(method, weights_key(folder), lambda f=folder: mgconv.load(f))
    fresh, key = lambda: untrained(config, observed), str(config.identity())
    yield from on_system("untrained", key, fresh)
    yield "cnn", "supervised", key, lambda: c.supervised(cnn_task, fresh)
    if tuned and (folder := learned.get("multigrid")):
        tune = functools.partial(c.supervised, cnn_task, fine_tuned=True)
        load = functools.partial(mgconv.load, folder)
        yield "cnn", "multigrid_tuned", weights_key(folder), lambda: tune(load)
        yield "cnn", "untrained_tuned", key, lambda: tune(fresh)
    yield "svm", "pixels", "", lambda: c.svm_on(svm_task, c.pixels)
    if importlib.util.find_spec("skimage"):
        yield "svm", "hog", "", lambda: c.svm_on(svm_task, c.hog)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
