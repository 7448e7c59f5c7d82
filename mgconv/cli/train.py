"""Train one model on any images.

mgconv train --dataset=digits --classes=3
mgconv train --image_dir=photos.zip
mgconv train --dataset=digits --classes=each --jobs=2
"""

import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.jobs import (
    Part,
    asked_place,
    define_jobs_flags,
    refuse_failed,
    train_at_once,
    train_only,
)
from mgconv.cli.shared.program import command, main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import UserError
from mgconv.recipes import METHODS, Method

if TYPE_CHECKING:
    from mgconv.datasets.image_set import ImageSet  # --help needs no NumPy


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    define_jobs_flags(values, "classes of --classes=each")
    define_config_flags(values)


def run(values) -> None:
    """Trains what the flags describe and says where the run lies."""
    from mgconv.datasets.table import load_split

    given = given_settings(values)
    config = config_for(**given)
    in_parts = _asks_for_parts(values, config)
    source = check_data(config)
    print(_plan(config), flush=True)  # before TensorFlow, which takes seconds
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
    parts = _parts(config, images, folder) if in_parts else {}
    if train_only(values, parts):
        return
    outcome = train_at_once(values, "mgconv train", parts, folder)
    refuse_failed(outcome)
    if outcome is None or outcome.held:  # the first of those that others have is reported
        learn_all(config, images, folder)
    name = shlex.quote(str(folder))
    row = METHODS[config.method]
    watched = "losses" if row.reads_labels else "contrast and gap"
    print(f"{folder}: look at samples/, and at {watched} in: tensorboard --logdir {name}")
    print(f"Try it: {command(f'{_to_try(row)} --run={name}')}")


def _plan(config: Config) -> str:
    """What will be done, where and for how long."""
    budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.num_updates} updates"
    what = f"{METHODS[config.method].title} of {config.dataset}, classes {config.classes}, {budget}"
    return f"{config.out or default_folder(config)}: {what}"


def _asks_for_parts(values, config: Config) -> bool:
    """Whether classes are trained at once, or one of them alone.

    Raises:
        UserError: there is one model, or no place for jobs.
    """
    asked = bool(asked_place(values) or values["only"].value)
    if asked and not config.is_by_class:
        found = f"--method={config.method} --classes={config.classes} is one model"
        remedy = "Leave out --jobs, --cluster and --only."
        raise UserError("Nothing can be trained at once", found, remedy)
    return asked


def _parts(config: Config, images: "ImageSet", folder: Path) -> dict[str, Part]:
    """The training of each class, by its name."""
    from mgconv.training.compare import Entry, learn_each, parts_of

    train = functools.partial(learn_each, config, images, folder)
    names = parts_of(Entry(config, folder), images)
    return {name: Part(folder / name, functools.partial(train, (name,))) for name in names}


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
