"""Learn one model of any images.

python -m experiments.train --dataset=digits --classes=3
python -m experiments.train --image_dir=photos.zip
"""

import dataclasses
import shlex
from pathlib import Path

from experiments.common import (
    config_for,
    define_config_flags,
    given_settings,
    load_split,
    main,
    start_tensorflow,
)
from mgconv.config import FILLERS, METHODS, UserError

define_flags = define_config_flags  # this program has no others


def run(values) -> None:
    """Trains what the flags describe and says where the run lies."""
    given = given_settings(values)
    config_for(**given)  # what is wrong is told before TensorFlow starts
    start_tensorflow(given.get("devices"))
    suggests = _wants_suggestions(given)
    if suggests:
        given |= _told(given, _nets_for(given))
    config = config_for(**given)
    folder = Path(config.out or default_folder(config))
    images = load_split(config)
    if suggests:
        config = config_for(**given | _told(given, _batch_for(config, images)))
    if config.classes == "each" and config.method in METHODS:
        learn_each(config, images, folder)
    else:
        from mgconv.learning import learn

        learner, seconds = learn(config, images, folder)
        report(folder, learner, seconds)
    name = shlex.quote(str(folder))
    print(f"{folder}: look at samples/, and at contrast and gap in: tensorboard --logdir {name}")
    asked = "inpaint --image=photo.png --mask=mask.png" if config.method in FILLERS else "sample"
    print(f"Try it: python -m experiments.{asked} --run={name}")


def _wants_suggestions(given: dict) -> bool:
    """Whether a person has images of their own and did not say how much to learn."""
    return given.get("dataset") == "image_dir" and "image_dir" in given and "scale" not in given


def _nets_for(given: dict):
    from experiments.own_images import suggest_nets
    from mgconv.files import image_files

    return suggest_nets(image_files(given["image_dir"]), _num_gpus(), given.get("crop"))


def _batch_for(config, images):
    import numpy as np

    from experiments.own_images import suggest_batch

    a_class = np.unique(images.labels, return_counts=True)[1].min()  # of one model
    return suggest_batch(a_class if config.classes == "each" else len(images), _num_gpus())


def _num_gpus():
    import tensorflow as tf

    return len(tf.config.get_visible_devices("GPU"))  # none by --devices=cpu:2


def _told(given: dict, suggested: dict) -> dict:
    """The settings among these that were left open; says which and why."""
    left_open = {name: choice for name, choice in suggested.items() if name not in given}
    for name, (value, why) in left_open.items():
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"--{name}={shown}: {why}", flush=True)
    return {name: value for name, (value, _) in left_open.items()}


def default_folder(config) -> Path:
    """runs/DATA-CLASSES-METHOD-RECIPE-SEED."""
    from mgconv.files import existing

    data = config.dataset
    if config.image_dir:
        place = existing(config.image_dir)
        data = place.name if place.is_dir() else place.stem
    classes = config.classes.replace(",", "+")
    return Path("runs") / f"{data}-{classes}-{config.method}-{config.recipe}-{config.seed}"


def learn_each(config, images, folder: Path, names: tuple[str, ...] | None = None):
    """A model a class in sub-folders of `folder`, all by one learner that is traced once.

    Args:
        config: with classes="each".
        images: of all classes.
        folder: of the run with a model a class.
        names: the classes to learn; by default all.

    Returns:
        Results of each class by name, as `report` gives them.

    Raises:
        DivergenceError: of some classes, when all have been learned.
    """
    from mgconv.datasets import labels_of
    from mgconv.devices import own_folder
    from mgconv.guard import DivergenceError
    from mgconv.learning import describe, learn
    from mgconv.process import locked
    from mgconv.tracking import Run

    chosen = labels_of(names or images.class_names, images.class_names)
    counts = {images.class_names[c]: int((images.labels == c).sum()) for c in chosen}
    few = [f"{name} {count}" for name, count in counts.items() if count < config.batch_size]
    if few:  # told ahead of hours of learning the others
        found = f"{config.batch_size}; {', '.join(few)}"
        raise UserError("A batch is larger than a class", found, "Give a smaller --batch_size.")
    data = describe(images) | {"class_names": list(images.class_names)}
    run = Run(own_folder(folder), config, data)
    with locked(run.folder):
        run.begin()
    learner, results, diverged = None, {}, {}
    for label in chosen:
        name, subset = images.class_names[label], images.only([label])
        own = dataclasses.replace(config, classes=name, resume="auto")  # `run` has been asked
        epoch = len(images) // len(images.class_names)  # one learning rate schedule for all
        try:
            learner, seconds = learn(own, subset, folder / name, learner, epoch)
        except DivergenceError as error:  # told by the run; the other classes are not lost by it
            diverged[name] = error
        else:
            results[name] = report(folder / name, learner, seconds)
    if diverged:
        seen = "; ".join(f"{name}: {error.seen}" for name, error in diverged.items())
        raise DivergenceError(seen, max(error.update for error in diverged.values()))
    return results


def report(folder: Path, learner, seconds: float) -> dict:
    """Writes results.json of a learned model: how much it learned, how long, and of what making."""
    from mgconv.devices import own_folder
    from mgconv.records import read_json, write_json
    from mgconv.tracking import provenance
    from mgconv.training import num_rollbacks

    path = own_folder(folder) / "results.json"
    facts = {
        "updates": int(learner.update_count),
        "seconds": round(seconds, 1),
        "rollbacks": num_rollbacks(learner),
        "parameters": learner.parameters,
    }
    before = read_json(path) if path.exists() else {}
    if any(before.get(name) != fact for name, fact in facts.items()):
        write_json(path, facts | provenance())
    return facts


if __name__ == "__main__":
    main(run, define_flags, __doc__)
