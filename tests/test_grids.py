"""Down- and up-scaling: block means, replication, means of visible pixels."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.grids import downsample, masked_downsample, upsample

SIZES = [(8, 8), (8, 4), (8, 2), (8, 1), (6, 3), (6, 2)]  # from, to
NUM, CHANNELS = 3, 2


def random_images(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, [NUM, size, size, CHANNELS]).astype(np.float32)


def numpy_blocks(images, size):
    """Pixels of every block, [N, size, size, k * k, C], by plain slicing."""
    factor = images.shape[1] // size
    rows = [
        [
            images[:, i * factor : (i + 1) * factor, j * factor : (j + 1) * factor].reshape(
                len(images), factor**2, -1
            )
            for j in range(size)
        ]
        for i in range(size)
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


@pytest.mark.parametrize(("side", "size"), SIZES)
def test_down_scaling_takes_the_mean_of_each_block(side, size):
    images = random_images(side)
    expected = numpy_blocks(images, size).mean(axis=3)
    np.testing.assert_allclose(downsample(images, size), expected, atol=1e-6)


def test_down_scaling_to_the_same_size_changes_nothing():
    images = tf.constant(random_images(8))
    np.testing.assert_array_equal(downsample(images, 8), images)


def test_down_scaling_keeps_the_mean_of_an_image():
    images = random_images(8)
    for size in (4, 2, 1):
        means = tf.reduce_mean(downsample(images, size), axis=[1, 2])
        np.testing.assert_allclose(means, images.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize(("size", "side"), SIZES)
def test_up_scaling_replicates_each_pixel_into_a_block(size, side):
    images = random_images(side)
    larger = upsample(images, size).numpy()
    factor = size // side
    for i in range(size):
        for j in range(size):
            np.testing.assert_array_equal(larger[:, i, j], images[:, i // factor, j // factor])


@pytest.mark.parametrize(("size", "side"), [(8, 8), (8, 4), (8, 1), (16, 4)])
def test_down_scaling_undoes_up_scaling(size, side):
    """Exactly, on numbers of few bits, whose sums are not rounded."""
    images = np.rint(random_images(side) * 1024) / np.float32(1024)
    np.testing.assert_array_equal(downsample(upsample(images, size), side), images)


# -- masks


def random_mask(size, share=0.5, seed=1):
    return np.random.default_rng(seed).random([NUM, size, size, 1]) < share


@pytest.mark.parametrize(("side", "size"), SIZES)
def test_masked_means_are_those_of_the_visible_pixels(side, size):
    images, visible = random_images(side), random_mask(side)
    blocks, known = numpy_blocks(images, size), numpy_blocks(visible, size)
    count = known.sum(axis=3)
    expected = (blocks * known).sum(axis=3) / np.maximum(count, 1)
    means, share = masked_downsample(images, visible, size)
    np.testing.assert_allclose(means, expected, atol=1e-6)
    np.testing.assert_allclose(share, count / (side // size) ** 2, atol=1e-7)


def test_hidden_pixels_have_no_influence_whatever_stands_there():
    images, visible = random_images(8), random_mask(8)
    first = masked_downsample(images, visible, 2)
    for hidden in (random_images(8, seed=9), np.float32(np.nan), np.float32(np.inf)):
        again = masked_downsample(np.where(visible, images, hidden), visible, 2)
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])


@pytest.mark.parametrize(("side", "size"), [*SIZES, (9, 3), (15, 3), (64, 4), (63, 9), (22, 2)])
def test_the_share_is_exactly_1_for_a_whole_block_and_0_for_a_hidden_one(side, size):
    images, visible = random_images(side), np.zeros([NUM, side, side, 1], bool)
    visible[:, : side // size] = True  # the top row of blocks
    means, share = masked_downsample(images, visible, size)
    np.testing.assert_array_equal(share[:, 0], np.ones([NUM, size, 1]))
    np.testing.assert_array_equal(share[:, 1:], np.zeros([NUM, size - 1, size, 1]))
    np.testing.assert_array_equal(means[:, 1:], np.zeros([NUM, size - 1, size, CHANNELS]))
    visible[:, 0, 0] = False
    assert np.all(masked_downsample(images, visible, size)[1][:, 0, 0] < 1)


def test_where_all_is_visible_masked_means_are_block_means():
    images, visible = random_images(8), np.ones([NUM, 8, 8, 1], bool)
    for size in (8, 4, 1):
        means, share = masked_downsample(images, visible, size)
        np.testing.assert_allclose(means, downsample(images, size), atol=1e-6)
        np.testing.assert_array_equal(share, np.ones([NUM, size, size, 1]))
    np.testing.assert_array_equal(masked_downsample(images, visible, 8)[0], images)  # bit for bit


def test_the_batch_may_be_unknown_inside_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, CHANNELS])])
    def down_and_up(images):
        return upsample(downsample(images, 2), 8)

    images = random_images(8)
    np.testing.assert_allclose(down_and_up(images), upsample(downsample(images, 2), 8), atol=1e-6)
