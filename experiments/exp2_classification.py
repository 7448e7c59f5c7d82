"""Experiment 2: features learned without labels, classified from few; tables 2 and 3 of the paper.

python -m experiments.exp2_classification
python -m experiments.exp2_classification --scale=cpu --dataset=svhn_cropped --data_dir=/data/tfds
"""

import dataclasses
import importlib.util
from pathlib import Path

from absl import flags

from experiments.common import (
    define_config_flags,
    given_settings,
    load_split,
    main,
    start_tensorflow,
)
from mgconv.config import BASELINES, METHODS, UserError, choose

OUT = "runs/exp2"
ROWS = ("pcd", "cd1", "wgan", "dcgan", "single_grid", "multigrid")  # of table 2
NUMS = {"quick": (100, 200, 400), "cpu": (1000, 2000, 4000), "full": (1000, 2000, 4000)}
SETTINGS = {
    "quick": {"dataset": "digits", "minutes": 0.5},
    "cpu": {"dataset": "svhn_cropped", "minutes": 10.0, "width": 0.5},
    "full": {"dataset": "svhn_cropped"},
}


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("methods", list(ROWS), "systems to compare", flag_values=values)
    flags.DEFINE_list("num_labels", None, "numbers of labels [quick 100,200,400; else "
                      "1000,2000,4000]", flag_values=values)  # fmt: skip
    flags.DEFINE_integer("num_draws", 10, "of labels for the L2-SVM", 2, flag_values=values)
    flags.DEFINE_integer("num_cnn_draws", 2, "of labels for the CNN", 2, flag_values=values)
    flags.DEFINE_bool("inductive", False, "learn features without the test images",
                      flag_values=values)  # fmt: skip
    define_config_flags(values)


def run(values) -> None:
    """Learns every system without labels, classifies, writes results.json and the report."""
    from experiments.classification_tables import write_report

    methods = [choose("method", m, (*METHODS, *BASELINES)) for m in values["methods"].value]
    if "multigrid" not in methods:
        raise UserError("--methods leaves out", "multigrid", "Every table compares to it; add it.")
    given = given_settings(values)
    scale = choose("scale", given.get("scale", "quick"), SETTINGS)
    settings = SETTINGS[scale] | {"scale": scale} | given | {"classes": "all"}
    settings["split"] = "train" if values["inductive"].value else "all"
    if "num_updates" in settings:
        settings.pop("minutes", None)
    nums = _numbers(values["num_labels"].value) or NUMS[scale]
    folder = Path(settings.pop("out", None) or f"{OUT}/{scale}")
    start_tensorflow()
    results = compare(methods, settings, nums, values, folder)
    print(f"Report: {write_report(results, folder)}")


def _numbers(texts: list[str] | None) -> tuple[int, ...] | None:
    if texts is None:
        return None
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise UserError("--num_labels is no list of numbers", texts, "Give 100,200.") from None


def compare(methods, settings: dict, nums, values, folder: Path) -> dict:
    """All rows of both tables, each kept as soon as it is there."""
    import mgconv
    from experiments import classification as rows
    from experiments.runner import entries, has_failed, train_or_reuse
    from mgconv.evaluation.synthesis import weights_key
    from mgconv.systems import untrained
    from mgconv.tracking import provenance

    systems = entries(folder, dict.fromkeys(methods), settings)
    config = systems["multigrid"].config
    observed, training = load_split(config), load_split(config, "train")
    test = load_split(config, "test")
    tasks = {
        kind: rows.Task(training, test, nums, draws, folder / kind)
        for kind, draws in (
            ("svm", values["num_draws"].value), ("cnn", values["num_cnn_draws"].value)
        )
    }  # fmt: skip
    for task in tasks.values():
        for draw in task.draws:
            task.subset(*draw)  # too many labels are told before hours of learning
    facts = {method: train_or_reuse(entry, observed) for method, entry in systems.items()}

    svms, cnns = {}, {}
    for method in methods:
        if has_failed(facts[method]):
            continue
        system, key = mgconv.load(systems[method].folder), weights_key(systems[method].folder)
        svms[method] = rows.results(
            tasks["svm"], method, key,
            lambda s=system: rows.svm_on(tasks["svm"], rows.features_of(s, observed)),
        )  # fmt: skip
        if method in ("multigrid", "single_grid", "dcgan"):
            cnns[method] = rows.results(
                tasks["cnn"], method, key, lambda s=system: rows.cnn_on(tasks["cnn"], s, observed)
            )
    control = lambda: untrained(config, observed)  # noqa: E731
    key = f"{config.identity()}"
    svms["untrained"] = rows.results(
        tasks["svm"], "untrained", key,
        lambda: rows.svm_on(tasks["svm"], rows.features_of(control(), observed)),
    )  # fmt: skip
    svms["pixels"] = rows.results(
        tasks["svm"], "pixels", "", lambda: rows.svm_on(tasks["svm"], rows.pixels)
    )
    if importlib.util.find_spec("skimage"):
        svms["hog"] = rows.results(
            tasks["svm"], "hog", "", lambda: rows.svm_on(tasks["svm"], rows.hog)
        )
    cnns["untrained"] = rows.results(
        tasks["cnn"], "untrained", key, lambda: rows.cnn_on(tasks["cnn"], control(), observed)
    )
    cnns["supervised"] = rows.results(
        tasks["cnn"], "supervised", key, lambda: rows.supervised(tasks["cnn"], control)
    )
    return {
        "settings": settings, "config": dataclasses.asdict(config), "models": facts,
        "inductive": values["inductive"].value, "num_test": len(test), "svm": svms, "cnn": cnns,
    } | provenance()  # fmt: skip


if __name__ == "__main__":
    main(run, define_flags, __doc__)
