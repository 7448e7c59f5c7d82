"""Score any samples against a data set, as the tables of experiment 1 do.

mgconv evaluate --samples=samples.npz --dataset=digits
mgconv evaluate --samples=X.npz --dataset=cifar10 --scorer=inception2015 \
    --scorer_path=classify_image_graph_def.pb

An .npz holds `images`, uint8 [N, S, S, C], and may hold `labels` and `class_names`; an .npy images.
"""

import dataclasses
from pathlib import Path

from absl import flags

from mgconv.cli.checks import check_data
from mgconv.cli.flags import (
    config_for,
    define_config_flags,
    define_scorer_choice,
    given_settings,
    scorer_settings,
)
from mgconv.cli.program import main, start_tensorflow
from mgconv.errors import UserError

PLACES = (
    "dataset", "data_dir", "image_dir", "cache_dir", "classes", "crop", "grids", "seed", "out",
)  # fmt: skip


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_string("samples", None, ".npz or .npy of the images to score", flag_values=values)
    flags.DEFINE_integer("num", None, "images to compare; else as many as both sides have", 20,
                         flag_values=values)  # fmt: skip
    define_scorer_choice(values, "classifier")
    define_config_flags(values, PLACES)
    values["out"].help = "JSON file of the scores"


def run(values) -> None:
    """Prints a table: real training images, the samples; writes it as JSON to --out."""
    from mgconv.datasets.cache import cache_root
    from mgconv.datasets.table import choose_classes, load_split
    from mgconv.evaluation.samples import comparable, read_samples
    from mgconv.io.files import write_json
    from mgconv.training.provenance import provenance

    name = values["scorer"].value
    given = scorer_settings(values, [name])
    samples = read_samples(values["samples"].value)
    config = config_for(**given_settings(values))
    _check_size(samples[0].shape[1], config.size)
    for split in (config.split, "test"):
        check_data(dataclasses.replace(config, split=split))
    start_tensorflow(config.devices)
    from mgconv.evaluation.scorers import make_scorer
    from mgconv.reporting.scores import REFERENCE, score_all, score_table

    every = load_split(dataclasses.replace(config, classes="all"))  # the classifier trains on it
    training = every.only(choose_classes(config.classes, every.class_names))
    test = load_split(config, "test")
    folder = cache_root(config.cache_dir) / "classifiers"
    scorer = make_scorer(name, **given, images=every, folder=folder)
    drawn, again, real = comparable(samples, training, test, values["num"].value, config.seed)
    systems = {REFERENCE: real, "Real images (training)": again, "the samples": drawn}
    labeled = samples[1] is not None
    cache = cache_root(config.cache_dir) / "predictions"
    reads_classes = name == "classifier" and labeled
    rows = score_all(systems, scorer, reads_classes, cache)
    table = score_table(rows, scorer, reads_classes, config.seed)
    print(table.markdown())
    print(f"Reference: {REFERENCE.lower()} of {config.dataset}; {scorer.identity}")
    if config.out:
        content = {"scores": rows, "table": table.to_json(), "scorer": scorer.identity}
        write_json(Path(config.out), content | provenance())


def _check_size(side: int, size: int) -> None:
    if side != size:
        found = f"{side} x {side}, the data {size} x {size}"
        remedy = f"To compare real images at that size give --grids=1,{side}."
        raise UserError("Samples of another size", found, remedy)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
