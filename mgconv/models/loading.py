"""From the folder of a run to its trained model."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from mgconv.config import Config, Dynamics
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError, choose
from mgconv.models.kinds import Model
from mgconv.models.multigrid import MultigridModel
from mgconv.models.per_class import PerClassModel
from mgconv.models.saved import is_saved, put, read_tensors
from mgconv.recipes import METHODS
from mgconv.training.build import Start, build, named
from mgconv.training.checkpoints import Checkpoints, has_learned
from mgconv.training.devices import make_strategy
from mgconv.training.fit import describe, reference_images
from mgconv.training.loop import Learner
from mgconv.training.records import read_config


def load(folder: str | os.PathLike, devices: str = "auto", **dynamics) -> Model:
    """The trained model in the folder of a run.

    Args:
        folder: of a run, of one with a model a class, or of a saved model.
        devices: that share its chains, as the flag --devices; whatever it was trained on.
        **dynamics: fields of Dynamics other than trained with.

    Raises:
        UserError: the folder is no run, holds no checkpoint, or a cut or changed file.
    """
    folder = Path(folder).expanduser()
    config, data = read_config(folder)
    config = with_dynamics(config, dynamics)
    row = METHODS[config.method]
    if is_saved(folder):
        return _saved(folder, config, data, devices)
    if config.is_by_class:
        return _per_class(folder, config, data, devices, dynamics)
    strategy = make_strategy(devices, config.method, config.batch_size)
    learner = build(config, data, strategy=strategy)
    _restore(learner, folder)
    return named(row.model)(learner, config, data)


def with_dynamics(config: Config, dynamics: dict) -> Config:
    """The config with other fields of Dynamics.

    Raises:
        UserError: a name that is none of them, or a method that runs no chains.
    """
    for name in dynamics:
        choose("dynamics", name, [field.name for field in dataclasses.fields(Dynamics)])
    if dynamics and not METHODS[config.method].is_energy_based:
        raise UserError(f"{config.method} runs no chains", ", ".join(dynamics), "Leave it out.")
    return dataclasses.replace(config, **dynamics)


def _saved(folder: Path, config: Config, data: dict[str, Any], devices: str) -> Model:
    """A saved model: its weights are the averaged ones already."""
    tensors, names = read_tensors(folder), data["class_names"]
    strategy = make_strategy(devices, config.method, config.batch_size)
    alone = dataclasses.replace(config, average_decay=0.0)

    def read(label, model):
        if model is None:
            model = MultigridModel(build(alone, data, strategy=strategy), config, data)
        put(tensors, model.learner, folder, "" if label is None else f"{names[label]}/")
        return model

    labels = [label for label, name in enumerate(names) if f"{name}/colors" in tensors]
    return PerClassModel(config, data, lambda: labels, read) if labels else read(None, None)


def _per_class(folder, config, data, devices, dynamics) -> PerClassModel:
    places = [folder / name for name in data["class_names"]]

    def trained():
        return [i for i, place in enumerate(places) if has_learned(place / "checkpoints")]

    def read(label, model):
        if model is None:
            return load(places[label], devices, **dynamics)
        _restore(model.learner, places[label])
        return model

    if not trained():
        raise _no_checkpoint(folder)
    return PerClassModel(config, data, trained, read)


def _restore(learner: Learner, folder: Path) -> None:
    if not Checkpoints(learner, folder / "checkpoints").restore() or not learner.update_count:
        raise _no_checkpoint(folder)


def _no_checkpoint(folder):
    return UserError("No checkpoint in", folder, "Run its training command again.")


def untrained(config: Config, images: ImageSet) -> Model:
    """The model as it is before its first update: a control."""
    data = describe(images)
    learner = build(config, data, Start(images.colors, reference_images(images, config)))
    return named(METHODS[config.method].model)(learner, config, data)
