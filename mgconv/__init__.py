"""Multi-grid training and sampling of generative ConvNets (Gao, Lu, Zhou, Zhu, Wu; CVPR 2018)."""

import os
import sys
from typing import Any

from mgconv.config import Config
from mgconv.errors import UserError

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # twice the speed on a CPU
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this person use
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"
__all__ = ["Config", "UserError", "from_pretrained", "load", "train"]


def train(
    images: Any, image_labels: Any = None, out: str | os.PathLike | None = None, **settings
) -> Any:
    """Trains a model on images.

        model = mgconv.train(images, grids=(1, 4, 16, 32), minutes=5)
        samples = model.synthesize(64, seed=0)  # float32 [64, 32, 32, C] in [-1, 1]

    Grids, widths and batch size that are not given are chosen from the images and the machine; each
    is printed with its reason, as is what is made of images of another size than the top grid's.

    Args:
        images: a NumPy array [N, S, S, C] with C = 1 or 3: uint8 of 0..255, or floats in [-1, 1],
            which are kept as uint8. Or a folder or .zip of images. Or the name of a data set, as
            "digits". Or a Config, without other arguments.
        image_labels: the class of each image of an array, a number or a name; for classes="each".
        out: folder of the run, where the same call resumes it; else a temporary one.
        **settings: fields of Config, each a flag of `mgconv train`.

    Returns:
        The trained model, as `load` does.

    Raises:
        UserError: what does not fit, in one line.
    """
    _import_quietly()
    from mgconv.models.train import train as train_model

    return train_model(images, image_labels, out, **settings)


def load(folder: str | os.PathLike, devices: str = "auto", **dynamics: float) -> Any:
    """The trained model in the folder of a run: see `mgconv.models.load`."""
    _import_quietly()
    from mgconv.models import load as load_model

    return load_model(folder, devices, **dynamics)


def from_pretrained(name: str | os.PathLike, devices: str = "auto", **dynamics: float) -> Any:
    """A trained model by its name.

    Args:
        name: "digits", which is inside the package; another of the released models, which is
            fetched once and whose SHA-256 is checked; "hf://OWNER/NAME" or
            "hf://OWNER/NAME@REVISION", a repository of the Hugging Face Hub, with the extra `hub`;
            or a path, as `load` takes it.
        devices: as `load` takes them.
        **dynamics: as `load` takes them.

    Raises:
        UserError: no such model, or a file that is cut or not what its hash says.
    """
    _import_quietly()
    from mgconv.models.pretrained import from_pretrained as load_pretrained

    return load_pretrained(name, devices, **dynamics)


def _import_quietly() -> None:
    """Imports TensorFlow without lines that look like errors where there is no GPU."""
    if "tensorflow" not in sys.modules:
        from mgconv.io.process import importing_tensorflow

        with importing_tensorflow():
            import tensorflow

            tensorflow.config.list_physical_devices()
