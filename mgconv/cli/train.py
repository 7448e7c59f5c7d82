"""Learn one model of any images.

mgconv train --dataset=digits --classes=3
mgconv train --image_dir=photos.zip
"""

import shlex
from pathlib import Path

from mgconv.cli.flags import config_for, define_config_flags, given_settings
from mgconv.cli.program import main, start_tensorflow
from mgconv.datasets.table import load_split
from mgconv.recipes import METHODS
from mgconv.training.compare import learn_each

define_flags = define_config_flags  # this program has no others


def run(values) -> None:
    """Trains what the flags describe and says where the run lies."""
    given = given_settings(values)
    config_for(**given)  # what is wrong is reported before TensorFlow starts
    start_tensorflow(given.get("devices"))
    suggests = _wants_suggestions(given)
    if suggests:
        given |= _told(given, _nets_for(given))
    config = config_for(**given)
    folder = Path(config.out or default_folder(config))
    images = load_split(config)
    if suggests:
        config = config_for(**given | _told(given, _batch_for(config, images)))
    if config.classes == "each" and METHODS[config.method].is_energy_based:
        learn_each(config, images, folder)
    else:
        from mgconv.training.fit import learn, report

        learner, seconds = learn(config, images, folder)
        report(folder, learner, seconds)
    name = shlex.quote(str(folder))
    print(f"{folder}: look at samples/, and at contrast and gap in: tensorboard --logdir {name}")
    masked = METHODS[config.method].masked
    asked = "inpaint --image=photo.png --mask=mask.png" if masked else "sample"
    print(f"Try it: python -m experiments.{asked} --run={name}")


def _wants_suggestions(given: dict) -> bool:
    """Whether a person has images of their own and did not say how much to learn."""
    return given.get("dataset") == "image_dir" and "image_dir" in given and "scale" not in given


def _nets_for(given: dict):
    from mgconv.cli.suggest import suggest_nets
    from mgconv.datasets.archives import image_files

    return suggest_nets(image_files(given["image_dir"]), _num_gpus(), given.get("crop"))


def _batch_for(config, images):
    import numpy as np

    from mgconv.cli.suggest import suggest_batch

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
    from mgconv.datasets.archives import existing

    data = config.dataset
    if config.image_dir:
        place = existing(config.image_dir)
        data = place.name if place.is_dir() else place.stem
    classes = config.classes.replace(",", "+")
    return Path("runs") / f"{data}-{classes}-{config.method}-{config.recipe}-{config.seed}"


if __name__ == "__main__":
    main(run, define_flags, __doc__)
