"""A model as a folder that can be handed on."""

import json
import pickle
import shutil

import numpy as np
import pytest
from conftest import refused
from safetensors.numpy import load_file, save_file

import mgconv
from mgconv.evaluation.synthesis import weights_key
from mgconv.io.files import read_json, sha256_of, write_json
from mgconv.models import MultigridModel, PerClassModel, load
from mgconv.models.saved import WEIGHTS
from mgconv.training.compare import learn_each
from mgconv.training.fit import learn


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny, toy_images):
    """A model of two updates with averaged weights, and its images."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    images = toy_images()
    learn(tiny(num_updates=2, average_decay=0.9, out=str(folder)), images, folder)
    return load(folder), images


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory):
    """The folder of that model, saved."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    trained[0].save(folder, {"training": {"all": {"updates": 2, "seconds": 90.0}}})
    return folder


@pytest.fixture
def copy(kept, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(kept, tmp_path / "copy")


def half(values):
    return np.asarray(values).astype(np.float16).astype(np.float32)


def test_a_saved_model_has_the_averaged_weights_in_float16(trained, kept):
    saved = mgconv.load(kept)
    assert isinstance(saved, MultigridModel)
    for net, expected in zip(saved.nets, trained[0].nets, strict=True):
        assert expected is not trained[0].learner.grids[0].net
        for weight, value in zip(net.weights, expected.weights, strict=True):
            np.testing.assert_array_equal(weight, half(value))
    np.testing.assert_array_equal(saved.learner.colors, half(trained[0].learner.colors))
    assert saved.config.grids == trained[0].config.grids
    assert saved.class_names == ["toy"]


def test_it_samples_nearly_as_before(trained, kept):
    images, before = (model.synthesize(6, seed=3) for model in (mgconv.load(kept), trained[0]))
    np.testing.assert_allclose(images, before, atol=0.02)


def test_no_training_image_and_no_path_of_this_machine_is_inside(trained, kept, tmp_path):
    content = (kept / WEIGHTS).read_bytes()
    reference = load_file(kept / WEIGHTS)["reference"]
    assert reference[0].tobytes() in content
    for pixels in trained[1].pixels:
        for image in (pixels, (pixels / 127.5 - 1).astype(np.float16)):
            assert image.tobytes() not in content
    assert str(tmp_path.parent) not in (kept / "config.json").read_text()


def test_the_card_says_where_it_comes_from(kept):
    text = (kept / "README.md").read_text()
    for word in ("12 training images", "toy", "2 updates", "1.5 minutes", "float16", "Limits"):
        assert word in text


def test_it_can_be_saved_again(kept, tmp_path):
    mgconv.load(kept).save(tmp_path / "again")
    again, before = (load_file(folder / WEIGHTS) for folder in (tmp_path / "again", kept))
    for name in before.keys() - {"reference"}:
        np.testing.assert_array_equal(again[name], before[name])


def test_a_cut_or_changed_file_is_refused_in_one_line(copy):
    content = (copy / WEIGHTS).read_bytes()
    for damaged in (content[:-9], content[:40], b"", content[:-1] + b"?"):
        (copy / WEIGHTS).write_bytes(damaged)
        assert "not the SHA-256" in refused(mgconv.load, copy)


def vouch(folder):
    """As who made the file himself would."""
    content = read_json(folder / "config.json")
    write_json(folder / "config.json", content | {"files": {WEIGHTS: sha256_of(folder / WEIGHTS)}})


class Trap:
    """What a pickle can hold."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("foreign", [pickle.dumps(Trap()), b"PK\3\4", b"{}", b"\xff" * 99])
def test_another_programs_file_is_refused_whatever_its_hash(foreign, copy):
    (copy / WEIGHTS).write_bytes(foreign)
    vouch(copy)
    assert "Cannot use" in refused(mgconv.load, copy)


def test_tensors_of_another_model_are_refused(copy):
    tensors = load_file(copy / WEIGHTS)
    name = next(name for name in tensors if name.endswith("kernel"))
    for changed in ({name: tensors[name][:1]}, {"colors": tensors["colors"][:0]}):
        save_file(tensors | changed, copy / WEIGHTS)
        vouch(copy)
        assert next(iter(changed)) in refused(mgconv.load, copy)
    save_file({"x": np.zeros(3)}, copy / WEIGHTS)
    vouch(copy)
    assert "missing" in refused(mgconv.load, copy)


def test_without_hashes_it_is_refused(copy):
    for files in (None, [], {}, {WEIGHTS: 3}):
        write_json(copy / "config.json", read_json(copy / "config.json") | {"files": files})
        assert "SHA-256" in refused(mgconv.load, copy)


def test_a_folder_of_something_else_is_not_replaced(trained, tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    assert "Something else" in refused(trained[0].save, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_saved_models_have_two_keys(kept, copy):
    before = weights_key(copy)
    assert before == weights_key(kept)
    save_file(load_file(copy / WEIGHTS) | {"x": np.zeros(3)}, copy / WEIGHTS)
    assert weights_key(copy) != before


def test_a_model_a_class_is_one_file(tmp_path, tiny, toy_images):
    images = toy_images(12, class_names=("a", "b", "c"))
    config = tiny(num_updates=1, classes="each", batch_size=2)
    learn_each(config, images, tmp_path / "run", ("a", "c"))
    model = load(tmp_path / "run")
    model.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["config"]["out"] is None
    saved = mgconv.load(tmp_path / "saved")
    assert isinstance(saved, PerClassModel)
    assert saved.labels == [0, 2]
    for label in (2, 0):
        found, expected = saved.of_class(label), model.of_class(label)
        weights = (net.weights for net in (found.nets[-1], expected.nets[-1]))
        for weight, value in zip(*weights, strict=True):
            np.testing.assert_array_equal(weight, half(value))
    np.testing.assert_allclose(saved.synthesize([0, 2]), model.synthesize([0, 2]), atol=0.02)
    refused(saved.synthesize, [1])
