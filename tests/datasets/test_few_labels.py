"""Which images have a label, and batches of those that have and those that have none."""

import numpy as np
import pytest

from mgconv.datasets.few_labels import labeled_subset
from mgconv.errors import UserError


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
