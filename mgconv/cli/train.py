"""Train one model on any images.

mgconv train --dataset=digits --classes=3
mgconv train --image_dir=photos.zip
"""

import shlex
from pathlib import Path

from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import command, main, start_tensorflow
from mgconv.config import Config
from mgconv.recipes import METHODS, OF_ENERGIES

define_flags = define_config_flags  # this program has no others


def run(values) -> None:
    """Trains what the flags describe and says where the run lies."""
    from mgconv.datasets.table import load_split

    given = given_settings(values)
    source = check_data(config_for(**given))
    start_tensorflow(given.get("devices"))
    suggests = _wants_suggestions(given)
    if suggests:
        given |= _left_open(given, _nets_for(given, source))
    config = config_for(**given)
    folder = Path(config.out or default_folder(config))
    images = load_split(config)
    if suggests:
        config = config_for(**given | _left_open(given, _batch_for(config, images)))
    _train(config, images, folder)
    name = shlex.quote(str(folder))
    print(f"{folder}: look at samples/, and at contrast and gap in: tensorboard --logdir {name}")
    masked = METHODS[config.method].masked
    words = "inpaint --image=photo.png --mask=mask.png" if masked else "sample"
    print(f"Try it: {command(f'{words} --run={name}')}")


def _train(config, images, folder):
    if config.classes == "each" and METHODS[config.method].is_energy_based:
        from mgconv.training.compare import learn_each

        learn_each(config, images, folder)
    else:
        from mgconv.training.fit import learn, report

        learner, seconds = learn(config, images, folder)
        report(folder, learner, seconds)


def _wants_suggestions(given: dict) -> bool:
    """Whether a person has images of their own and did not say how much to train."""
    return given.get("dataset") == "image_dir" and "image_dir" in given and "scale" not in given


def _nets_for(given: dict, source):
    from mgconv.cli.shared.suggest import num_gpus, suggest_nets

    return suggest_nets(source, num_gpus(), given.get("crop"))


def _batch_for(config, images):
    import numpy as np

    from mgconv.cli.shared.suggest import num_gpus, suggest_batch

    a_class = np.unique(images.labels, return_counts=True)[1].min()  # of one model
    return suggest_batch(a_class if config.classes == "each" else len(images), num_gpus())


def _left_open(given: dict, suggested: dict) -> dict:
    """The suggested settings that were left open and that the method reads; says which and why."""
    from mgconv.cli.shared.suggest import announced

    unread = set(given)
    if not METHODS[given.get("method", Config.method)].is_energy_based:
        unread |= OF_ENERGIES | {"batch_size"}  # a baseline has a batch of its own
    return announced({name: choice for name, choice in suggested.items() if name not in unread})


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
