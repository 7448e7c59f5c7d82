"""The GAN baselines: losses with known values, turns, clipping, penalty, checkpoints, classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgconv
from mgconv.baselines.gan import GANS, LATENT, GanLearner
from mgconv.errors import UserError
from mgconv.recipes import METHODS
from mgconv.training.fit import learn

SHAPE = (4, 8, 8, 1)
BUDGET = {"grids": (1, 8), "batch_size": 4, "width": 0.1}


def make(kind="dcgan", num_classes=1, shape=SHAPE, seed=0):
    return GanLearner(GANS[kind], shape, num_classes, width=0.1, seed=seed)


def images(value=0.0, shape=SHAPE):
    return tf.fill(shape, value)


def values(net):
    return [weight.numpy() for weight in net.trainable_variables]


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after)]


def test_every_row_is_a_baseline_of_the_settings():
    made_here = {name for name, row in METHODS.items() if "baselines.gan:" in row.make}
    assert set(GANS) == made_here


def test_the_filters_are_those_of_radfords_code_and_half_of_them_in_wgan():
    learner = GanLearner(GANS["dcgan"], (2, 64, 64, 3), 1, width=1.0, seed=0)
    for net, expected in (
        (learner.generator, [512, 256, 128, 3]),
        (learner.critic, [128, 256, 512, 1024]),
        (GanLearner(GANS["wgan"], (2, 64, 64, 3), 1, 1.0, 0).critic, [64, 128, 256, 512]),
    ):
        assert [layer.filters for layer in net.layers if hasattr(layer, "filters")] == expected


def test_parameters_are_counted_by_net():
    number = round(0.1 * 128)  # filters of the only stage at 8 x 8
    dense = LATENT * 16 * number
    norm = 4 * number
    deconvolution = 25 * number + 1
    critic = 25 * number + number + 4 * 4 * number + 1
    assert make().parameters == {"generator": dense + norm + deconvolution, "critic": critic}


def test_a_critic_that_knows_nothing_loses_two_bits():
    learner = make()
    learner.criticize = lambda x, labels: tf.zeros([len(x)])
    learner._apply = lambda *_: None
    loss = learner._update_critic(images(), None, tf.constant([0, 0]))
    assert float(loss) == pytest.approx(2 * np.log(2), rel=1e-6)


def test_wasserstein_loss_is_the_difference_of_the_critics_means():
    learner = make("wgan")
    learner.generate = lambda latent, training: tf.fill(SHAPE, 0.25)
    learner.criticize = lambda x, labels: tf.reduce_sum(x, axis=[1, 2, 3])
    learner._apply = lambda *_: None
    loss = learner._update_critic(images(0.75), None, tf.constant([0, 0]))
    assert float(loss) == pytest.approx(64 * (0.25 - 0.75))


def test_the_penalty_is_the_squared_excess_of_the_critics_slope():
    learner = make("wgan_gp")
    slope = np.zeros(SHAPE[1:], np.float32)
    slope.flat[:9] = 1  # of norm 3
    learner.criticize = lambda x, labels: tf.reduce_sum(x * slope, axis=[1, 2, 3])
    penalty = learner._steepness(images(0.5), images(-0.5), None, tf.constant([0, 0]))
    assert float(penalty) == pytest.approx(4, rel=1e-4)


def test_clipping_bounds_every_weight_of_the_critic_and_none_of_the_generator():
    learner = make("wgan")
    learner.train_step(images())
    assert all(np.abs(value).max() <= 0.01 for value in values(learner.critic))
    assert any(np.abs(value).max() > 0.02 for value in values(learner.generator))


@pytest.mark.parametrize("kind", GANS)
def test_the_generator_moves_at_its_turns_only(kind):
    learner = make(kind)
    for update in range(1, 6):
        generator, critic = values(learner.generator), values(learner.critic)
        scalars = learner.train_step(images(0.3))
        assert all(np.isfinite(float(value)) for value in scalars.values())
        assert any(moved(critic, values(learner.critic)))
        turn = update % GANS[kind].critic_updates == 0
        assert all(moved(generator, values(learner.generator))) == turn
    assert int(learner.update_count) == 5


def test_it_learns_which_class_is_dark_and_which_is_bright():
    learner = make("dcgan", num_classes=2, shape=(16, 8, 8, 1))
    labels = tf.constant([0, 1] * 8, tf.int64)
    observed = tf.broadcast_to(
        tf.cast(labels, tf.float32)[:, None, None, None] - 0.5, [16, 8, 8, 1]
    )
    for _ in range(400):
        learner.train_step(observed, labels)
    made = learner.sample(labels, tf.constant([3, 3])).numpy()
    assert made[1::2].mean() - made[::2].mean() > 0.3


def test_sizes_that_no_stack_of_strides_reaches_are_told():
    with pytest.raises(UserError, match="12 pixels"):
        make(shape=(4, 12, 12, 1))


# -- as a system


@pytest.fixture(scope="module")
def finished(tiny, toy_images, tmp_path_factory):
    """A conditional GAN of the classes 1 and 3 of four."""
    folder = tmp_path_factory.mktemp("gan") / "run"
    config = tiny(**BUDGET, method="dcgan", classes="each")
    data = toy_images(40, size=8, class_names=tuple("abcd")).only([1, 3])
    learner, _ = learn(config, data, folder)
    return folder, learner


def test_a_run_makes_what_its_learner_makes(finished):
    folder, learner = finished
    system = mgconv.load(folder)
    made = system.synthesize(np.array([1, 3, 3, 1]), seed=5)
    seed = tf.random.experimental.stateless_fold_in([5, 1], 0)
    np.testing.assert_array_equal(made, learner.sample(tf.constant([0, 1, 1, 0]), seed))


def test_an_image_does_not_depend_on_how_many_are_asked_for(finished):
    system = mgconv.load(finished[0])
    labels = np.array([1, 3, 1, 3, 1, 1])
    assert system.labels == [1, 3]
    many = system.synthesize(labels, seed=2)
    assert many.shape == (6, 8, 8, 1)
    assert np.abs(many).max() <= 1
    np.testing.assert_allclose(system.synthesize(labels[:3], seed=2), many[:3], atol=1e-6)


@pytest.mark.parametrize("kind", GANS)
def test_an_interrupted_run_ends_as_the_uninterrupted_one(kind, tiny, toy_images, tmp_path):
    data = toy_images(12, size=8)
    config = {**BUDGET, "method": kind}
    whole, _ = learn(tiny(**config, num_updates=7), data, tmp_path / "whole")
    learn(tiny(**config, num_updates=4), data, tmp_path / "parts")
    parts, _ = learn(tiny(**config, num_updates=7), data, tmp_path / "parts")
    for one, other in zip(whole.weights, parts.weights):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_conditional_run_resumes_to_the_same_weights(tiny, toy_images, tmp_path):
    data = toy_images(40, size=8, class_names=tuple("abcd")).only([1, 3])
    config = {**BUDGET, "method": "wgan", "classes": "each"}
    whole, _ = learn(tiny(**config, num_updates=7), data, tmp_path / "whole")
    learn(tiny(**config, num_updates=4), data, tmp_path / "parts")
    parts, _ = learn(tiny(**config, num_updates=7), data, tmp_path / "parts")
    for one, other in zip(whole.weights, parts.weights):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_class_that_it_was_not_told_is_refused(finished):
    with pytest.raises(UserError, match="not trained on classes"):
        mgconv.load(finished[0]).synthesize(np.array([1, 2]), seed=0)


def test_dynamics_have_no_meaning_for_a_gan(finished):
    with pytest.raises(UserError, match="runs no chains"):
        mgconv.load(finished[0], noise=0.0)


def test_wgan_takes_steps_of_the_published_rmsprop():
    """Of small gradients, too: lr g / (sqrt(v) + 1e-8), v = 0.01 g^2 at first."""
    optimizer, weight = GANS["wgan"].make_optimizer(), keras.Variable([0.0, 0.0, 0.0])
    gradients = np.array([1e-5, -1e-3, 1.0], np.float32)
    optimizer.apply([tf.constant(gradients)], [weight])
    expected = -5e-5 * gradients / (np.sqrt(0.01 * gradients**2) + 1e-8)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=0.011)  # Keras: sqrt(v + 1e-16)
