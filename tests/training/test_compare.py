"""Which classes a comparison trains."""

import numpy as np
from conftest import refused, tiny_config

from mgconv.datasets.image_set import ImageSet
from mgconv.training.compare import Entry, without_tiny_classes


def images_of(toy_images, *counts):
    """As many images of classes a, b, c, ... as are asked."""
    labels, names = np.repeat(range(len(counts)), counts), tuple("abcd"[: len(counts)])
    return ImageSet(toy_images(num=len(labels)).pixels, labels, names)


def entry_of(tmp_path, classes="each", named=None):
    return Entry(tiny_config(classes=classes, batch_size=4), tmp_path, named)


def test_a_class_of_one_image_is_left_out_by_all_methods(toy_images, tmp_path, capsys):
    images = images_of(toy_images, 5, 1, 4)
    assert without_tiny_classes(entry_of(tmp_path), images).classes == ("a", "c")
    assert "left out, with fewer than two images: b 1" in capsys.readouterr().out
    assert without_tiny_classes(entry_of(tmp_path, named=("b", "c")), images).classes == ("c",)


def test_classes_that_are_not_told_apart_are_left_as_they_are(toy_images, tmp_path):
    entry = entry_of(tmp_path, classes="all")
    assert without_tiny_classes(entry, images_of(toy_images, 5, 1)) is entry


def test_a_class_below_the_batch_is_refused(toy_images, tmp_path):
    line = refused(without_tiny_classes, entry_of(tmp_path), images_of(toy_images, 5, 3))
    assert line == "A batch is larger than a class: 4; b 3. Give at most --batch_size=3."
