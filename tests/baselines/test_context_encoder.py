"""The Context Encoder's update: each net learns once, running averages move once."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.baselines.context_encoder import ContextEncoderLearner, ContextEncoderModel


@pytest.fixture
def learner():
    return ContextEncoderLearner((4, 8, 8, 1), 0.1, seed=0)


def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, [4, 8, 8, 1]).astype(np.float32)
    visible = np.ones([4, 8, 8, 1], bool)
    visible[:, 2:6, 2:6] = False
    return images, visible


def test_running_averages_move_once_an_update(learner, no_graphs):
    images, visible = batch()
    norms = [x for x in learner.filler.layers if hasattr(x, "moving_mean")]
    before = [norm.moving_mean.numpy() for norm in norms]
    learner._fill(tf.constant(images), tf.constant(visible), training=True)
    once = [norm.moving_mean.numpy() for norm in norms]
    for norm, mean in zip(norms, before):
        norm.moving_mean.assign(mean)
    learner.train_step(tf.constant(images), tf.constant(visible))
    for norm, expected in zip(norms, once):
        np.testing.assert_allclose(norm.moving_mean.numpy(), expected, atol=1e-6)


def test_hidden_pixels_alone_are_reconstructed(learner, no_graphs):
    """The error is that of hidden pixels: what is visible is there already."""
    images, visible = batch()
    filled = learner._fill(tf.constant(images), tf.constant(visible), training=True).numpy()
    expected = np.mean((filled - images)[~visible] ** 2)
    scalars = learner.train_step(tf.constant(images), tf.constant(visible))
    assert float(scalars["squared_error/8"]) == pytest.approx(expected, rel=1e-4)


def test_the_adversary_is_trained_on_both_and_the_filler_to_be_taken_for_real(learner, no_graphs):
    images, visible = map(tf.constant, batch())
    weights = {net: [w.numpy() for w in net.trainable_variables] for net in learner._nets}
    learner.train_step(images, visible)
    assert int(learner.update_count) == 1
    for net, before in weights.items():
        after = net.trainable_variables
        assert any(not np.array_equal(a, b.numpy()) for a, b in zip(before, after)), net.name


def test_a_value_of_the_adversary_is_one_number_an_image():
    learner = ContextEncoderLearner((3, 16, 16, 1), 0.05, seed=0)
    images = tf.random.stateless_uniform([3, 16, 16, 1], [0, 0], -1.0, 1.0)
    np.testing.assert_array_equal(learner._criticize(images), learner.critic(images)[-1][:, 0])
    assert learner._criticize(images).shape == (3,)


def test_filters_double_down_to_4_by_4_and_halve_up_again():
    filler = ContextEncoderLearner((2, 32, 32, 3), 0.125, seed=0).filler
    filters = [layer.filters for layer in filler.layers if hasattr(layer, "filters")]
    assert filters == [8, 16, 32, 64, 32, 16, 8, 3]
    assert filler.output_shape == (None, 32, 32, 3)


def test_any_number_of_images_is_filled_each_by_itself(learner, tiny):
    images, visible = (np.concatenate([x, x[:2]]) for x in batch())
    images[4:] *= -0.5
    config = tiny(method="context_encoder", grids=(1, 8))
    model = ContextEncoderModel(learner, config, {"class_names": ["toy"]})
    filled = model.inpaint(images, visible, 0)
    known = np.broadcast_to(visible, images.shape)
    np.testing.assert_array_equal(filled[known], images[known])
    for index in range(len(images)):
        alone = model.inpaint(images[index : index + 1], visible[index : index + 1], 0)
        np.testing.assert_allclose(alone[0], filled[index], atol=1e-5)
