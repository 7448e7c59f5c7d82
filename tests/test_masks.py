"""Masks of hidden pixels: how much, what shape, never nothing and never all."""

import numpy as np
import pytest

from mgconv import masks

MASKS = {"square": masks.square, "doodle": masks.doodle, "pepper": masks.pepper}
SIZES = [2, 4, 8, 64]
NUM = 4


def many(make, size):
    """Masks of 1,000 seeds, of 20 where they are large; [num_seeds * NUM, size, size, 1]."""
    num_seeds = 1000 if size < 64 else 20
    return np.concatenate([make(NUM, size, seed) for seed in range(num_seeds)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_a_mask_is_bool_and_hides_something_but_not_all(make, size):
    visible = many(make, size)
    assert visible.shape[1:] == (size, size, 1)
    assert visible.dtype == bool
    assert not visible.all(axis=(1, 2, 3)).any()
    assert visible.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_equal_seeds_make_equal_masks_and_others_differ(make):
    np.testing.assert_array_equal(make(NUM, 8, 5), make(NUM, 8, 5))
    assert (make(NUM, 64, 5) != make(NUM, 64, 6)).any()
    assert len({mask.tobytes() for mask in make(NUM, 64, 5)}) == NUM  # each image its own


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "share"), [("doodle", 0.25), ("pepper", 0.60)])
def test_the_hidden_share_is_the_papers_to_the_nearest_pixel(name, share, size):
    hidden = (~many(MASKS[name], size)).sum(axis=(1, 2, 3))
    assert np.abs(hidden - share * size * size).max() <= 0.5
    if size >= 8:
        assert np.abs(hidden / size**2 - share).max() < 0.02


@pytest.mark.parametrize("size", SIZES)
def test_the_square_has_exactly_half_the_side_and_lies_anywhere(size):
    hidden = ~many(masks.square, size)[..., 0]
    rows, columns = hidden.any(axis=2), hidden.any(axis=1)
    for profile in (rows, columns):
        assert (profile.sum(axis=1) == size // 2).all()
        first = profile.argmax(axis=1)
        length = size - profile[:, ::-1].argmax(axis=1) - first
        assert (length == size // 2).all()  # in one piece
        assert first.min() == 0 or size > 8
        assert first.max() == size - size // 2 or size > 8  # also the last place is drawn
        assert len(set(first)) > min(size, 20) // 4
    assert (hidden.sum(axis=(1, 2)) == (size // 2) ** 2).all()


def test_a_doodle_is_made_of_strokes_and_pepper_of_single_pixels():
    """A hidden pixel has far more hidden neighbors in a doodle than the share alone would give."""

    def hidden_beside_hidden(visible):
        hidden = ~visible[..., 0]
        return (hidden[:, 1:] & hidden[:, :-1]).sum() / hidden[:, 1:].sum()

    assert hidden_beside_hidden(many(masks.doodle, 64)) > 0.7
    assert hidden_beside_hidden(many(masks.pepper, 64)) == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("name", ["doodle", "pepper"])
@pytest.mark.parametrize("hidden", [1e-6, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_any_share_leaves_a_pixel_hidden_and_a_pixel_visible(name, hidden):
    count = (~MASKS[name](NUM, 8, 0, hidden)).sum(axis=(1, 2, 3))
    assert set(count) == {min(63, max(1, round(64 * hidden)))}
