"""What layers are like: on maps and features whose answers are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.evaluation.layer_facts import (
    dead_share,
    effective_rank,
    layer_facts,
    slopes,
)


@pytest.mark.parametrize("shape", [(5000, 12), (60, 400)])
def test_the_effective_rank_of_equal_directions_is_their_number(shape):
    """Also of fewer rows than columns; the rest of the columns are constant."""
    noise = np.random.default_rng(0).normal(size=[shape[0], 8])
    features = np.full(shape, 7.0)
    features[:, :8] = np.linalg.qr(noise - noise.mean(axis=0))[0]
    assert effective_rank(features) == pytest.approx(8)


def test_the_effective_rank_is_the_exponential_of_the_entropy_of_the_variances():
    """Variances 3 to 1: exp of the entropy of (3/4, 1/4); a rotation and a shift change nothing."""
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32) * [3**0.5, 1]
    expected = np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=[2, 2]))[0]
    assert effective_rank(signs) == pytest.approx(expected, rel=1e-5)
    assert effective_rank(signs @ turn + 5) == pytest.approx(expected, rel=1e-5)


def test_what_does_not_vary_has_no_rank():
    assert effective_rank(np.full([9, 4], 2.0, np.float32)) == 0


def test_a_channel_of_a_hundredth_of_the_layers_scale_is_dead():
    assert dead_share(np.array([0.0, 0.009, 0.02, 1.0]), scale=1.0) == 0.5
    assert dead_share(np.array([0.0, 0.009, 0.02, 1.0]), scale=100.0) == 1.0
    assert dead_share(np.zeros(3), scale=0.0) == 1.0


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [("relu", [-1.0, 2.0], [0, 1]), ("leaky_relu", [-1.0, 2.0], [0.2, 1]),
     ("silu", [0.0, -1.2784645], [0.5, 0]), ("tanh", [0.0, 9.0], [1, 0])],
)  # fmt: skip
def test_the_slopes_of_an_activation(name, x, expected):
    found = slopes(keras.layers.Activation(name), tf.constant([x]))
    np.testing.assert_allclose(found, [expected], atol=1e-5)


class Brightness:
    """A model of two grids: maps are the image, of which a channel is constant, and its half."""

    def __init__(self):
        self.activations = [keras.layers.Activation("relu") for _ in range(2)]

    def grid_features(self, images):
        constant = tf.ones_like(images)
        whole = self.activations[0](tf.concat([images, constant], axis=3))
        return [[whole], [self.activations[1](whole / 2 - 1)]]  # the second is off everywhere


def test_facts_are_those_of_all_images_at_once():
    """White and black images, half each: no more than one direction, one channel of two dead."""
    images = np.zeros([250, 8, 8, 1], np.uint8)
    images[::2] = 255
    first, second = layer_facts(Brightness(), images)
    assert first.scale == pytest.approx(np.sqrt((0.5 + 1) / 2))  # channels: 1 or 0; always 1
    assert first.dead == 0.5
    assert first.saturated == pytest.approx(0.25)  # black is below 0 in one channel of two
    assert first.bend == pytest.approx(0.25)  # 0.5 where half of the images are off; 0, always on
    assert first.ranks == pytest.approx({"max": 1, "mean": 1}, rel=1e-3)
    assert first.features["mean"].shape == (250, 4 * 4 * 2)
    assert (second.dead, second.saturated, second.scale, second.bend) == (1.0, 1.0, 0.0, 0.0)
    assert second.ranks == {"max": 0, "mean": 0}
