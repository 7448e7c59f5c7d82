"""From settings to a learner, from a folder to samples."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

import mgconv
from mgconv.chains import FromCoarser, FromData, Persistent
from mgconv.datasets.image_set import ImageSet
from mgconv.io.files import write_json
from mgconv.io.images import to_float
from mgconv.models import MultigridModel, PerClassModel, load
from mgconv.recipes import ENERGY_BASED, METHODS
from mgconv.training.build import build, build_learner
from mgconv.training.fit import describe, learn

STILL = {"drift": 1e-30, "noise": 0.0}  # chains that do not move
eagerly = pytest.mark.usefixtures("no_graphs")


# -- a learner as the settings say


def built(config, num_images=40):
    shape = (config.batch_size, config.size, config.size, 1)
    return build_learner(config, np.zeros([3, 1, 1, 1]), np.zeros(shape), num_images)


def test_every_method_has_the_grids_and_the_chain_start_of_its_row(tiny):
    kinds = {"coarser": FromCoarser, "data": FromData, "persistent": Persistent}
    for name in ENERGY_BASED:
        row = METHODS[name]
        learner = built(tiny(method=name))
        assert [grid.size for grid in learner.grids] == ([2, 4] if row.all_grids else [4])
        assert all(type(grid.start) is kinds[row.chain_start] for grid in learner.grids)


def test_the_top_grids_net_is_as_large_in_all_methods(tiny):
    learners = [built(tiny(method=method)) for method in ENERGY_BASED]
    assert len({learner.grids[-1].net.count_params() for learner in learners}) == 1


def test_the_learning_rate_falls_in_stairs_of_epochs(tiny):
    """40 images, batch 4: 10 updates an epoch, so 12 epochs are 120 updates."""
    config = tiny(learning_rate=0.3, learning_rate_decay=0.94337, decay_epochs=12, warm_up=0)
    learner = built(config, num_images=40)
    optimizer = learner.grids[0].optimizer
    for update, expected in ((0, 0.3), (119, 0.3), (120, 0.3 * 0.94337), (240, 0.3 * 0.94337**2)):
        optimizer.iterations.assign(update)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_learning_rate_rises_in_equal_steps_of_the_warm_up(optimizer, tiny):
    learner = built(tiny(learning_rate=0.3, warm_up=10, optimizer=optimizer, gradient_limit=None))
    optimizer = learner.grids[0].optimizer
    for update, expected in ((0, 0.03), (1, 0.06), (9, 0.3), (10, 0.3), (999, 0.3)):
        optimizer.iterations.assign(update)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)
    learner.grids[0].rate.assign(0.15)  # as a rollback does
    assert float(optimizer.learning_rate) == pytest.approx(0.15, rel=1e-5)


def test_optimizers_are_the_authors(tiny):
    sgd = built(tiny(recipe="paper")).grids[0].optimizer
    assert isinstance(sgd, keras.optimizers.SGD)
    assert (sgd.momentum, float(sgd.learning_rate)) == (0.9, pytest.approx(0.3))
    adam = built(tiny(recipe="released")).grids[0].optimizer
    assert isinstance(adam, keras.optimizers.Adam)
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
    assert float(adam.learning_rate) == pytest.approx(0.3)


def test_grids_of_a_learner_start_with_weights_of_their_own(tiny):
    """Two grids with nets of equal shape are not drawn from the same seed."""
    coarse, fine = built(tiny(top_width=1)).grids
    kernels = [grid.net.convolutions[0].kernel.numpy() for grid in (coarse, fine)]
    assert kernels[0].shape == kernels[1].shape
    assert (kernels[0] != kernels[1]).all()


# -- data of a run


def test_facts_of_the_data_tell_training_sets_apart(toy_images):
    images = toy_images(num=9, class_names=("a", "b", "c"))
    facts = describe(images)
    assert facts["num_images"] == 9
    assert facts["channels"] == 1
    assert facts["class_names"] == ["a", "b", "c"]
    assert describe(images.only([0, 2]))["class_names"] == ["a", "c"]
    others = (toy_images(num=9, class_names=("a", "b", "c"), seed=1), toy_images(num=10))
    assert all(describe(other) != facts for other in others)
    mean = images.pixels.mean()
    assert facts["mean_pixel"] == pytest.approx(mean)


def test_a_batch_larger_than_the_data_is_told_before_a_folder_is_made(tmp_path, tiny, toy_images):
    message = refused(lambda: learn(tiny(batch_size=13), toy_images(), tmp_path / "run"))
    assert "13 > 12" in message
    assert not (tmp_path / "run").exists()


# -- learned and loaded


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny, toy_images):
    """A finished run without batch statistics: (folder, its learner, config, images)."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    config = tiny(num_updates=2, average_decay=0.9)
    images = toy_images()
    learner, _ = learn(config, images, folder)
    return folder, learner, config, images


