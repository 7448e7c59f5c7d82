"""LSUN scenes as a tfds data set."""

from .lsun_scenes import LsunScenes as LsunScenes
