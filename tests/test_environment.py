"""Settings of other programs that a person has: they change nothing here."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgconv.training.build import Start, build

DATA = {"channels": 1, "num_images": 12, "class_names": ["toy"]}


@pytest.fixture(params=["channels_first", "float64", "bfloat16 policy"])
def other_defaults(request):
    """Keras as another program's ~/.keras/keras.json leaves it."""
    config = keras.config
    if request.param == "channels_first":
        config.set_image_data_format("channels_first")
    elif request.param == "float64":
        config.set_floatx("float64")
        config.set_dtype_policy("float64")
    else:
        config.set_dtype_policy("mixed_bfloat16")
    yield config.image_data_format(), config.floatx(), config.dtype_policy().name
    config.set_image_data_format("channels_last")
    config.set_floatx("float32")
    config.set_dtype_policy("float32")


def after_an_update(config):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, [4, 4, 4, 1]).astype(np.float32)
    learner = build(config, DATA, Start(images.mean((1, 2), keepdims=True), images))
    learner.train_step(tf.constant(images))
    return [weight.numpy() for weight in learner.weights]


@pytest.mark.parametrize("normalization", ["standardized", "batch", "group"])
def test_an_update_has_the_same_bits_whatever_keras_defaults_to(
    normalization, other_defaults, tiny, no_graphs
):
    config = tiny(normalization=normalization, optimizer="adam", learning_rate=0.01)
    found = after_an_update(config)
    now = keras.config
    assert (now.image_data_format(), now.floatx(), now.dtype_policy().name) == other_defaults
    now.set_image_data_format("channels_last")
    now.set_floatx("float32")
    now.set_dtype_policy("float32")
    for weight, expected in zip(found, after_an_update(config)):
        np.testing.assert_array_equal(weight, expected)
        assert weight.dtype == np.float32


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )


def test_another_backend_in_the_environment_is_not_used():
    done = run_python(
        "import mgconv, mgconv.layers, keras; print(keras.backend.backend())",
        KERAS_BACKEND="jax", TF_USE_LEGACY_KERAS="1",
    )  # fmt: skip
    assert done.stdout.strip() == "tensorflow", done.stderr


def test_another_backend_that_runs_already_is_named():
    code = (
        "import sys, types; keras = types.ModuleType('keras'); keras.layers = types.SimpleNamespace"
        "(Conv2D=object, Layer=object, GroupNormalization=object)\n"
        "keras.backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "sys.modules['keras'] = keras\n"
        "import mgconv.layers"
    )
    done = run_python(code)
    last = done.stderr.strip().splitlines()[-1]
    assert "another backend than TensorFlow: jax. Import mgconv before keras" in last


def test_tensorboard_is_written_where_tensorflow_has_the_old_keras(tmp_path):
    """tensorboard.plugins.hparams.api imports tf.keras, which then cannot be imported."""
    code = (
        "import tensorflow as tf\n"
        "from mgconv.config import make_config\n"
        "from mgconv.training.run import Run\n"
        f"run = Run({str(tmp_path)!r}, make_config(), {{'num_images': 2}})\n"
        "run.log(1, {'gap/4': 1.0}); run.close()"
    )
    done = run_python(code, TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "tensorboard").iterdir())
