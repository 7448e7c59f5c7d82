"""Multi-grid training and sampling of generative ConvNets (Gao, Lu, Zhou, Zhu, Wu; CVPR 2018)."""

import os
import sys
from typing import Any

from mgconv.errors import UserError

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # twice the speed on a CPU
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this person use
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"
__all__ = ["UserError", "load"]


def load(folder: str | os.PathLike, devices: str = "auto", **dynamics: float) -> Any:
    """The trained model in the folder of a run: see `mgconv.models.load`."""
    if "tensorflow" not in sys.modules:
        from mgconv.io.process import silent_stderr

        with silent_stderr():  # lines that look like errors where there is no GPU
            import tensorflow

            tensorflow.config.list_physical_devices()
    from mgconv.models import load as load_model

    return load_model(folder, devices, **dynamics)
