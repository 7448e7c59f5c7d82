"""Trained models: what each kind can do, and how a finished run becomes one."""

from mgconv.models.kinds import Classifier, FeatureExtractor, Inpainter, Model, Synthesizer
from mgconv.models.loading import load, untrained
from mgconv.models.multigrid import MultigridModel
from mgconv.models.per_class import PerClassModel

__all__ = [
    "Classifier", "FeatureExtractor", "Inpainter", "Model", "MultigridModel", "PerClassModel",
    "Synthesizer", "load", "untrained",
]  # fmt: skip
