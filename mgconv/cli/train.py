"""Train one model on any images.

mgconv train --dataset=digits --classes=3
mgconv train --image_dir=photos.zip
"""

import shlex
from pathlib import Path

from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import command, main, start_tensorflow
from mgconv.recipes import METHODS, Method

define_flags = define_config_flags  # this program has no others


def run(values) -> None:
    """Trains what the flags describe and says where the run lies."""
    from mgconv.datasets.table import load_split

    given = given_settings(values)
    source = check_data(config_for(**given))
    start_tensorflow(given.get("devices"))
    from mgconv.models.train import learn_all

    suggests = _wants_suggestions(given)
    if suggests:
        from mgconv.models.suggest import left_open, num_gpus, suggest_for, suggest_nets

        given |= left_open(given, suggest_nets(source, num_gpus(), given.get("crop")))
    config = config_for(**given)
    folder = Path(config.out or default_folder(config))
    images = load_split(config)
    if suggests:
        config = config_for(**given | suggest_for(given, images))
    learn_all(config, images, folder)
    name = shlex.quote(str(folder))
    row = METHODS[config.method]
    watched = "losses" if row.reads_labels else "contrast and gap"
    print(f"{folder}: look at samples/, and at {watched} in: tensorboard --logdir {name}")
    print(f"Try it: {command(f'{_to_try(row)} --run={name}')}")


def _to_try(row: Method) -> str:
    if row.reads_labels:
        return "evaluate"
    return "inpaint --image=photo.png --mask=mask.png" if row.masked else "sample"


def _wants_suggestions(given: dict) -> bool:
    """Whether a person has images of their own and did not say how much to train."""
    return given.get("dataset") == "image_dir" and "image_dir" in given and "scale" not in given


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
