"""Fixtures: a cache that goes away, settings so small that an update takes milliseconds, images."""

import os

import numpy as np
import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # tests of equal bits, of devices that are not there

from mgconv.config import make_config
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError

TINY = {
    "grids": (1, 2, 4), "width": 0.05, "batch_size": 4, "num_langevin_steps": 3,
    "num_updates": 4, "log_every": 1, "checkpoint_every": 2, "preview_every": 100,
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    """Where decoded images are kept for as long as the tests run, also by other processes."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGCONV_CACHE_DIR", str(folder))
        yield folder


def tiny_config(**given):
    """A Config of two tiny grids; what is given overrides it."""
    return make_config(**(TINY | given))


def random_pixels(height, width, channels=3, seed=0):
    """Of a picture, uint8 [height, width, channels]."""
    return np.random.default_rng(seed).integers(0, 256, [height, width, channels], np.uint8)


def refused(function, *args, kind=UserError, **options) -> str:
    """The one line of the error that a call raises."""
    with pytest.raises(kind) as error:
        function(*args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="session")
def tiny():
    """Makes a Config of two tiny grids; what is given overrides it."""
    return tiny_config


@pytest.fixture(scope="session")
def toy_images():
    """Makes an ImageSet of random pixels in [low, high)."""

    def make(num=12, size=4, channels=1, class_names=("toy",), seed=0, low=0, high=256):
        rng = np.random.default_rng(seed)
        pixels = rng.integers(low, high, [num, size, size, channels], np.uint8)
        return ImageSet(pixels, np.arange(num) % len(class_names), tuple(class_names))

    return make


@pytest.fixture
def no_graphs():
    """Runs tf.functions as plain Python: a single call takes less time than its trace."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run."""
    from programs import TINY, call

    folder = tmp_path_factory.mktemp("finished") / "run"
    call("train", "--dataset=digits", "--classes=3", f"--out={folder}", *TINY)
    return folder
