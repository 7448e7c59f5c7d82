"""The layer that is a matrix product on small maps: the same values and gradients as Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.langevin import energy_gradient
from mgconv.layers import Convolution, axis_taps
from mgconv.recipes import grid_spec

# side, kernel, stride, whether a matrix is worth it
CASES = [
    (4, 5, 2, True), (2, 3, 1, True), (1, 3, 1, True), (2, 5, 1, True), (3, 3, 1, True),
    (3, 3, 2, False), (4, 4, 2, True), (2, 5, 2, True), (4, 3, 1, False), (8, 5, 2, False),
    (32, 3, 1, False), (8, 3, 2, False), (9, 3, 3, False), (12, 5, 3, False), (6, 2, 2, False),
    (8, 7, 2, False), (9, 5, 2, False), (9, 2, 3, False),
]  # fmt: skip


def pair_of(side, kernel, stride, channels=3, filters=4):
    """Keras's layer and ours with the same weights, biases not 0."""
    ours = Convolution(filters, kernel, stride, "same")
    keras_layer = keras.layers.Conv2D(filters, kernel, stride, "same")
    x = tf.random.stateless_normal([5, side, side, channels], [0, 1])
    for layer in (ours, keras_layer):
        layer(x)
    ours.bias.assign(tf.range(filters, dtype=tf.float32))
    keras_layer.set_weights(ours.get_weights())
    return ours, keras_layer, x


@pytest.mark.parametrize(("side", "kernel", "stride", "is_matrix"), CASES)
def test_values_and_gradients_are_those_of_keras(side, kernel, stride, is_matrix):
    ours, keras_layer, x = pair_of(side, kernel, stride)
    assert (ours.taps is not None) == is_matrix
    found = []
    for layer in (ours, keras_layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        found.append((y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])))
    for value, expected in zip(*found):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "kernel", "stride", "is_matrix"), CASES)
def test_what_is_folded_into_the_weights_is_that_of_every_channel(side, kernel, stride, is_matrix):
    ours, _, x = pair_of(side, kernel, stride)
    scale, shift = tf.constant([2.0, -1.0, 0.5, 3.0]), tf.constant([0.0, 1.0, -2.0, 5.0])
    np.testing.assert_allclose(
        ours.fixed(lambda kernel, bias: (kernel * scale, bias * scale + shift))(x),
        ours(x) * scale + shift,
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_matrix_of_many_elements_has_to_save_half_of_the_products():
    for side, kernel, stride, expected in ((4, 5, 2, False), (2, 3, 1, True), (3, 5, 1, True)):
        layer = Convolution(64, kernel, stride, "same")
        layer.build((None, side, side, 64))
        assert (layer.taps is not None) == expected


@pytest.mark.parametrize(("side", "kernel", "stride"), [(8, 5, 2), (12, 5, 3), (4, 5, 2)])
def test_the_gradient_to_few_channels_can_be_differentiated_again(side, kernel, stride):
    """As the curvature penalty does, to the kernel and to the image."""
    ours, keras_layer, x = pair_of(side, kernel, stride)
    found = []
    for layer in (ours, keras_layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            gradient, _ = energy_gradient(
                lambda x, f=layer: tf.reduce_sum(tf.sin(f(x)), (1, 2, 3)), x
            )
            loss = tf.reduce_sum(gradient**2)
        found.append(outer.gradient(loss, [x, layer.kernel.value]))
    for value, expected in zip(*found):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3)


def test_taps_of_the_paper_s_first_layer_on_4_pixels():
    """A window of 5 every 2 pixels, padded by one ahead: outputs see inputs -1..3 and 1..5."""
    taps = axis_taps(4, 5, 2)
    assert taps.shape == (4, 2, 5)
    np.testing.assert_array_equal(taps.argmax(-1)[:, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(taps.sum(-1), [[1, 0], [1, 1], [1, 1], [1, 1]])


def test_all_layers_of_the_4_pixel_grid_are_matrices_and_none_of_64():
    for size, expected in ((4, [True] * 3), (64, [False] * 3)):
        net = EnergyNet(grid_spec("paper", size, 0.05), 3)
        assert [layer.taps is not None for layer in net.convolutions] == expected


def test_a_fixed_energy_is_the_energy_and_stays_when_weights_move():
    net = EnergyNet(grid_spec("paper", 4, 0.05), 3, normalization="none", reference_sigma=None)
    x = tf.random.stateless_uniform([6, 4, 4, 3], [0, 1], -1, 1)
    fixed = net.fixed()
    for one, other in zip(energy_gradient(fixed, x), energy_gradient(net, x)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    before = fixed(x).numpy()
    net.convolutions[1].kernel.assign(tf.zeros_like(net.convolutions[1].kernel))
    np.testing.assert_array_equal(fixed(x), before)
    assert not np.allclose(net(x), before)
