"""From images as a person has them to a trained model, in one call."""

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from mgconv.config import Config, make_config
from mgconv.datasets.archives import existing
from mgconv.datasets.decoding import resize
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.sources import in_memory
from mgconv.datasets.splits import hold_out
from mgconv.datasets.table import DATASETS, load_split
from mgconv.errors import UserError, choose
from mgconv.io.images import to_uint8
from mgconv.models.inputs import RANGE, as_float, given_images
from mgconv.models.loading import load
from mgconv.models.suggest import left_open, num_gpus, suggest_for, suggest_nets
from mgconv.training.compare import learn_each
from mgconv.training.fit import learn, report

FIELDS = tuple(Config.__dataclass_fields__)


def train(
    images: Any, image_labels: Any = None, out: str | os.PathLike | None = None, **settings
) -> Any:
    """A model trained on images; see `mgconv.train`."""
    if isinstance(images, Config):
        config, data = images, load_split(images)
    elif isinstance(images, str | os.PathLike):
        config, data = _of_place(os.fspath(images), _checked(settings))
    else:
        config, data = _of_array(given_images(images), image_labels, _checked(settings))
    if out or config.out:
        folder = Path(out or config.out or "").expanduser()
        learn_all(config, data, folder)
        return load(folder, config.devices)
    place = tempfile.TemporaryDirectory(prefix="mgconv-")  # a model a class reads it later, too
    try:
        learn_all(config, data, Path(place.name))
        model = load(place.name, config.devices)
    except BaseException:
        place.cleanup()
        raise
    weakref.finalize(model, place.cleanup)
    return model


def learn_all(config: Config, images: ImageSet, folder: Path) -> None:
    """Trains, or resumes, the model of a config in a folder; with classes="each" one a class."""
    if config.is_by_class:
        learn_each(config, images, folder)
    else:
        learner, seconds = learn(config, images, folder)
        report(folder, learner, seconds)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    settings = {choose("setting", name, FIELDS): value for name, value in settings.items()}
    if {"minutes", "num_updates"} <= settings.keys():
        raise UserError("Two budgets", "minutes and num_updates", "Give one of them.")
    return settings | ({"grids": tuple(settings["grids"])} if "grids" in settings else {})


def _of_place(place: str, given: dict[str, Any]) -> tuple[Config, ImageSet]:
    """Of a folder or zip, or of a row of DATASETS."""
    if place in DATASETS and "image_dir" not in given:
        config = _config(given | {"dataset": place})
        return config, load_split(config)
    given = {"dataset": "image_dir", "image_dir": str(existing(place))} | given
    if "scale" in given or given["dataset"] != "image_dir":
        config = _config(given)
        return config, load_split(config)
    source = DATASETS["image_dir"].read("train", None, given["image_dir"])
    given |= left_open(given, suggest_nets(source, num_gpus(), given.get("crop")))
    images = load_split(_config(given))
    return _config(given | suggest_for(given, images)), images


def _config(given: dict[str, Any]) -> Config:
    return make_config({"grids": DATASETS[given["dataset"]].grids}, **given)


def _of_array(images: np.ndarray, labels: Any, given: dict[str, Any]) -> tuple[Config, ImageSet]:
    pixels = _as_pixels(images)
    names, places = np.unique(_labels(labels, len(pixels)), return_inverse=True)
    source = in_memory(list(zip(pixels, places.tolist())), [str(name) for name in names], {})
    given = {"dataset": "image_dir"} | given
    if "scale" not in given:
        given |= left_open(given, suggest_nets(source, num_gpus(), given.get("crop")))
    config = _config(given)
    data = ImageSet(_at_size(pixels, config), places.astype(np.int64), source.class_names)
    data = hold_out(data, config.held_out)[0] if config.held_out else data
    return config if "scale" in given else _config(given | suggest_for(given, data)), data


def _as_pixels(images: np.ndarray) -> np.ndarray:
    """Given images as uint8.

    Raises:
        UserError: no image, or floats without any below 0, as those of [0, 1] are.
    """
    if not len(images):
        raise UserError("There is no image to train on", list(images.shape), "Give two or more.")
    if images.dtype == np.uint8:
        return images
    images = as_float(images)
    if images.min() >= 0:
        remedy = f"{RANGE} Of [0, 1] give 2 * images - 1."
        raise UserError("Not one pixel is below 0", f"{images.min():g}..{images.max():g}", remedy)
    return to_uint8(images)


def _labels(labels: Any, num: int) -> np.ndarray:
    """The class of each of a number of images; all of one where none are given."""
    if labels is None:
        return np.full(num, "images")
    labels = np.asarray(labels)
    if labels.shape != (num,) or labels.dtype.kind not in "iuU":
        found = f"{labels.dtype} {list(labels.shape)}"
        raise UserError("Labels do not fit the images", found, f"Give {num} numbers or names.")
    return labels


def _at_size(pixels: np.ndarray, config: Config) -> np.ndarray:
    """uint8 [N, S', S', C] at the size of the top grid."""
    side, size = pixels.shape[1], config.size
    if min(side, config.crop or side) < size:
        remedy = f"Give grids up to {min(side, config.crop or side)}."
        raise UserError("Images are smaller than the top grid", f"{side} < {size}", remedy)
    if side == size:
        return pixels
    print(f"images: {side} x {side} pixels are made {size} x {size}", flush=True)
    return np.stack([resize(image, size, config.crop) for image in pixels])
