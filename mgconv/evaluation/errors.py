"""How often a trained classifier is wrong, on images by what it was told of them."""

import numpy as np

from mgconv.config import Config
from mgconv.datasets.batches import in_batches
from mgconv.datasets.few_labels import split_labels
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.table import load_held_out, load_split
from mgconv.io.images import to_float
from mgconv.models.kinds import Classifier

AT_ONCE = 1000  # images in memory


def images_by_knowledge(config: Config) -> dict[str, ImageSet]:
    """Images of a run's data: whose labels it learned from, by which is chosen, and the others.

    The last are new to it: test images, or those of --held_out, where the data have them.
    """
    training = load_split(config)
    split = split_labels(training, config.labels, config.seed)
    rows = {
        "labels learned from": split.learned,
        "labels to choose by": split.validation,
        "trained on without labels" if config.unlabeled else "not trained on": split.hidden,
    }
    found = {about: training.at(part) for about, part in rows.items() if len(part)}
    if config.held_out:
        found["held out"] = load_held_out(config)
    if config.image_dir is None or config.dataset != "image_dir":
        found["test"] = load_split(config, "test")
    return found


def predict(model: Classifier, images: np.ndarray, about: str) -> np.ndarray:
    """The class of each of uint8 images [N, S, S, C], int64 [N]."""
    if not len(images):
        return np.empty(0, np.int64)
    (likely,) = in_batches(lambda x: [model.classify(to_float(x))], images, about, AT_ONCE)
    return np.asarray(model.labels, np.int64)[likely.argmax(axis=1)]


def error_of(model: Classifier, images: ImageSet, about: str) -> float:
    """Share of the images whose class it says wrong."""
    return float((predict(model, images.pixels, about) != images.labels).mean())
