"""The sampler for other programs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

from mgconv.io.files import sha256_of
from mgconv.models import compiled, untrained

ROOT = Path(__file__).parents[2]
SEED = np.array([7, 0], np.int32)


@pytest.fixture(scope="module")
def model(tiny, toy_images):
    """Of two grids, with noise, on three channels."""
    return untrained(tiny(num_langevin_steps=2), toy_images(channels=3))


def test_the_weights_are_inside(model):
    program = compiled.sampler(model).get_concrete_function()
    assert not program.captured_inputs


def test_a_saved_model_samples_as_the_learner(model, tmp_path):
    """The same noise; constants are folded in another order."""
    compiled.write_program(model, tmp_path / "program", "savedmodel")
    loaded = tf.saved_model.load(tmp_path / "program")
    colors = np.load(tmp_path / "program" / "colors.npy")[:4]
    expected = model.learner.sample(tf.constant(colors), tf.constant(SEED))
    for found, samples in zip(loaded.sample(colors, SEED), expected, strict=True):
        np.testing.assert_allclose(found, samples, atol=1e-6)
    named = loaded.signatures["serving_default"](colors=tf.constant(colors), seed=tf.constant(SEED))
    np.testing.assert_allclose(named["output_1"], expected[-1], atol=1e-6)


def test_what_is_written_is_described(model, tmp_path):
    compiled.write_program(model, tmp_path / "program", "savedmodel")
    about = json.loads((tmp_path / "program" / "sampler.json").read_text())
    assert about["inputs"] == {"colors": ["float32", [4, 1, 1, 3]], "seed": ["int32", [2]]}
    assert about["outputs"] == [["float32", [4, size, size, 3]] for size in (2, 4)]
    for name, digest in about["files"].items():
        assert sha256_of(tmp_path / "program" / name) == digest
    assert {"saved_model.pb", "colors.npy"} <= set(about["files"])


def test_a_folder_of_something_else_is_not_replaced(model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    assert "Something else" in refused(compiled.write_program, model, tmp_path, "savedmodel")


def test_jax_draws_what_the_compiled_sampler_draws(model, tmp_path):
    """In a process of its own, which has neither TensorFlow nor this package."""
    pytest.importorskip("jax")
    compiled.write_program(model, tmp_path, "stablehlo")
    code = (
        "import sys; sys.modules |= {'tensorflow': None, 'mgconv': None};"
        "import runpy; sys.argv[0] = sys.argv[1]; sys.argv[1:] = sys.argv[2:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script = ROOT / "examples" / "sample_in_jax.py"
    command = [sys.executable, "-c", code, str(script), str(tmp_path), "7"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    colors = np.load(tmp_path / "colors.npy")
    colors = colors[np.random.default_rng(7).integers(0, len(colors), 4)]
    expected = compiled.sampler(model, jit_compile=True)(tf.constant(colors), tf.constant(SEED))
    np.testing.assert_allclose(np.load(tmp_path / "samples.npy"), expected[-1], atol=1e-5)
    assert np.ptp(expected[-1]) > 0.1