@pytest.fixture(scope="module")
def with_statistics(tmp_path_factory, tiny, toy_images):
    """The same of persistent CD with batch statistics."""
    folder = tmp_path_factory.mktemp("with_statistics") / "run"
    config = tiny(num_updates=2, method="pcd", recipe="released", num_langevin_steps=2)
    learner, _ = learn(config, toy_images(), folder)
    return folder, learner, config, toy_images()


@pytest.fixture(scope="module")
def system(finished):
    """What is loaded from the folder of the run without batch statistics."""
    return load(finished[0])


@pytest.fixture(scope="module")
def system_with_statistics(with_statistics):
    """The same of the other run."""
    return load(with_statistics[0])


@pytest.mark.parametrize(
    ("name", "loaded"), [("finished", "system"), ("with_statistics", "system_with_statistics")]
)
def test_a_loaded_run_samples_as_the_learner_that_was_trained(name, loaded, request):
    _, learner, config, _ = request.getfixturevalue(name)
    trained = MultigridModel(learner, config, {"class_names": ["toy"]})
    loaded = request.getfixturevalue(loaded)
    assert loaded.class_names == ["toy"]
    assert loaded.config == config
    labels = np.zeros(6, int)
    expected = trained.synthesize(labels, seed=3)
    np.testing.assert_array_equal(loaded.synthesize(labels, seed=3), expected)
    assert expected.shape == (6, 4, 4, 1)
    assert expected.dtype == np.float32
    assert (loaded.synthesize(labels, seed=4) != expected).any()


def test_mgconv_load_is_the_way_for_a_user(finished):
    assert isinstance(mgconv.load(str(finished[0])), MultigridModel)


def test_a_learned_model_keeps_colors_and_images_of_its_training_set(finished, system):
    images = finished[3]
    np.testing.assert_array_equal(system.learner.colors, images.colors)
    known = {image.tobytes() for image in to_float(images.pixels)}
    assert all(image.tobytes() in known for image in system.learner.reference.numpy())
    drawn = system.colors(50, seed=0)
    assert drawn.shape == (50, 1, 1, 1)
    assert set(drawn.ravel()) <= set(images.colors.ravel())
    assert len(set(drawn.ravel())) > len(images) // 2
    np.testing.assert_array_equal(system.colors(50, seed=0), drawn)


def test_a_learner_of_another_model_can_be_used_again(finished, tmp_path, toy_images):
    """It ends with the weights of a fresh learner, whatever it has learned between."""
    config = dataclasses.replace(finished[2], method="single_grid")
    images, other = toy_images(num=9, seed=7), toy_images(seed=5)
    learner, _ = learn(config, images, tmp_path / "fresh")
    fresh = [weight.numpy() for weight in learner.weights]
    learn(config, other, tmp_path / "other", learner)
    np.testing.assert_array_equal(learner.colors, other.colors)
    again, _ = learn(config, images, tmp_path / "again", learner)
    assert again is learner
    for weight, expected in zip(again.weights, fresh):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(again.colors, images.colors)
    assert learner.train_step.experimental_get_tracing_count() == 1


# -- chains


@pytest.mark.parametrize("num", [1, 3, 4, 5, 9])
def test_chains_in_any_number_are_cut_to_what_was_asked(num, system, system_with_statistics):
    for loaded in (system, system_with_statistics):
        grids = loaded.chains(loaded.colors(num, 0), seed=0)
        sizes = loaded.config.learned_sizes
        assert [x.shape for x in grids] == [(num, size, size, 1) for size in sizes]
        assert all(np.isfinite(x).all() for x in grids)


def test_without_batch_statistics_a_chain_does_not_depend_on_those_that_follow(system):
    colors = system.colors(10, seed=0)
    for expected, part in zip(system.chains(colors, 5), system.chains(colors[:6], 5)):
        np.testing.assert_array_equal(part, expected[:6])


