"""Images that are kept from training."""

import dataclasses

import numpy as np
import pytest
from conftest import refused

from mgconv.datasets.splits import hold_out


def rows_of(images):
    return {pixels.tobytes() for pixels in images.pixels}


def test_every_image_is_on_one_side_and_about_the_share_of_each_class_is_held(toy_images):
    images = toy_images(num=3000, class_names=("a", "b", "c"))
    learned, held = hold_out(images, 0.1)
    assert rows_of(learned) | rows_of(held) == rows_of(images)
    assert not rows_of(learned) & rows_of(held)
    for label in range(3):
        assert (held.labels == label).sum() == pytest.approx(100, abs=30)  # three deviations
    assert learned.held_out == held.held_out
    assert held.held_out.startswith(f"{len(held)} images, ")


def test_more_images_in_another_order_move_none_across(toy_images):
    few = toy_images(num=200)
    more = np.concatenate([toy_images(num=300, seed=1).pixels, few.pixels[::-1]])
    many = dataclasses.replace(few, pixels=more, labels=np.zeros(500, int))
    (_, held), (_, among_many) = hold_out(few, 0.3), hold_out(many, 0.3)
    assert rows_of(held) == rows_of(among_many) & rows_of(few)


def test_copies_of_an_image_are_on_one_side(toy_images):
    images = toy_images(num=50)
    twice = dataclasses.replace(
        images, pixels=np.repeat(images.pixels, 2, axis=0), labels=np.repeat(images.labels, 2)
    )
    learned, held = hold_out(twice, 0.3)
    assert not rows_of(learned) & rows_of(held)


def test_many_images_of_a_side_stay_on_disk_and_are_the_same(toy_images, tmp_path, monkeypatch):
    images = toy_images(num=60)
    np.save(tmp_path / "all.npy", images.pixels)
    mapped = dataclasses.replace(images, pixels=np.load(tmp_path / "all.npy", mmap_mode="r"))
    in_memory, _ = hold_out(mapped, 0.3)
    monkeypatch.setattr("mgconv.datasets.image_set.MOST", 0)
    learned, held = hold_out(mapped, 0.3)
    assert isinstance(in_memory.pixels, np.ndarray)
    assert not isinstance(learned.pixels, np.ndarray)
    np.testing.assert_array_equal(learned.pixels, in_memory.pixels)
    np.testing.assert_array_equal(learned.pixels[[5, 2]], in_memory.pixels[[5, 2]])
    np.testing.assert_array_equal(learned.at(slice(3, 9)).pixels[1:, 0], in_memory.pixels[4:9, 0])
    np.testing.assert_array_equal(learned.colors, in_memory.colors)
    assert rows_of(learned) | rows_of(held) == rows_of(images)


@pytest.mark.parametrize("share", [1e-9, 0.1, 0.999999])
def test_a_class_of_two_images_has_one_on_each_side(share, toy_images):
    images = toy_images(num=8, class_names=("a", "b", "c", "d"))
    learned, held = hold_out(images, share)
    assert sorted(learned.labels) == sorted(held.labels) == [0, 1, 2, 3]


def test_copies_of_a_single_image_cannot_be_held_out(toy_images):
    one = toy_images(num=1)
    same = dataclasses.replace(one, pixels=one.pixels.repeat(9, axis=0), labels=np.zeros(9, int))
    assert "No two different images to hold one out: --held_out=0.1 of 9." in refused(
        hold_out, same, 0.1
    )


def test_test_images_and_whole_splits_are_not_held_out(tiny):
    from mgconv.datasets.table import load_held_out, load_split

    plain, config = (tiny(dataset="digits", held_out=share) for share in (0, 0.2))
    learned, held = load_split(config), load_held_out(config)
    assert len(learned) + len(held) == len(load_split(plain)) == len(load_split(config, "train"))
    assert len(load_split(config, "test")) == len(load_split(plain, "test"))
    three = dataclasses.replace(config, classes="3")
    assert rows_of(load_held_out(three)) == rows_of(held.only([3]))
