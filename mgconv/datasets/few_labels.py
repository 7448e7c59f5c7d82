"""Learning from few labels (paper: experiment 2): which images have one, and batches of both."""

from typing import NamedTuple

import numpy as np

from mgconv.datasets.batches import batches
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError

LEAST = 2  # labels of a class: one to learn from, one to choose by
VALIDATION = 0.2  # share of the labeled images by which is chosen and stopped
HIDDEN = -1  # stands for a label that is not read
LABELED_SHARE = 4  # one image of so many in a batch has a label


class Subset(NamedTuple):
    """Which training images are labeled."""

    rows: np.ndarray  # int [num]
    balanced: bool  # as many of each class; else by the classes' frequencies


def labeled_subset(labels: np.ndarray, num: int, num_classes: int, seed: int) -> Subset:
    """A random draw of labeled images, balanced where every class has enough.

    Args:
        labels: int [N], of all training images.
        num: how many to draw.
        num_classes: that must all be there.
        seed: of the draw.

    Raises:
        UserError: fewer than two a class, more than there are, a class missing.
    """
    counts = np.bincount(labels, minlength=num_classes)
    least = LEAST * num_classes
    if not least <= num <= len(labels):
        remedy = f"Give between {least} and {len(labels)}."
        raise UserError("Cannot draw so many labels", num, remedy)
    if not counts.all():
        missing = ", ".join(map(str, np.flatnonzero(counts == 0)))
        raise UserError("No labeled image of the classes", missing, "Choose other data.")
    wanted = np.full(num_classes, num // num_classes)
    wanted[: num % num_classes] += 1
    balanced = bool((counts >= wanted).all())
    if not balanced:
        wanted = _by_frequency(counts, num)
    rng = np.random.default_rng([seed, num])
    rows = [
        rng.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in enumerate(wanted)
    ]
    return Subset(rng.permutation(np.concatenate(rows)), balanced)


def _by_frequency(counts: np.ndarray, num: int) -> np.ndarray:
    """Largest remainders: shares of `num`, one of each class at least."""
    exact = num * counts / counts.sum()
    wanted = np.maximum(1, np.floor(exact).astype(int))
    while wanted.sum() > num:  # many rare classes
        wanted[wanted.argmax()] -= 1
    for label in np.argsort(wanted - exact)[: num - wanted.sum()]:
        wanted[label] += 1
    return wanted


def for_validation(labels: np.ndarray, seed: int) -> np.ndarray:
    """Which of the labeled images are kept to choose by: a share of every class, bool [N]."""
    rng = np.random.default_rng([seed, 2])
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held[rows[: max(1, round(VALIDATION * len(rows)))]] = True
    return held


class Split(NamedTuple):
    """Rows of the training images by what is known of them."""

    learned: np.ndarray  # int [L], whose labels are read in training
    validation: np.ndarray  # int [V], whose labels are read to choose by
    hidden: np.ndarray  # int [N - L - V], whose labels nothing reads


def split_labels(images: ImageSet, num: int, seed: int) -> Split:
    """A draw of `num` labels, parted into those learned from and those to choose by.

    Raises:
        UserError: one class alone, or as `labeled_subset`.
    """
    classes = np.unique(images.labels)
    if len(classes) < 2:
        names = ", ".join(images.class_names[label] for label in classes)
        remedy = "Give images of two classes or more, each in a folder of its name."
        raise UserError("A classifier cannot be trained on one class", names, remedy)
    places = np.searchsorted(classes, images.labels)
    rows = labeled_subset(places, num, len(classes), seed).rows
    held = for_validation(places[rows], seed)
    hidden = np.setdiff1d(np.arange(len(images)), rows)
    return Split(rows[~held], rows[held], hidden)


def partly_labeled(
    images: ImageSet,
    labeled: np.ndarray,
    batch_size: int,
    seed: int,
    first_update: int,
    flip: bool = False,
    unlabeled: bool = True,
):
    """Endless batches (images [B, S, S, C], labels int64 [B]), as `batches` makes them.

    A quarter of a batch comes from the labeled images, the rest from all, with HIDDEN labels.
    Labels are places among the classes that are there.

    Args:
        images: all training images.
        labeled: int [L], rows whose labels may be read.
        batch_size: B; without unlabeled images the labeled quarter is all of a batch.
        seed: of the order.
        first_update: number of the first batch.
        flip: mirror half of the images at random.
        unlabeled: whether images come whose labels are hidden.

    Raises:
        UserError: a batch is larger than the data.
    """
    import tensorflow as tf

    num = min(len(labeled), max(1, batch_size // LABELED_SHARE))
    classes = np.unique(images.labels).tolist()
    known = batches(images.at(np.sort(labeled)), num, seed, first_update, flip, classes)
    if not unlabeled:
        return known
    others = batches(images, batch_size - num, seed, first_update, flip)

    def join(with_labels, without):
        observed, labels = with_labels
        hidden = tf.fill([batch_size - num], tf.constant(HIDDEN, tf.int64))
        return tf.concat([observed, without], axis=0), tf.concat([labels, hidden], axis=0)

    return tf.data.Dataset.zip((known, others)).map(join)
