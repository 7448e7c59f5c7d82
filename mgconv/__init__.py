"""Multi-grid learning and sampling of generative ConvNets (Gao, Lu, Zhou, Zhu, Wu; CVPR 2018)."""

import os

from mgconv.errors import UserError

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # twice the speed on a CPU
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this person use
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"
__all__ = ["UserError", "load"]


def load(folder, devices="auto", **dynamics):
    """The finished run in `folder` as a Model: see `mgconv.systems.load`."""
    from mgconv.models import load as load_model

    return load_model(folder, devices, **dynamics)
