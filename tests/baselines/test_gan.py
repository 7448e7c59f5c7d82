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
    assert learner.update_count.dtype == tf.int64  # as in checkpoints


def test_the_penalty_counts_ten_times():
    learner = make("wgan_gp")
    learner.generate = lambda latent, training: images(-0.5)
    learner.criticize = lambda x, labels: 3 * x[:, 0, 0, 0]
    learner._apply = lambda *_: None
    loss = learner._update_critic(images(0.5), None, tf.constant([0, 0]))
    assert float(loss) == pytest.approx(3 * (-0.5 - 0.5) + 10 * (3 - 1) ** 2, rel=1e-4)


@pytest.mark.parametrize("kind", GANS)
def test_the_generator_learns_to_be_taken_for_real(kind, no_graphs):
    learner, seed = make(kind), tf.constant([0, 1])

    def judged():
        made = learner.generate(learner._latent(seed, None), training=True)
        return float(tf.reduce_mean(learner.criticize(made, None)))

    before = judged()
    learner._update_generator(None, seed)
    assert judged() > before


@pytest.mark.parametrize(("kind", "spread"), [("dcgan", 3**-0.5), ("wgan", 1), ("wgan_gp", 1)])
def test_latent_values_are_uniform_or_normal_as_published(kind, spread):
    latent = make(kind, shape=(100, 8, 8, 1))._latent(tf.constant([0, 0]), None).numpy()
    assert latent.shape == (100, LATENT)
    assert latent.std() == pytest.approx(spread, rel=0.02)
    assert abs(latent.mean()) < 0.02
    assert (np.abs(latent).max() <= 1) == (kind == "dcgan")


def test_all_kernels_begin_normal_with_0_02_and_no_two_alike():
    learner = GanLearner(GANS["dcgan"], (2, 16, 16, 1), 1, width=0.5, seed=0)
    kernels = [np.ravel(w) for w in learner.weights if len(w.shape) > 1]
    assert len(kernels) == 6
    for kernel in kernels:
        assert kernel.std() == pytest.approx(0.02, rel=0.1)
    assert len({round(float(kernel[0]), 9) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(("kind", "of_the_batch"), [("dcgan", True), ("wgan_gp", False)])
def test_under_a_penalty_the_critic_judges_each_image_by_itself(kind, of_the_batch):
    learner = make(kind, shape=(4, 16, 16, 1))
    observed = tf.random.stateless_uniform([4, 16, 16, 1], [0, 0], -1.0, 1.0)
    beside = tf.concat([observed[:1], 0 * observed[1:]], axis=0)
    first, second = (learner.criticize(x, None)[0] for x in (observed, beside))
    assert (abs(float(first - second)) > 1e-5) == of_the_batch


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


def test_made_images_are_judged_as_the_class_that_they_were_made_as(no_graphs):
    learner, judged = make(num_classes=3, shape=(6, 8, 8, 1)), []
    labels = tf.constant([2, 0, 1, 1, 2, 0], tf.int64)
    criticize = learner.criticize
    learner.criticize = lambda x, labels: judged.append(labels.numpy()) or criticize(x, labels)
    learner.train_step(images(shape=(6, 8, 8, 1)), labels)
    assert len(judged) == 3  # observed and made by the critic, made by the generator
    np.testing.assert_array_equal(judged, 3 * [labels])
    planes = learner._with_planes(images(shape=(6, 8, 8, 1)), labels)[..., 1:].numpy()
    np.testing.assert_array_equal(planes.min((1, 2)), np.eye(3)[labels])
    np.testing.assert_array_equal(planes.max((1, 2)), np.eye(3)[labels])


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
    seed = tf.random.experimental.stateless_fold_in([2, 1], 1)  # of the second batch
    rest = finished[1].sample(tf.zeros([4], tf.int64), seed)[:2]  # class 1 is the first of the two
    np.testing.assert_allclose(many[4:], rest, atol=1e-6)


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
