"""An exported training step in JAX, and its state back in a run."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mgconv
from benchmarks.exported import export
from mgconv.datasets.batches import batches

pytest.importorskip("jax")
ROOT = Path(__file__).parents[2]
RUN = ROOT / "benchmarks" / "exported" / "run.py"
NUM = 5  # updates: two calls of two, one of one


@pytest.fixture(scope="module")
def config(tiny):
    """Without noise: XLA draws another than TensorFlow's own kernels."""
    still = {"noise": 0.0, "data_noise": 0.0, "curvature_penalty": 0.0}
    return tiny(num_langevin_steps=2, flip=True, average_decay=0.9, **still)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, config, toy_images):
    """An export, trained in a process that has neither TensorFlow nor this package."""
    folder = tmp_path_factory.mktemp("exported")
    export.write(config, toy_images(), folder, 2)
    code = (
        "import sys; sys.modules |= {'tensorflow': None, 'mgconv': None}; import runpy;"
        f"sys.argv = ['run', {str(folder)!r}, '--updates={NUM}', '--chains=0', '--seconds=999'];"
        f"runpy.run_path({str(RUN)!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)
    return folder


def trained(folder):
    with np.load(folder / "trained.npz") as saved:
        return [saved[name] for name in sorted(saved.files)]


def test_updates_in_jax_are_the_updates_here(folder, config, toy_images):
    learner, _ = export.make(config, toy_images())
    for _, images in zip(range(NUM), batches(toy_images(), 4, config.seed, 0, flip=True)):
        learner.train_step(images)
    before = np.load(folder / "state.npz")
    for found, variable, name in zip(trained(folder), export.state_of(learner), before.files):
        np.testing.assert_allclose(found, variable, atol=2e-4, err_msg=variable.name)
        assert found.dtype == before[name].dtype
    changed = [(x != before[name]).any() for x, name in zip(trained(folder), before.files)]
    assert np.mean(changed) > 0.5


def test_the_state_comes_back_bit_for_bit_as_a_run_that_is_loaded(folder, tmp_path):
    restore = importlib.import_module("benchmarks.exported.import").restore
    learner = restore(folder, tmp_path / "run")
    for variable, value in zip(export.state_of(learner), trained(folder), strict=True):
        np.testing.assert_array_equal(variable, value)
    model = mgconv.load(tmp_path / "run")
    assert int(model.learner.update_count) == NUM
    for weight, value in zip(model.learner.weights, learner.weights, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_samples_and_a_line_a_call_come_back(folder):
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (4, 4, 4, 1)
    assert np.abs(samples).max() <= 1
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3
