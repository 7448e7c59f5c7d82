"""mgconv.train: from images as a person has them to a model."""

from pathlib import Path

import numpy as np
import pytest
from conftest import refused
from PIL import Image

import mgconv
from mgconv.datasets.image_set import ImageSet
from mgconv.io.images import to_float
from mgconv.models import MultigridModel, PerClassModel, train
from mgconv.models.suggest import GRIDS
from mgconv.training.fit import learn

SMALL = {
    "grids": [1, 2, 4], "width": 0.05, "batch_size": 4, "num_langevin_steps": 1, "num_updates": 1,
}  # fmt: skip
eagerly = pytest.mark.usefixtures("no_graphs")


def pixels(num=6, size=4, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, [num, size, size, channels], np.uint8)


def weights(model):
    return [weight.numpy() for weight in model.learner.weights]


@eagerly
def test_an_array_trains_the_model_that_its_settings_describe(tmp_path):
    model = mgconv.train(pixels(), **SMALL)
    assert isinstance(model, MultigridModel)
    images = ImageSet(pixels(), np.zeros(6, int), ("images",))
    learner, _ = learn(model.config, images, tmp_path / "run")
    for found, expected in zip(weights(model), learner.weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    samples = model.synthesize(3, seed=1)
    assert (samples.shape, samples.dtype) == ((3, 4, 4, 1), np.float32)


@eagerly
def test_floats_are_the_same_images_as_uint8():
    models = [mgconv.train(images, **SMALL) for images in (pixels(), to_float(pixels()))]
    for one, other in zip(*map(weights, models)):
        np.testing.assert_array_equal(one, other)


@eagerly
def test_a_folder_of_ones_own_keeps_the_run_and_resumes_it(tmp_path, capsys):
    mgconv.train(pixels(), out=tmp_path / "run", **SMALL)
    model = mgconv.train(pixels(), out=tmp_path / "run", **SMALL | {"num_updates": 2})
    assert int(model.learner.update_count) == 2
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 2
    other = SMALL | {"width": 0.1}
    assert "Another run" in refused(mgconv.train, pixels(), out=tmp_path / "run", **other)


@eagerly
def test_without_one_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = mgconv.train(pixels(), image_labels=[3, 3, 3, 7, 7, 7], classes="each",
                         **SMALL | {"batch_size": 2})  # fmt: skip
    assert isinstance(model, PerClassModel)
    assert model.class_names == ["3", "7"]
    assert model.synthesize([1, 0, 1]).shape == (3, 4, 4, 1)
    assert list(tmp_path.glob("mgconv-*"))
    del model
    assert not list(tmp_path.glob("mgconv-*"))


def prepared(images, labels=None, **given):
    """Config and images that an array becomes."""
    return train._of_array(images, labels, train._checked(given))


def test_grids_are_chosen_by_the_size_of_the_images(capsys):
    config, data = prepared(pixels(size=9), batch_size=4)
    assert config.grids == GRIDS[8]
    assert data.pixels.shape == (6, 8, 8, 1)
    said = capsys.readouterr().out
    assert "--grids=1,4,8" in said
    assert "9 x 9 pixels are made 8 x 8" in said
    assert "--batch_size" not in said


def test_larger_images_become_block_means():
    _, data = prepared(np.array([[0, 40], [80, 120]], np.uint8).repeat(2, 0).repeat(2, 1)
                       .reshape(1, 4, 4, 1), grids=(1, 2), scale="quick")  # fmt: skip
    np.testing.assert_array_equal(data.pixels.ravel(), [0, 40, 80, 120])


def test_labels_are_names_or_numbers():
    _, data = prepared(pixels(4), ["cat", "ant", "cat", "bee"], **SMALL)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.labels.tolist() == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [((pixels(0),), {}, "no image"), ((pixels(6).astype(int),), {}, "uint8"),
     ((np.full([4, 4, 4, 1], 0.5),), {}, "2 * images - 1"),
     ((pixels(), [0, 1]), {}, "Give 6 numbers"),
     ((pixels(),), {"grid": (1, 4)}, "Did you mean grids"),
     ((pixels(),), {"grids": (1, 8), "scale": "quick"}, "Give grids up to 4"),
     ((pixels(),), {"minutes": 1, "num_updates": 2}, "Two budgets"),
     (("no/such/folder",), {}, "No such"), (("digit",), {}, "No such")],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_one_line(arguments, settings, said):
    assert said in refused(mgconv.train, *arguments, **settings)


@eagerly
def test_a_folder_is_trained_on_as_by_the_command(tmp_path):
    for index, picture in enumerate(pixels(5, size=8, channels=3)):
        Image.fromarray(picture).save(tmp_path / f"{index}.png")
    model = mgconv.train(tmp_path, **SMALL)
    assert model.config.image_dir == str(Path(tmp_path))
    assert model.synthesize(1).shape == (1, 4, 4, 3)
