"""Train a model for every combination of some settings, and compare them.

mgconv sweep --vary=drift=0.01,0.02 --vary=noise=0.002,0.004 --minutes=1
mgconv sweep --vary=recipe=modern,released --vary=seed=0,1,2 --image_dir=faces.zip
mgconv sweep --vary=seed=0,1,2,3 --jobs=2
mgconv sweep --one_at_a_time --vary=activation=relu,gelu --vary=data_noise=0

One folder a run; a finished run is reused, so an interrupted sweep resumes. A second sweep in the
same folder trains what nobody trains yet. Every tenth training image is held out, or --held_out of
them: with --scorer samples are scored against those. Once the settings are chosen, --against=test
trains on all training images and scores against test images instead.
"""

import hashlib
from pathlib import Path

import numpy as np
from absl import flags

from mgconv.cli.shared.flags import (
    define_config_flags,
    define_scorer_choice,
    given_settings,
    scorer_settings,
)
from mgconv.cli.shared.jobs import (
    Part,
    asked_place,
    define_jobs_flags,
    in_turn,
    refuse_failed,
    train_at_once,
    train_only,
)
from mgconv.cli.shared.points import configs_of, points_of, read_varied
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError
from mgconv.reporting.sweep import HEALTH, MEASURES, shown, write_report

HELD_OUT = 10  # one training image in this many is held out
MAX_NAME = 255  # bytes of a folder's name
MOST_SCORED = 2000  # images that samples are scored against


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_multi_string("vary", [], "NAME=V1,V2: a setting and its values; several "
                              "--vary give all combinations", flag_values=values)  # fmt: skip
    flags.DEFINE_bool("one_at_a_time", False, "train each value of each --vary alone, and the "
                      "settings as given, and no combinations", flag_values=values)  # fmt: skip
    flags.DEFINE_enum("against", "held_out", ["held_out", "test"], "images that samples are scored "
                      "against: to choose settings, or to report the chosen",
                      flag_values=values)  # fmt: skip
    define_jobs_flags(values, "combinations")
    define_scorer_choice(values, None)
    define_config_flags(values)


def run(values) -> None:
    """Trains every combination, writes results.json and the report."""
    given = given_settings(values)
    folder = Path(given.pop("out", "runs/sweep"))
    chosen, against = values["scorer"].value, values["against"].value
    weights = scorer_settings(values, [chosen])
    varied = read_varied(values["vary"].value)
    points = points_of(varied, values["one_at_a_time"].value)
    configs = configs_of(given, points, chosen)
    asked_place(values)
    start_tensorflow(given.get("devices"))
    from mgconv.evaluation.scorers.table import make_scorer

    parts = {name: _part(config, folder, name, against) for name, config in configs.items()}
    if train_only(values, parts):
        return
    scorer = None
    if chosen not in (None, "classifier"):  # wrong weights are reported before hours of training
        scorer = make_scorer(chosen, **weights)
    outcome = train_at_once(values, "mgconv sweep", parts, folder)
    rows: dict[str, dict] = {}

    def one_row(name: str) -> None:
        place, config = parts[name].folder, configs[name]
        sides = training_and_held_out(config, against)
        row = rows[name] = train_and_score(config, points[name], place, sides, chosen, scorer)
        seen = ", ".join(f"{n} {shown(row[n])}" for n in MEASURES if n in row)
        print(f"{place}: {seen or 'no model'}", flush=True)

    failed = outcome.failed if outcome else {}
    left = in_turn([name for name in configs if name not in failed], one_row)
    if left:
        print(f"Left to another sweep, whose report has them: {', '.join(left)}", flush=True)
    rows = {name: rows[name] for name in configs if name in rows}
    print(f"Report: {write_report(folder, varied, rows, chosen, against)}", flush=True)
    refuse_failed(outcome)


