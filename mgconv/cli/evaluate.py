"""Score any samples against a data set, as the tables of experiment 1 do, or a classifier.

mgconv evaluate --samples=samples.npz --dataset=digits
mgconv evaluate --samples=X.npz --dataset=cifar10 --scorer=inception2015 --scorer_download
mgconv evaluate --against=held_out --run=runs/photos --scorer=keras --scorer_path=W.npz
mgconv evaluate --run=runs/digits-all-vat-modern-0

An .npz holds `images` or `arr_0`, and may hold `labels` and `class_names`; an .npy holds images; a
folder or .zip, pictures of one size. Arrays are [N, S, S, C] or [N, C, S, S], of uint8 or of floats
on [0, 1] or [-1, 1]. A run trained with --held_out=0.1 is scored against what it did not train on.
Of a classifier its errors are printed: on images whose labels it had, on others, and on new ones.
"""

import dataclasses
import zlib
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import (
    check_data,
    check_held_out,
    check_run,
    check_test_images,
    classifies,
)
from mgconv.cli.shared.flags import (
    config_for,
    define_config_flags,
    define_path,
    define_scorer_choice,
    given_settings,
    scorer_settings,
)
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import UserError

PLACES = (
    "dataset", "data_dir", "image_dir", "cache_dir", "classes", "crop", "grids", "seed", "out",
)  # fmt: skip

OF_RUN = ("data_dir", "image_dir", "cache_dir", "seed")  # that may differ from a run's own


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("samples", None, ".npz, .npy, folder or .zip of the images to score; else --run "
                "draws them", flag_values=values)  # fmt: skip
    define_path("run", None, "folder of a finished run whose data and samples are taken",
                flag_values=values)  # fmt: skip
    flags.DEFINE_enum("against", "test", ["test", "held_out"], "real images to compare with: the "
                      "data set's, or those that --run kept from training",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_integer("num", None, "images to compare; else as many as both sides have", 20,
                         flag_values=values)  # fmt: skip
    define_scorer_choice(values, "classifier")
    define_config_flags(values, PLACES)
    values["out"].help = "JSON file of the scores"


def run(values) -> None:
    """Prints a table: real training images, the samples; writes it as JSON to --out."""
    asked = given_settings(values)
    if classifies(values["run"].value):
        _print_errors(values["run"].value, asked)
        return
    name, run, out = values["scorer"].value, values["run"].value, asked.pop("out", None)
    weights, is_own = scorer_settings(values, [name]), values["against"].value == "held_out"
    config = _config(asked, run)
    samples = _read(values["samples"].value, run, config)
    check_held_out(config, run) if is_own else check_test_images(config)
    check_data(config)
    start_tensorflow(config.devices)
    from mgconv.datasets.cache import cache_root
    from mgconv.evaluation.samples import comparable
    from mgconv.evaluation.scorers.table import make_scorer
    from mgconv.reporting.scores import HELD_OUT, REFERENCE, score_all, score_table

    every, training, real = _real_images(config, is_own)
    if is_own:
        _note_changes(run, real.held_out)
    cache = cache_root(config.cache_dir)
    scorer = make_scorer(name, **weights, images=every, folder=cache / "classifiers")
    samples = samples or _drawn(run, real, values["num"].value, config)
    drawn, again, real = comparable(samples, training, real, values["num"].value, config.seed)
    about = HELD_OUT if is_own else REFERENCE
    systems = {about: real, "Real images (training)": again, "the samples": drawn}
    reads_classes = name == "classifier" and samples[1] is not None
    rows = score_all(systems, scorer, reads_classes, cache / "predictions")
    table = score_table(rows, scorer, reads_classes, config.seed)
    print(table.markdown())
    print(f"Reference: {about.lower()} of {config.dataset}; {scorer.identity}")
    if out:
        _write(Path(out), {"scores": rows, "table": table.to_json(), "scorer": scorer.identity})


def _print_errors(run: str, asked: dict[str, Any]) -> None:
    """A table of a classifier's errors."""
    out, config = asked.pop("out", None), _config(asked, run, "classify")
    check_data(config)
    start_tensorflow(config.devices)
    import mgconv
    from mgconv.evaluation.errors import error_of, images_by_knowledge
    from mgconv.reporting.scores import error_table

    model, parts = mgconv.load(run), images_by_knowledge(config)
    rows = [
        {"images": about, "num_images": len(images), "error": error_of(model, images, about)}
        for about, images in parts.items()
    ]
    table = error_table(rows, config.seed)
    print(table.markdown())
    if out:
        _write(Path(out), {"errors": rows, "table": table.to_json()})


def _config(asked: dict[str, Any], run: str | None, task: str = "synthesize") -> Config:
    """Of the data: what is asked for, or the run's own."""
    if run is None:
        return config_for(**asked)
    config = check_run(run, task)[0]
    asked = {n: x for n, x in asked.items() if n != "dataset" or x != config.dataset}
    strange = [f"--{name}" for name in asked if name not in OF_RUN]
    if strange:
        found = ", ".join(strange)
        raise UserError("--run says what its data are, and does not read", found, "Leave it out.")
    return dataclasses.replace(config, **asked, devices=Config.devices)


def _read(path: str | None, run: str | None, config: Config):
    """What a person gave to score; None where the run draws it."""
    from mgconv.datasets.table import DATASETS
    from mgconv.evaluation.samples import read_samples

    if path is None and run is not None:
        return None
    samples = read_samples(path, DATASETS[config.dataset].channels)
    _check_size(samples[0].shape[1], config.size)
    return samples


def _real_images(config: Config, is_own: bool):
    """Images of all classes, that a classifier is trained on; those to compare samples with."""
    from mgconv.datasets.table import choose_classes, load_held_out, load_split

    every = load_split(dataclasses.replace(config, classes="all"))
    training = every.only(choose_classes(config.classes, every.class_names))
    return every, training, load_held_out(config) if is_own else load_split(config, "test")


def _note_changes(run: str, now: str) -> None:
    """More images than the run had are no fault: none that it trained on is held out."""
    then = check_run(run, "synthesize")[1].get("held_out_images")
    if then != now:
        print(f"The data have changed: {run} held out {then}; now {now}", flush=True)


def _drawn(run: str, real, num: int | None, config: Config):
    """As many samples of the run as there are real images, of the same classes."""
    import numpy as np

    import mgconv
    from mgconv.evaluation.synthesis import draw, weights_key

    system = mgconv.load(run)
    rows = np.random.default_rng(config.seed).permutation(len(real))[:num]
    labels = np.sort(real.labels[rows])
    labels = labels[np.isin(labels, system.labels or labels)]
    name = f"{weights_key(Path(run))}-{config.seed}-like-{zlib.crc32(labels.tobytes()):08x}.npy"
    images = draw(system, labels, config.seed, Path(run) / "drawn" / name)
    known = (labels, np.array(system.class_names)) if system.labels else (None, None)
    return images, *known


def _write(path: Path, content: dict[str, Any]) -> None:
    from mgconv.io.files import write_json
    from mgconv.training.provenance import provenance

    write_json(path, content | provenance())


def _check_size(side: int, size: int) -> None:
    if side != size:
        found = f"{side} x {side}, the data {size} x {size}"
        remedy = f"To compare real images at that size give --grids=1,{side}."
        raise UserError("Samples of another size", found, remedy)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
