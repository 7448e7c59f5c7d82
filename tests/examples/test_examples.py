"""Every example runs: for seconds here; as a person would, by `make examples`."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mgconv.datasets.table import load_images
from mgconv.evaluation.metrics import within_class_distance
from mgconv.io.images import to_float, to_uint8

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "quickstart.ipynb"
slow = pytest.mark.skipif("MGCONV_EXAMPLES" not in os.environ, reason="make examples: minutes")


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recognized(images, labels, predict):
    """The share of images [N, 8, 8, 1] that `predict` takes for the digits that they are meant."""
    return float(np.mean(predict(to_uint8(images)) == labels))


def nearest_neighbors():
    """By the pixels of scikit-learn's digits."""
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    data = load_digits()
    model = KNeighborsClassifier(3).fit(data.data, data.target)
    return lambda pixels: model.predict(pixels.reshape(len(pixels), -1) * (16 / 255))


def package_classifier(folder):
    from mgconv.evaluation.scorers.classifier import Classifier

    model = Classifier(load_images("digits", "train", 8), folder)
    return lambda pixels: model.predict(pixels).probabilities.argmax(axis=1)


# -- for seconds


def test_algorithm1_makes_digits_of_every_class(monkeypatch):
    """Chance is 0.1; colors alone, which is where chains start, are no better."""
    module = example("algorithm1")
    monkeypatch.setattr(module, "NUM_UPDATES", 8)
    monkeypatch.setattr(module, "BATCH_SIZE", 16)
    stages, labels = module.digits(num=10), np.arange(10).repeat(10)
    assert [stage.shape for stage in stages] == [(10, 10, size, size, 1) for size in (1, 4, 8)]
    predict = nearest_neighbors()
    colors, samples = (x.reshape(100, *x.shape[2:]) for x in (stages[0], stages[-1]))
    assert recognized(samples, labels, predict) > 0.8
    assert recognized(colors.repeat(8, 1).repeat(8, 2), labels, predict) < 0.25


def test_algorithm1_is_short():
    assert len((EXAMPLES / "algorithm1.py").read_text().splitlines()) <= 105


@pytest.mark.parametrize("name", ["two wells", "a Keras model"])
def test_chains_have_the_density_of_the_energy(name):
    """The area between histogram and density is small, and not so by any other density."""
    module = example("own_energy")
    edges = np.linspace(-1, 1, 41)
    middles = (edges[1:] + edges[:-1]) / 2
    shares = np.histogram(module.sample(module.ENERGIES[name], 4000), edges, density=True)[0]
    areas = {
        other: np.abs(shares - module.density(energy, middles)).mean()
        for other, energy in module.ENERGIES.items()
    }
    assert areas.pop(name) < 0.06
    assert min(areas.values()) > 0.2


def test_features_of_a_trained_model_classify_digits():
    errors = example("classify").errors(num_updates=2, width=0.1, top_width=1.0, batch_size=8)
    assert errors["pixels"] < 25
    assert errors["features"] < 40  # chance is 90


def test_optuna_prunes_what_the_guard_stops(monkeypatch):
    optuna = pytest.importorskip("optuna")
    module = example("tune")

    def diverge(*args, **settings):
        raise module.DivergenceError("gap/8 = 1e+09", 7)

    monkeypatch.setattr(module.mgconv, "train", diverge)
    study = optuna.create_study()
    study.optimize(module.objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]


def test_the_distance_that_optuna_minimizes_is_of_samples_to_the_images(monkeypatch):
    """Samples that are the images themselves are at distance 0; those of one gray are not."""
    optuna = pytest.importorskip("optuna")
    module = example("tune")
    point = {"learning_rate": 1e-3, "drift": 0.02, "num_langevin_steps": 3}

    class Known:
        def __init__(self, samples):
            self.synthesize = lambda num, seed: samples

    found = []
    for samples in (module.IMAGES[:500], np.zeros_like(module.IMAGES[:500])):
        monkeypatch.setattr(module.mgconv, "train", lambda *args, x=samples, **_: Known(x))
        found.append(module.objective(optuna.trial.FixedTrial(point)))
    assert found[0] < 0.2 * found[1]


def test_large_images_are_crops_of_128_pixels():
    crops = example("large_images").crops(stride=64)
    assert crops.shape == (2 * 2 * 4, 128, 128, 3)
    assert crops.dtype == np.uint8
    assert crops.std() > 20


# -- the notebook


def cells(kind):
    content = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in content if cell["cell_type"] == kind]


def test_the_notebook_installs_first_and_its_code_compiles():
    first, *others = cells("code")
    assert "%pip install" in first
    assert not any("%pip" in code for code in others)
    for code in others:
        compile(code, str(NOTEBOOK), "exec")


def test_the_notebook_is_small_and_holds_no_path_of_one_machine():
    text = NOTEBOOK.read_text()
    assert len(text) < 400_000
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|tmp)/", text)


def test_the_notebook_shows_pictures_and_no_error():
    content = json.loads(NOTEBOOK.read_text())["cells"]
    outputs = [output for cell in content for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert not [output for output in outputs if output["output_type"] == "error"]


# -- as a person runs them


@slow
@pytest.mark.parametrize("name", ["algorithm1", "own_energy", "classify", "tune", "large_images"])
def test_an_example_runs_as_a_script(name, tmp_path):
    subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], cwd=tmp_path, check=True)
    if name in ("algorithm1", "own_energy", "large_images"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 300


@slow
def test_nineteen_of_twenty_digits_of_algorithm1_are_recognized(tmp_path):
    """And they are no copies of a mean: their spread is near that of real digits, 1."""
    samples, labels = example("algorithm1").digits(num=100)[-1], np.arange(10).repeat(100)
    flat = samples.reshape(1000, 8, 8, 1)
    assert recognized(flat, labels, package_classifier(tmp_path)) >= 0.95
    data = load_images("digits", "train", 8)
    spread = within_class_distance(flat, labels)
    assert 0.8 < spread / within_class_distance(to_float(data.pixels), data.labels) < 1.2


@slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": tmp_path}}
    ).execute()
