"""Which images have a label, and batches of those that have and those that have none."""

import numpy as np
import pytest
from conftest import refused

from mgconv.datasets.few_labels import (
    HIDDEN,
    for_validation,
    labeled_subset,
    partly_labeled,
    split_labels,
)
from mgconv.errors import UserError
from mgconv.io.images import to_float


def test_a_draw_is_balanced_where_every_class_has_enough():
    labels = np.repeat(np.arange(5), 40)
    subset = labeled_subset(labels, 52, 5, seed=1)
    assert subset.balanced
    assert sorted(np.bincount(labels[subset.rows])) == [10, 10, 10, 11, 11]
    assert len(np.unique(subset.rows)) == 52


def test_a_draw_goes_by_frequency_where_a_class_has_too_few():
    labels = np.repeat([0, 1, 2], [10, 60, 130])
    subset = labeled_subset(labels, 100, 3, seed=1)
    assert not subset.balanced
    np.testing.assert_array_equal(np.bincount(labels[subset.rows]), [5, 30, 65])


def test_a_draw_with_many_rare_classes_has_as_many_labels_as_asked_for():
    labels = np.repeat(np.arange(10), [1000] + 9 * [1])
    subset = labeled_subset(labels, 20, 10, seed=1)
    np.testing.assert_array_equal(np.bincount(labels[subset.rows]), [11] + 9 * [1])


def test_draws_are_told_apart_by_their_seed_and_equal_for_equal_ones():
    labels = np.arange(100) % 4
    first, again, other = (labeled_subset(labels, 20, 4, seed).rows for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


@pytest.mark.parametrize(
    ("num", "told"), [(7, "Give between 8 and 100"), (101, "Give between 8 and 100")]
)
def test_impossible_numbers_of_labels_are_told(num, told):
    with pytest.raises(UserError, match=told):
        labeled_subset(np.arange(100) % 4, num, 4, seed=0)


def test_a_missing_class_is_told():
    with pytest.raises(UserError, match="of the classes: 3"):
        labeled_subset(np.arange(99) % 3, 20, 4, seed=0)


def test_a_validation_part_has_a_share_of_every_class():
    labels = np.repeat([0, 1, 2], [50, 10, 2])
    held = for_validation(labels, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[held]), [10, 2, 1])


def test_every_image_is_learned_from_or_for_validation_or_hidden(toy_images):
    images = toy_images(60, class_names=("a", "b", "c"))
    split = split_labels(images, 30, seed=1)
    assert [len(part) for part in split] == [24, 6, 30]
    assert sorted(np.concatenate(split)) == list(range(60))
    rows = labeled_subset(images.labels, 30, 3, seed=1).rows  # those of experiment 2
    assert set(rows) == {*split.learned, *split.validation}


def test_classes_that_were_chosen_are_drawn_from_as_if_there_were_no_others(toy_images):
    whole = toy_images(80, class_names=tuple("abcd"))
    split = split_labels(whole.only([1, 3]), 20, seed=0)
    assert [len(part) for part in split] == [16, 4, 20]


def test_one_class_is_no_task(toy_images):
    assert "one class: toy. Give images of two" in refused(split_labels, toy_images(), 4, 0)


def test_a_batch_begins_with_labels_and_hides_all_others(toy_images):
    """What is hidden cannot be told from the batch; labels belong to their images."""
    images = toy_images(40, class_names=("a", "b"))
    learned = split_labels(images, 10, seed=0).learned
    label_of = {to_float(x).tobytes(): y for x, y in zip(images.pixels, images.labels)}
    may_be_read = {to_float(images.pixels[row]).tobytes() for row in learned}
    for observed, labels in partly_labeled(images, learned, 12, 0, first_update=5).take(6):
        assert observed.shape == (12, 4, 4, 1)
        assert (labels.numpy()[3:] == HIDDEN).all()
        for image, label in zip(observed.numpy()[:3], labels.numpy()[:3]):
            assert image.tobytes() in may_be_read
            assert label_of[image.tobytes()] == label


def test_a_batch_depends_on_its_number_alone(toy_images):
    images = toy_images(40, class_names=("a", "b"))
    learned = split_labels(images, 10, seed=0).learned

    def stream(first):
        return iter(partly_labeled(images, learned, 12, 0, first_update=first, flip=True))

    late, early = stream(9), stream(7)
    for _ in range(2):
        next(early)
    for one, other in zip(next(late), next(early)):
        np.testing.assert_array_equal(one, other)


def test_without_unlabeled_images_a_batch_is_its_labeled_part(toy_images):
    images = toy_images(40, class_names=("a", "b"))
    learned = split_labels(images, 10, seed=0).learned
    with_others, alone = (
        next(iter(partly_labeled(images, learned, 12, 0, 0, unlabeled=unlabeled)))
        for unlabeled in (True, False)
    )
    for one, other in zip(with_others, alone):
        np.testing.assert_array_equal(one[:3], other)
