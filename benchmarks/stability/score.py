"""How far the samples of a run are from real images that it was not trained on; one number a line.

python -m benchmarks.stability.score --run=runs/stability/photos/seed0 --out=scores.json \
    --scorer=keras --scorer_path=mobilenet_v1_0.75_224.npz

Writes a JSON, and beside it a picture of 64 samples.
"""

import dataclasses
from pathlib import Path

import numpy as np
from absl import flags

from mgconv.cli.shared.flags import define_scorer_flags, scorer_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.table import load_split
from mgconv.errors import UserError

NUM_SCORED = 800  # samples, and real images at most, of a distance by a network for photographs
NUM_SHOWN, COLUMNS = 64, 8
SEED = 0  # of the samples


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_string("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_string("out", None, "JSON of the scores", flag_values=values)
    flags.DEFINE_enum("scorer", None, ["keras", "classifier"], "who scorers the samples; without "
                      "one there is only a picture", flag_values=values)  # fmt: skip
    flags.DEFINE_string("held_out", None, "folder or .zip of the images to compare samples with; "
                        "by default the test images", flag_values=values)  # fmt: skip
    define_scorer_flags(values)


def run(values) -> None:
    """Draws samples, scores them, writes both files."""
    for name in ("run", "out"):
        if values[name].value is None:
            raise UserError(f"--{name} is missing", "nothing", "Give it.")
    folder, path = Path(values["run"].value), Path(values["out"].value)
    scorer_name = values["scorer"].value
    weights = scorer_settings(values, [scorer_name])
    start_tensorflow()
    from mgconv.evaluation.scorers.table import make_scorer
    from mgconv.io.files import write_json
    from mgconv.io.images import enlarge, save_png, tile

    if scorer_name == "keras":
        scorer = make_scorer("keras", **weights)
        samples, labels, scores = score(folder, scorer, values["held_out"].value)
    elif scorer_name == "classifier":
        samples, labels, scores = score_classes(folder)
    else:
        samples, labels, scores = *_drawn(folder, np.zeros(NUM_SHOWN, int)), {}
    rows = np.argsort(labels, kind="stable")
    rows = rows[np.linspace(0, len(rows) - 1, min(NUM_SHOWN, len(rows))).astype(int)]
    save_png(path.with_suffix(".png"), tile(enlarge(samples[rows], 32), COLUMNS))
    write_json(path, scores)  # last: where it is, all is


def score(folder: Path, scorer, held_out: str | None = None):
    """Frechet distance of samples of a run to images that were held out.

    Args:
        folder: of the run.
        scorer: a Scorer.
        held_out: folder or .zip of the images; None takes the test images of the run's data set.

    Returns:
        Samples, their labels, and the scores: "distance", and "real", that of training images.
    """
    from mgconv.evaluation.metrics import frechet_distance
    from mgconv.reporting.scores import predict_once
    from mgconv.training.records import read_config

    config, _ = read_config(folder)
    apart = dataclasses.replace(config, dataset="image_dir", image_dir=held_out, classes="all")
    held = load_split(apart) if held_out else load_split(config, "test")
    samples, labels = _drawn(folder, np.zeros(NUM_SCORED, int))
    sides = {
        "samples": samples,
        "Real images, held out": held.some(NUM_SCORED),
        "Real images, training": load_split(config).some(NUM_SCORED),
    }
    cache = _cache(config)
    drawn, held, training = (
        predict_once(scorer, images, name, cache).features for name, images in sides.items()
    )
    distance, real = (round(frechet_distance(x, held), 2) for x in (drawn, training))
    return samples, labels, {"scorer": scorer.name, "distance": distance, "real": real}


def score_classes(folder: Path):
    """What experiment 1 says of a model a class, by a classifier of the training images.

    Returns:
        Samples, as many of each class as there are test images; their labels; the scores:
        "distance" and that of a control, "recognized" and "spread" over the test images'.
    """
    from mgconv.evaluation.samples import LabeledSamples, class_mean_control
    from mgconv.evaluation.scorers.table import make_scorer
    from mgconv.reporting.scores import REFERENCE, score_all
    from mgconv.training.records import read_config

    config, _ = read_config(folder)
    training, test = load_split(config), load_split(config, "test")
    scorer = make_scorer("classifier", images=training, folder=_cache(config))
    drawn = LabeledSamples(*_drawn(folder, test.labels))
    known = LabeledSamples(training.pixels, training.labels)
    systems = {
        REFERENCE: LabeledSamples(test.pixels, test.labels),
        "class mean + noise": class_mean_control(known, test.labels, SEED),
        "samples": drawn,
    }
    _, control, scores = score_all(systems, scorer, True, _cache(config))
    found = {"scorer": scorer.name, "distance": scores["frechet"], "control": control["frechet"]}
    return *drawn, found | {name: scores[name] for name in ("recognized", "spread")}


def _drawn(folder, labels):
    import mgconv
    from mgconv.evaluation.synthesis import draw, weights_key

    path = folder / "drawn" / f"stability-{weights_key(folder)}-{len(labels)}.npy"
    return draw(mgconv.load(folder), labels, SEED, path), labels


def _cache(config):
    from mgconv.datasets.cache import cache_root

    return cache_root(config.cache_dir) / "predictions"


if __name__ == "__main__":
    main(run, define_flags, __doc__)
