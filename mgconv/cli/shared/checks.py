"""What is checked before TensorFlow is imported: the paths and names that a person gave."""

import dataclasses
from pathlib import Path
from typing import Any

from mgconv.cli.shared.program import command
from mgconv.config import Config
from mgconv.errors import UserError, choose
from mgconv.recipes import METHODS

ELSEWHERE = {  # a task that a model cannot do -> what to do instead
    "synthesize": "It fills pictures: see mgconv inpaint.",
    "inpaint": "Give another; of a model a class the folder of one class.",
    "features": "Give another; of a model a class the folder of one class.",
}

CLASSIFIES = "It classifies pictures: see mgconv evaluate."

FILES = (
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".npz", ".npy",
)  # fmt: skip


def check_data(config: Config):
    """The source of the config's images, or None where only TensorFlow can read it.

    Raises:
        UserError: no such folder or zip, no image in it, no such split or class.
    """
    from mgconv.datasets.table import DATASETS, choose_classes

    row = DATASETS[choose("data set", config.dataset, DATASETS)]
    if row.prepared and config.image_dir is None:
        _check_data_dir(config)
        return None
    source = row.read(config.split, config.data_dir, config.image_dir)
    choose_classes(config.classes, source.class_names)
    return source


def _check_data_dir(config: Config) -> None:
    place = config.data_dir
    if place and "://" not in place and not Path(place).expanduser().is_dir():
        remedy = f"Run: {command(f'prepare --dataset={config.dataset} --data_dir={place}')}"
        raise UserError(f'No prepared "{config.dataset}" in', place, remedy)


def check_run(folder: str | None, task: str) -> tuple[Config, dict[str, Any]]:
    """Config and facts of the data of the run in a folder, whose model can do a task.

    Args:
        folder: of the run.
        task: "synthesize", "inpaint" or "features".

    Raises:
        UserError: no folder, no run in it, or a model that cannot do this.
    """
    from mgconv.training.records import read_config

    if folder is None:
        raise UserError("--run is missing", "no folder", "Give the folder of a finished run.")
    config, data = read_config(Path(folder))
    row = METHODS[config.method]
    by_class = {"inpaint": config.is_by_class, "features": config.classes == "each"}
    if task not in row.can or by_class.get(task):
        found = f"--method={config.method} --classes={config.classes}"
        remedy = CLASSIFIES if row.reads_labels else ELSEWHERE[task]
        raise UserError(f"The run in {folder} cannot {task}", found, remedy)
    return config, data


def check_energies(folder: str | None) -> tuple[Config, dict[str, Any]]:
    """Config and facts of the data of the run in a folder, whose model has one energy a grid.

    Raises:
        UserError: it has none, or one a class; or as `check_run`.
    """
    config, data = check_run(folder, "features")
    if not METHODS[config.method].is_energy_based:
        raise UserError(f"The run in {folder} has no energy", config.method, "Give another.")
    return config, data


def classifies(folder: str | None) -> bool:
    """Whether the run in a folder is a classifier."""
    from mgconv.training.records import read_config

    return folder is not None and METHODS[read_config(Path(folder))[0].method].reads_labels


def check_held_out(config: Config, folder: str | None) -> None:
    """Raises a UserError where the run in a folder has no images of its own to judge it by."""
    if folder is None:
        remedy = "Give the run that kept them from training: --run=DIR."
        raise UserError("--against=held_out needs", "no --run", remedy)
    if not config.held_out:
        remedy = "Train with --held_out=0.1, or give --against=test where there are test images."
        raise UserError(f"The run in {folder} held out", "no images", remedy)


def check_test_images(config: Config) -> None:
    """Raises a UserError where the config's data have no test images."""
    if config.image_dir and config.dataset == "image_dir":
        train = command(f"train --image_dir={config.image_dir} --held_out=0.1 --out=RUN")
        remedy = f"Run: {train}; then: {command('evaluate --against=held_out --run=RUN')}"
        raise UserError("No test images are in", f"--image_dir={config.image_dir}", remedy)
    check_data(dataclasses.replace(config, split="test"))


def place_of_results(
    out: str | None, run: str, stem: str, ending: str = ".png", home: str = "samples"
) -> str:
    """Where results go, without their ending: --out is a folder, or a name that has it.

    Args:
        out: what a person gave; None: a folder of the run.
        run: folder of the run.
        stem: of the names in a folder.
        ending: of the results' names.
        home: name of that folder of the run.

    Raises:
        UserError: a name of another kind of file.
    """
    if out is None:
        return str(Path(run) / home / stem)
    path = Path(out)
    if path.suffix.lower() == ending and not path.is_dir():
        return str(path.with_suffix(""))
    if path.suffix.lower() in FILES and not path.is_dir():
        raise UserError(f"--out is no name of a {ending}", out, "Give one, or a folder.")
    return str(path / stem)
