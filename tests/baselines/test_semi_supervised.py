"""Classifiers of few labels as systems: a row of METHODS of each file."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

import mgconv
from mgconv.baselines.semi_supervised import FALLS_FROM, AveragedStatistics, FallingRate
from mgconv.datasets.few_labels import split_labels
from mgconv.io.images import to_float
from mgconv.recipes import METHODS
from mgconv.training.build import build
from mgconv.training.fit import learn
from mgconv.training.run import Run

ROWS = {row.make: name for name, row in METHODS.items() if row.reads_labels}.values()
BUDGET = {"grids": (1, 8), "batch_size": 8, "width": 0.05, "labels": 8, "num_updates": 6}
NAMES = ("a", "b")


@pytest.fixture(scope="module")
def images(toy_images):
    """Dark and bright ones, random pixels."""
    dark, bright = (toy_images(20, size=8, low=low, high=low + 100) for low in (0, 150))
    pixels = np.concatenate([dark.pixels, bright.pixels])
    return type(dark)(pixels, np.repeat([0, 1], 20), NAMES)


def config_of(tiny, method, **given):
    return tiny(**BUDGET | {"method": method} | given)


@pytest.fixture(scope="module", params=ROWS)
def broken(request, tiny, images, tmp_path_factory):
    """A run that was interrupted and resumed: (method, folder, its learner)."""
    folder = tmp_path_factory.mktemp("few") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "log", interrupt_at(5))
        with pytest.raises(KeyboardInterrupt):
            learn(config_of(tiny, request.param), images, folder)
    learner, _ = learn(config_of(tiny, request.param), images, folder)
    return request.param, folder, learner


def interrupt_at(number):
    log = Run.log

    def interrupted(run, update, scalars):
        if update == number:
            raise KeyboardInterrupt
        log(run, update, scalars)

    return interrupted


def with_hidden_labels_exchanged(images, split):
    labels = images.labels.copy()
    labels[split.hidden] = 1 - labels[split.hidden]
    return type(images)(images.pixels, labels, NAMES)


def test_an_interrupted_run_ends_as_the_uninterrupted_one_on_other_hidden_labels(
    broken, tiny, images, tmp_path
):
    """Bit for bit; what is hidden reaches nothing that is learned."""
    method, _, resumed = broken
    split = split_labels(images, 8, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgconv.training.fit.split_labels", lambda *_: split)
        others = with_hidden_labels_exchanged(images, split)
        whole, _ = learn(config_of(tiny, method), others, tmp_path)
    assert len(whole.net.variables) == len(resumed.net.variables) > 4
    for one, other in zip(whole.net.variables, resumed.net.variables):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert float(whole.budget) == float(resumed.budget) == 6


def test_a_loaded_model_gives_each_image_probabilities_whatever_is_beside_it(broken):
    method, folder, learner = broken
    model = mgconv.load(folder)
    assert METHODS[method].can == ("classify",)
    assert (model.labels, model.class_names) == ([0, 1], list(NAMES))
    x = np.random.default_rng(0).uniform(-1, 1, [11, 8, 8, 1]).astype(np.float32)
    found = model.classify(x)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(model.classify(x[2:5]), found[2:5], atol=1e-5)
    assert model.classify(x[:0]).shape == (0, 2)
    expected = learner.probabilities(tf.constant(x[:8]))
    np.testing.assert_allclose(found[:8], expected, atol=1e-6)


@pytest.mark.parametrize("method", ROWS)
def test_from_labels_alone_the_same_classifier_learns_dark_from_bright(
    method, tiny, images, tmp_path
):
    given = {"unlabeled": False, "num_updates": 60, "batch_size": 64, "labels": 20}
    config = config_of(tiny, method, **given)
    learn(config, images, tmp_path)
    learned = images.at(split_labels(images, 20, config.seed).learned)
    predicted = mgconv.load(tmp_path).classify(to_float(learned.pixels)).argmax(1)
    assert np.mean(predicted == learned.labels) > 0.9


BAD = [
    ({"labels": 40}, "No image is left without a label: --labels=40. Give fewer --labels"),
    ({"labels": 3}, "Cannot draw so many labels: 3. Give between 4 and 40."),
    ({"labels": 41}, "Cannot draw so many labels: 41. Give between 4 and 40."),
    ({"batch_size": 80}, "A batch is larger than the data"),
]


@pytest.mark.parametrize(("given", "told"), BAD)
def test_labels_that_cannot_be_drawn_are_told_before_a_folder_is_made(
    given, told, tiny, images, tmp_path
):
    assert told in refused(learn, config_of(tiny, "vat", **given), images, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_all_labels_are_used_where_no_others_are_to_be(tiny, images, tmp_path):
    learn(config_of(tiny, "vat", labels=40, unlabeled=False), images, tmp_path)


def test_images_of_one_class_are_told(tiny, toy_images, tmp_path):
    told = refused(learn, config_of(tiny, "vat"), toy_images(20, size=8), tmp_path / "run")
    assert "one class: toy. Give images of two classes or more" in told


# -- the rate and the budget


def test_the_rate_falls_to_0_over_the_last_part_of_the_budget():
    schedule = FallingRate(0.5)
    assert float(schedule(1000)) == 0.5  # the budget is not known
    schedule.budget.assign(100)
    first = 100 * FALLS_FROM
    rates = [float(schedule(step)) for step in (0, first, (first + 100) / 2, 100, 120)]
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.25, 0, 0], atol=1e-6)


def test_a_larger_budget_is_taken_until_the_rate_has_begun_to_fall(tiny):
    learner = build(config_of(tiny, "vat"), {"channels": 1, "labels": [0, 1]})
    learner.plan(100)
    learner.update_count.assign(60)
    learner.plan(200)
    learner.update_count.assign(121)
    learner.plan(200)
    told = refused(learner.plan, 300)
    assert "fallen with a budget of: 200 updates, 300 are asked for. Choose another" in told


def test_averaged_statistics_are_those_of_batch_normalization():
    """In training of the batch, else by averages that moved a share of the way."""
    norm = AveragedStatistics()
    norm.build((None, 3))
    x = tf.constant(np.random.default_rng(0).normal(2, 3, [50, 3]), tf.float32)
    normalized = norm(x, training=True, moves=True).numpy()
    np.testing.assert_allclose(normalized.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(0), 1, atol=1e-4)
    for _ in range(200):
        norm(x, training=True, moves=True)
    np.testing.assert_allclose(norm.mean, x.numpy().mean(0), rtol=1e-3)
    np.testing.assert_allclose(norm(x), normalized, rtol=0.02)  # its variance is of 49 of 50