def _part(config, folder: Path, name: str, against: str) -> Part:
    """The training of one point."""
    place = folder / _folder_name(name)

    def train():
        from mgconv.training.compare import Entry, train_or_reuse

        train_or_reuse(Entry(config, place), training_and_held_out(config, against)[0])

    return Part(place, train)


def _folder_name(name: str) -> str:
    """A run's name; of a long one its start and a hash, where a file system has no such names."""
    name = name.replace("/", "-")
    if len(name.encode()) <= MAX_NAME:
        return name
    start = name.encode()[:200].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def training_and_held_out(config, against: str):
    """Images to train on; images that no model is trained on, to score against."""
    from mgconv.datasets.table import load_held_out, load_split

    images = load_split(config)
    if against == "test":
        held = load_split(config, "test")
    elif config.held_out:
        held = load_held_out(config)
    else:
        is_held = np.arange(len(images)) % HELD_OUT == HELD_OUT - 1
        images, held = images.at(~is_held), images.at(is_held)
    if len(held) < 2:
        found = f"{len(images)} to train on, {len(held)} to score"
        raise UserError("Too few images to hold some out", found, "Give more.")
    every = -(-len(held) // MOST_SCORED)
    return images, held.at(slice(None, None, every))


def train_and_score(
    config, point: dict, folder: Path, sides, chosen: str | None, scorer=None
) -> dict:
    """One run: what it cost, how healthy it ended, how far its samples are from other images.

    Args:
        config: of the run.
        point: the settings that vary.
        folder: of the run.
        sides: images to train on, images to score against.
        chosen: name of the scorer, None for no score.
        scorer: made before; a classifier is trained on the training images instead.
    """
    from mgconv.training.compare import Entry, has_failed, train_or_reuse
    from mgconv.training.records import read_metrics

    training, held = sides
    if chosen == "classifier":  # classes that cannot be told apart are reported before training
        scorer = _classifier(config, training)
    facts = train_or_reuse(Entry(config, folder), training)
    row: dict = {"settings": point, "facts": facts}
    if has_failed(facts):
        return row
    lines = []
    for path in (folder / "metrics.jsonl", *folder.glob("*/metrics.jsonl")):  # a model a class
        of_model = read_metrics(path)
        lines += of_model[-max(1, len(of_model) // 4) :]
    for name in HEALTH:
        found = [line[key] for line in lines if (key := f"{name}/{config.size}") in line]
        row[name] = float(np.mean(found)) if found else None
    if chosen:
        row["frechet"] = _frechet(config, folder, held, scorer)
    _note_figures(folder, row)
    return row


def _classifier(config, training):
    from mgconv.datasets.cache import cache_root
    from mgconv.evaluation.scorers.table import make_scorer

    folder = cache_root(config.cache_dir) / "classifiers"
    return make_scorer("classifier", images=training, folder=folder)


def _frechet(config, folder, held, scorer) -> float:
    """Frechet distance of as many samples as there are held-out images to them."""
    import mgconv
    from mgconv.datasets.cache import cache_root
    from mgconv.evaluation.metrics import frechet_distance
    from mgconv.io.images import to_uint8
    from mgconv.reporting.scores import predict_once

    drawn = to_uint8(mgconv.load(folder).synthesize(held.labels, config.seed))
    cache = cache_root(config.cache_dir) / "predictions"
    sides = {"samples": drawn, "Real images": held.pixels}
    predictions = [predict_once(scorer, images, about, cache) for about, images in sides.items()]
    return frechet_distance(*(side.features for side in predictions))


def _note_figures(folder: Path, row: dict) -> None:
    """The run's figures, beside its settings, for TensorBoard's HParams page."""
    import tensorflow as tf

    with tf.summary.create_file_writer(str(folder / "tensorboard")).as_default(step=0):
        for name in MEASURES:
            if row.get(name) is not None:
                tf.summary.scalar(f"final/{name}", row[name])


if __name__ == "__main__":
    main(run, define_flags, __doc__)