def test_with_batch_statistics_a_part_of_a_batch_is_filled_up_with_reference_images(
    system_with_statistics,
):
    """One color asked for gives what the same color gives beside those of the reference."""
    system = system_with_statistics
    color = np.full([1, 1, 1, 1], 0.4, np.float32)
    reference = system.learner.reference.numpy().mean((1, 2), keepdims=True)
    beside = np.concatenate([color, reference])[:4]
    one, four = system.chains(color, 5)[-1], system.chains(beside, 5)[-1]
    np.testing.assert_allclose(one[0], four[0], atol=1e-5)
    others = system.chains(np.concatenate([color, -np.ones([3, 1, 1, 1], np.float32)]), 5)[-1]
    assert np.abs(others[0] - one[0]).max() > 1e-5


def test_every_batch_of_chains_has_noise_of_its_own(system):
    """Eight chains from one color, two batches: no two are alike."""
    samples = system.chains(np.zeros([8, 1, 1, 1], np.float32), 5)[-1]
    assert len({x.tobytes() for x in samples}) == 8


@eagerly
def test_without_noise_two_chains_from_one_color_are_one(finished):
    system = load(finished[0], noise=0.0)
    samples = system.chains(np.full([6, 1, 1, 1], 0.25, np.float32), 5)[-1]
    assert np.ptp(samples, axis=0).max() < 1e-6
    assert np.abs(samples - 0.25).max() > 1e-4  # though they have moved


@eagerly
def test_other_dynamics_than_learned_with_are_used(finished):
    system = load(finished[0], **STILL)
    colors = system.colors(3, 0)
    for x in system.chains(colors, 0):
        np.testing.assert_array_equal(x, np.broadcast_to(colors, x.shape))
    dynamics = load(finished[0], num_langevin_steps=7).learner.grids[0].synthesis_dynamics
    assert dynamics.num_langevin_steps == 7


def test_other_dynamics_out_of_range_are_told(finished):
    assert "--drift is out of range" in refused(lambda: load(finished[0], drift=-1.0))


def test_a_folder_that_is_no_run_or_has_no_checkpoint_is_told(tmp_path, finished):
    assert "Cannot read" in refused(lambda: load(tmp_path))
    _, _, config, images = finished
    content = {"config": dataclasses.asdict(config), "data": describe(images)}
    write_json(tmp_path / "config.json", content)
    assert "No checkpoint in" in refused(lambda: load(tmp_path))


# -- images that a person has


def test_energies_of_any_number_of_images_are_those_of_the_net(system):
    """In batches of four, the last one filled up."""
    pixels = np.random.default_rng(0).integers(0, 256, [6, 4, 4, 1], np.uint8)
    images = to_float(pixels)
    top, coarse = system.nets[-1], system.nets[0]
    np.testing.assert_allclose(system.energy(pixels), top(images), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(system.energy(images), system.energy(pixels))
    means = images.reshape(6, 2, 2, 2, 2, 1).mean((2, 4))
    np.testing.assert_allclose(system.energy(pixels, size=2), coarse(means), rtol=1e-4, atol=1e-5)
    assert system.energy(pixels[:0]).shape == (0,)
    assert "Known: 2, 4" in refused(system.energy, pixels, size=3)
    assert "[N, 4, 4, 1]" in refused(system.energy, pixels[:, :2, :2])


def test_features_of_arrays_are_arrays_and_of_tensors_tensors(system):
    images = to_float(np.random.default_rng(0).integers(0, 256, [6, 4, 4, 1], np.uint8))
    maps = system.features(images)
    for found, expected in zip(maps, system.nets[-1].features(images), strict=True):
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert all(tf.is_tensor(x) for x in system.features(tf.constant(images)))


def test_holes_are_filled_alike_however_images_and_mask_are_given(system):
    pixels = np.random.default_rng(0).integers(0, 256, [3, 4, 4, 1], np.uint8)
    visible = np.arange(16).reshape(4, 4) % 3 > 0
    loud = np.where(visible[None, ..., None], to_float(pixels), np.nan)
    each = np.repeat(visible[None, ..., None], 3, axis=0)
    filled = system.inpaint(pixels, visible)
    np.testing.assert_array_equal(system.inpaint(loud, each, seed=0), filled)
    assert np.abs(filled).max() <= 1
    assert "mask > 0" in refused(system.inpaint, pixels, visible.astype(int))


# -- a model a class

LEVELS = (40, 120, 220)  # of the three classes


@pytest.fixture(scope="module")
def conditional(tmp_path_factory, tiny):
    """A run with a model a class; the images of a class have nearly one level of gray."""
    folder = tmp_path_factory.mktemp("conditional") / "run"
    config = tiny(num_updates=1, classes="each", method="single_grid")
    learner = None
    for label, level in enumerate(LEVELS[:2]):
        rng = np.random.default_rng(label)
        pixels = rng.integers(level - 3, level + 4, [5 + label, 4, 4, 1]).astype(np.uint8)
        images = ImageSet(pixels, np.full(len(pixels), label), ("dark", "middle", "light"))
        single = dataclasses.replace(config, classes=images.class_names[label])
        learner, _ = learn(single, images, folder / images.class_names[label], learner)
    data = {"class_names": ["dark", "middle", "light"], "channels": 1, "num_images": 11}
    write_json(folder / "config.json", {"config": dataclasses.asdict(config), "data": data})
    return folder


@eagerly
def test_a_model_a_class_answers_by_label_in_the_order_of_labels(conditional):
    """Chains that don't move end as the colors of the class asked for."""
    system = mgconv.load(conditional, **STILL)
    assert isinstance(system, PerClassModel)
    labels = np.array([1, 0, 0, 1, 0, 1, 1])
    images = system.synthesize(labels, seed=0)
    assert images.shape == (7, 4, 4, 1)
    assert images.dtype == np.float32
    levels = (images.mean((1, 2, 3)) + 1) * 127.5
    np.testing.assert_allclose(levels, np.array(LEVELS)[labels], atol=3)
    np.testing.assert_array_equal(system.synthesize(list(labels), seed=0), images)


def test_the_model_of_a_class_is_the_one_in_its_folder(conditional):
    """Whichever class was asked for before."""
    system = mgconv.load(conditional)
    names = ("dark", "middle")
    alone = [load(conditional / name).synthesize(np.zeros(3), seed=2) for name in names]
    for label in (1, 0, 1):
        images = system.of_class(label).synthesize(np.zeros(3), seed=2)
        np.testing.assert_array_equal(images, alone[label])


def test_a_class_whose_learning_has_only_begun_is_not_among_the_learned(conditional, tmp_path):
    """Its first checkpoint is that of update 0."""
    shutil.copytree(conditional, tmp_path / "run")
    system = mgconv.load(tmp_path / "run")
    place = tmp_path / "run" / system.class_names[2] / "checkpoints"
    place.mkdir(parents=True)
    for name in ("checkpoint", "ckpt-0.index"):
        (place / name).touch()
    assert system.labels == [0, 1]
    (place / "ckpt-5.index").touch()
    assert system.labels == [0, 1, 2]


@eagerly
def test_the_learned_classes_are_known_and_others_are_told(conditional):
    system = mgconv.load(conditional)
    assert system.labels == [0, 1]
    refused(lambda: system.of_class(2))
    system.of_class(0)
    refused(lambda: system.of_class(2))
    refused(lambda: system.synthesize(np.array([0, 2]), seed=0))


@eagerly
def test_classes_do_not_share_their_chains(conditional):
    """The same seed gives other noise for another class."""
    system = mgconv.load(conditional, drift=1e-30, noise=0.01, num_langevin_steps=1)
    dark, middle = (system.synthesize(np.full(4, label), seed=0) for label in (0, 1))
    parts = [x - x.mean((1, 2, 3), keepdims=True) for x in (dark, middle)]
    assert not np.allclose(parts[0], parts[1], atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("recipe", ["paper", "modern"])
def test_every_learner_has_rates_that_a_rollback_can_halve_and_a_salt(recipe, method, tiny):
    """The optimizers use them, with a schedule (paper) and without."""
    learner = build(
        tiny(method=method, recipe=recipe, grids=(1, 4, 8), seed=5),
        {"channels": 1, "num_images": 12, "class_names": ["toy"]},
    )
    optimizers = (
        [grid.optimizer for grid in learner.grids]
        if method in ENERGY_BASED
        else list(learner.optimizers.values())
    )
    before = [float(optimizer.learning_rate) for optimizer in optimizers]
    for rate in learner.rates:
        rate.assign(0.5 * rate)
    after = [float(optimizer.learning_rate) for optimizer in optimizers]
    assert after == pytest.approx([rate / 2 for rate in before])
    assert learner.seed.numpy().tolist() == [5, 0]
    assert {id(learner.seed)} <= {id(variable) for variable in learner.variables}
